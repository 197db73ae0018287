package auth_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/ident"
)

func TestClaims(t *testing.T) {
	v := verifier(t, auth.Options{Secret: []byte(secret)})
	for _, tt := range []struct {
		name, payload string
		user          string // its JSON form, "" = refused
		roles, rooms  string // joined by a blank; rooms "*" = any
	}{
		{"userId", `{"userId":"alice","sub":"x"}`, `"alice"`, "", "*"},
		{"numeric userId", `{"userId":42}`, `42`, "", "*"},
		{"sub", `{"sub":"alice"}`, `"alice"`, "", "*"},
		{"numeric sub", `{"sub":42}`, `42`, "", "*"},
		{"userId null", `{"userId":null,"sub":"alice"}`, `"alice"`, "", "*"},
		{"a sub that is no id", `{"userId":"alice","sub":{}}`, `"alice"`, "", "*"},
		{"no user", `{}`, "", "", ""},
		{"userId empty", `{"userId":"","sub":"alice"}`, "", "", ""},
		{"userId object", `{"userId":{},"sub":"alice"}`, "", "", ""},
		{"userId fraction", `{"userId":4.2}`, "", "", ""},
		{"userId boolean", `{"userId":true}`, "", "", ""},
		{"other case", `{"userid":"alice","SUB":"alice"}`, "", "", ""},
		{"role", `{"sub":1,"role":"admin"}`, `1`, "admin", "*"},
		{"roles", `{"sub":1,"roles":["a","b"]}`, `1`, "a b", "*"},
		{"role and roles", `{"sub":1,"role":["a"],"roles":"b"}`, `1`, "a b", "*"},
		{"role of another case", `{"sub":1,"Role":"admin","ROLES":["admin"]}`, `1`, "", "*"},
		{"roles of other shapes", `{"sub":1,"role":{"admin":true},"roles":[1,"admin"]}`, `1`, "", "*"},
		{"rooms", `{"sub":1,"rooms":["order-*","lobby",42]}`, `1`, "", "order-* lobby 42"},
		{"one room", `{"sub":1,"rooms":"lobby"}`, `1`, "", "lobby"},
		{"no rooms", `{"sub":1,"rooms":[]}`, `1`, "", ""},
		{"rooms null", `{"sub":1,"rooms":null}`, `1`, "", ""},
		{"rooms object", `{"sub":1,"rooms":{}}`, "", "", ""},
		{"rooms boolean", `{"sub":1,"rooms":false}`, "", "", ""},
		{"rooms with null", `{"sub":1,"rooms":["a",null]}`, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var claims jwt.MapClaims
			if err := json.Unmarshal([]byte(tt.payload), &claims); err != nil {
				t.Fatal(err)
			}
			token := hs256(t, claims)
			c, err := v.Verify(t.Context(), token)
			if tt.user == "" {
				check(t, err, auth.ErrTokenInvalid, token)
				return
			}
			check(t, err, nil, token)
			if got := string(c.UserID.AppendJSON(nil)); got != tt.user {
				t.Errorf("UserID = %s, want %s", got, tt.user)
			}
			if got := strings.Join(c.Roles, " "); got != tt.roles {
				t.Errorf("Roles = %q, want %q", got, tt.roles)
			}
			if got := strings.Join(c.Rooms, " "); c.AnyRoom != (tt.rooms == "*") || !c.AnyRoom && got != tt.rooms {
				t.Errorf("Rooms = %q, AnyRoom = %v, want %q", got, c.AnyRoom, tt.rooms)
			}
			if c.HasRole("admin") != slices.Contains(strings.Fields(tt.roles), "admin") {
				t.Errorf("HasRole(admin) = %v", c.HasRole("admin"))
			}
			var own map[string]any
			if err := json.Unmarshal(c.Raw, &own); err != nil || len(own) != len(claims) {
				t.Errorf("Raw = %s", c.Raw)
			}
		})
	}
}

func TestMayJoin(t *testing.T) {
	limited := auth.Claims{Rooms: []string{"order-*", "42"}}
	for room, want := range map[string]bool{"order-1": true, "order-": true, "42": true, "my-order-1": false, "43": false} {
		if limited.MayJoin(ident.Of(room)) != want {
			t.Errorf("MayJoin(%q) = %v", room, !want)
		}
	}
	if limited.MayJoin(ident.ID{}) || (auth.Claims{AnyRoom: true}).MayJoin(ident.ID{}) {
		t.Error("the zero ID is a room")
	}
	if (auth.Claims{}).MayJoin(ident.Of("lobby")) {
		t.Error("the zero Claims may join a room")
	}
	if !(auth.Claims{AnyRoom: true}).MayJoin(ident.Of("lobby")) {
		t.Error("Claims with AnyRoom may not join a room")
	}
}

func TestSign(t *testing.T) {
	v := verifier(t, auth.Options{Secret: []byte(secret), Issuer: "i", Audience: "a"})
	grant := auth.Grant{
		UserID: ident.OfInt(7), Roles: []string{"admin"}, Rooms: []string{"order-*"},
		TTL: time.Hour, Issuer: "i", Audience: "a",
	}
	token, err := auth.Sign([]byte(secret), grant)
	if err != nil {
		t.Fatal(err)
	}
	c, err := v.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(c.ExpiresAt); left < 59*time.Minute || left > time.Hour+auth.DefaultLeeway {
		t.Errorf("token expires in %v", left)
	}
	if !c.UserID.Equal(grant.UserID) || !c.HasRole("admin") || !c.MayJoin(ident.Of("order-1")) || c.MayJoin(ident.Of("lobby")) {
		t.Errorf("claims = %+v", c)
	}

	v = verifier(t, auth.Options{Secret: []byte(secret)})
	for _, rooms := range [][]string{nil, {}} {
		token, err = auth.Sign([]byte(secret), auth.Grant{UserID: grant.UserID, Rooms: rooms})
		if err != nil {
			t.Fatal(err)
		}
		if c, err = v.Verify(t.Context(), token); err != nil || c.AnyRoom != (rooms == nil) || !c.ExpiresAt.IsZero() {
			t.Errorf("rooms %#v: claims = %+v, %v", rooms, c, err)
		}
	}

	for name, sign := range map[string]func() (string, error){
		"no secret":    func() (string, error) { return auth.Sign(nil, grant) },
		"no user":      func() (string, error) { return auth.Sign([]byte(secret), auth.Grant{}) },
		"negative TTL": func() (string, error) { return auth.Sign([]byte(secret), auth.Grant{UserID: grant.UserID, TTL: -1}) },
	} {
		if token, err := sign(); err == nil || token != "" {
			t.Errorf("%s: %q, %v", name, token, err)
		}
	}
}

// FuzzVerify verifies arbitrary tokens, and arbitrary payloads with a valid signature,
// which reach more code.
func FuzzVerify(f *testing.F) {
	for _, payload := range []string{
		`{"userId":"alice","role":"admin","rooms":["order-*"],"exp":4102444800}`, `{"sub":1,"exp":1}`, `{"sub":1,"exp":1e300}`,
		`{"sub":1,"nbf":-1e300,"aud":["a"]}`, `{"sub":1,"nbf":1e19,"exp":null}`, `null`, `[]`, `{"sub":"\ud800"}`, `{"rooms":{}}`, `{"exp":"1"}`, strings.Repeat("[", 100),
	} {
		f.Add(payload, "eyJhbGciOiJIUzI1NiJ9.e30.AAAA")
	}
	f.Add(`{}`, "eyJhbGciOiJub25lIn0.e30.")
	f.Add(`{}`, "..")
	v := verifier(f, auth.Options{Secret: []byte(secret)})
	f.Fuzz(func(t *testing.T, payload, token string) {
		if _, err := v.Verify(t.Context(), token); err == nil || auth.Code(err) == "" {
			t.Fatalf("Verify(%q) = %v; want an error: it is not signed", token, err)
		}
		unsigned := "eyJhbGciOiJIUzI1NiJ9." + b64(payload)
		signature, err := jwt.SigningMethodHS256.Sign(unsigned, []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		c, err := v.Verify(t.Context(), unsigned+"."+b64(string(signature)))
		switch {
		case err != nil && !errors.Is(err, auth.ErrTokenInvalid) && !errors.Is(err, auth.ErrTokenExpired):
			t.Fatalf("payload %q: %v", payload, err)
		case err == nil && c.UserID.IsZero():
			t.Fatalf("payload %q: accepted without a user", payload)
		case err == nil && !json.Valid([]byte(payload)):
			t.Fatalf("payload %q: accepted", payload)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	v := verifier(b, auth.Options{Secret: []byte(secret)})
	token, err := auth.Sign([]byte(secret), auth.Grant{UserID: ident.Of("user-123456"), Roles: []string{"user"}, TTL: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
