package realtime_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// chat adds a namespace of the program whose event whoami answers the user and the
// claims that only the program knows.
func chat(n *node, v *auth.Verifier) {
	ns := n.io.Namespace("/chat")
	ns.Use(realtime.Authenticate(v))
	ns.Handle("whoami", socketio.Func(func(_ context.Context, s *socketio.Socket, _ any) (json.RawMessage, error) {
		claims, ok := realtime.ClaimsOf(s)
		if !ok {
			return nil, realtime.ErrUnauthenticated
		}
		return claims.Raw, nil
	}))
}

func TestAuthenticateAnotherNamespace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, err := auth.New(auth.Options{Secret: []byte(secret), Leeway: -1})
		if err != nil {
			t.Fatal(err)
		}
		n := start(t, inMemory)
		chat(n, v)
		try := func(auth any) (*raw.Client, string) {
			return raw.Try(t, n.url, raw.Options{Namespace: "/chat", Auth: auth, NetDial: n.dial})
		}
		expired := sign(t, id("ana"), auth.Grant{TTL: time.Second})
		time.Sleep(2 * time.Second)
		for _, tc := range []struct {
			auth any
			code string
		}{
			{nil, "token_missing"}, {map[string]any{"token": nil}, "token_missing"}, {map[string]any{"token": ""}, "token_missing"},
			{map[string]any{"token": "x"}, "token_invalid"}, {map[string]any{"token": 7}, "token_invalid"},
			{map[string]any{"token": expired}, "token_expired"},
		} {
			if _, refusal := try(tc.auth); refusal != `{"message":"Authentication failed","data":{"code":"`+tc.code+`"}}` {
				t.Errorf("%v: %s", tc.auth, refusal)
			}
		}
		c, refusal := try(map[string]any{"token": sign(t, id("ana"), auth.Grant{TTL: time.Minute, Roles: []string{"cook"}})})
		if refusal != "" {
			t.Fatal(refusal)
		}
		var claims struct {
			UserID string
			Roles  []string
		}
		if err := json.Unmarshal([]byte(c.Ask("whoami").Arg(0)), &claims); err != nil || claims.UserID != "ana" || len(claims.Roles) != 1 {
			t.Errorf("%+v, %v", claims, err)
		}
		if n.IsUserConnected(id("ana")) {
			t.Error("the socket is a device")
		}
		s := n.io.Namespace("/chat").Socket(c.ID())
		if text := string(s.Handshake().Auth.JSON); text != "{}" {
			t.Errorf("the token is kept: %s", text)
		}
		time.Sleep(time.Minute)
		if claims, ok := realtime.ClaimsOf(s); ok || !claims.UserID.IsZero() {
			t.Errorf("after the token has expired: %+v", claims)
		}
	})
}

func TestClaimsOfADevice(t *testing.T) {
	n := start(t)
	if claims, ok := realtime.ClaimsOf(n.socket(n.device("ana", auth.Grant{Roles: []string{"cook"}}))); !ok || !claims.HasRole("cook") {
		t.Errorf("%+v, %v", claims, ok)
	}
	if claims, ok := realtime.ClaimsOf(n.socket(n.anonymous())); ok || !claims.UserID.IsZero() {
		t.Errorf("without a user: %+v", claims)
	}
}

// A socket without a user may send the public events, within its limit; others of the
// program's do not reach their handlers.
func TestPublicEvents(t *testing.T) {
	n := start(t, limited, func(o *options) { o.Public = []string{"menu"} })
	n.Namespace().OnAny(socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error { return e.Reply(e.Name) }))
	c := n.anonymous()
	want(t, c.Ask("menu"), `"menu"`)
	mustFail(t, c.Ask("order"), "unauthenticated", "Unauthorized")
	for range 3 {
		c.Ask("menu")
	}
	mustFail(t, c.Ask("menu"), "rate_limited", "Rate limit exceeded")
	want(t, n.device("ana").Ask("order"), `"order"`)
}
