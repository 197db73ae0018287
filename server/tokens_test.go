package server

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	jwtlib "github.com/golang-jwt/jwt/v5"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/auth"
)

// TestTokenSources starts a node with each source of keys, as an operator would,
// and connects with tokens of all.
func TestTokenSources(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&ec.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, []byte(public), 0o600); err != nil {
		t.Fatal(err)
	}
	var fetches atomic.Int64
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetches.Add(1)
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "1", Key: ed.Public()}}})
	}))
	defer issuer.Close()

	claims := jwtlib.MapClaims{"sub": "ana", "iss": "shop", "aud": []string{"x", "puente"}, "exp": time.Now().Add(time.Hour).Unix()}
	sign := func(method jwtlib.SigningMethod, key any, claims jwtlib.MapClaims) string {
		t.Helper()
		token := jwtlib.NewWithClaims(method, claims)
		token.Header["kid"] = "1"
		text, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	const other = "the secret before, long enough as well"
	tokens := map[string]string{
		"secret":   sign(jwtlib.SigningMethodHS256, []byte(jwtSecret), claims),
		"previous": sign(jwtlib.SigningMethodHS512, []byte(other), claims),
		"public":   sign(jwtlib.SigningMethodES256, ec, claims),
		"jwks":     sign(jwtlib.SigningMethodEdDSA, ed, claims),
		"issuer":   sign(jwtlib.SigningMethodHS256, []byte(jwtSecret), jwtlib.MapClaims{"sub": "ana", "iss": "else", "aud": "puente"}),
		"audience": sign(jwtlib.SigningMethodHS256, []byte(jwtSecret), jwtlib.MapClaims{"sub": "ana", "iss": "shop", "aud": "else"}),
	}
	for _, tc := range []struct {
		name string
		env  env
		good string // names of tokens
	}{
		{"secret", env{}, "secret issuer audience"},
		{"rotating", env{"JWT_SECRET_PREVIOUS": other}, "secret previous issuer audience"},
		{"rotated", env{"JWT_SECRET": other}, "previous"},
		{"issuer and audience", env{"JWT_ISSUER": "shop", "JWT_AUDIENCE": "puente"}, "secret"},
		{"public key", env{"JWT_SECRET": "", "JWT_PUBLIC_KEY": public}, "public"},
		{"public key in one line", env{"JWT_SECRET": "", "JWT_PUBLIC_KEY": strings.ReplaceAll(public, "\n", `\n`)}, "public"},
		{"public key in a file", env{"JWT_SECRET": "", "JWT_PUBLIC_KEY": file}, "public"},
		{"key set", env{"JWT_SECRET": "", "JWT_JWKS_URL": issuer.URL}, "jwks"},
		{"all", env{"JWT_SECRET_PREVIOUS": other, "JWT_PUBLIC_KEY": file, "JWT_JWKS_URL": issuer.URL, "JWT_AUDIENCE": "puente"}, "secret previous public jwks issuer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.env["SHUTDOWN_TIMEOUT"] = "100"
			n := start(t, tc.env)
			for name, token := range tokens {
				c, refusal := raw.Try(t, n.url, raw.Options{Auth: map[string]string{"token": token}})
				if strings.Contains(" "+tc.good+" ", " "+name+" ") {
					if refusal != "" {
						t.Errorf("%s: %s", name, refusal)
						continue
					}
					c.Next("authenticated")
				} else if want := `{"message":"Authentication failed","data":{"code":"token_invalid"}}`; refusal != want {
					t.Errorf("%s: %q, want %s", name, refusal, want)
				}
			}
		})
	}
	if n := fetches.Load(); n != 2 {
		t.Errorf("%d fetches by two nodes", n)
	}
}

// WS_TOKEN_EXPIRY=ignore checks tokens when clients connect, and no more.
func TestTokenExpiryIgnore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startOn(t, env{"WS_TOKEN_EXPIRY": "ignore"}, raw.NewNetwork())
		token := n.token("ana", auth.Grant{TTL: time.Minute})
		c := raw.Connect(t, n.url, raw.Options{Auth: map[string]string{"token": token}, NetDial: n.dial})
		c.Next("authenticated")
		time.Sleep(time.Hour)
		if a := c.Ask("join-room", "r"); !strings.Contains(a.Arg(0), `"success":true`) {
			t.Errorf("after its token has expired: %s", a.Arg(0))
		}
		if _, refusal := raw.Try(t, n.url, raw.Options{Auth: map[string]string{"token": token}, NetDial: n.dial}); !strings.Contains(refusal, "token_expired") {
			t.Errorf("connecting with it: %q", refusal)
		}
	})
}

// The leeway of 30 s counts when a client connects and while it is connected: a token
// that expired a moment ago is accepted, and the connection is closed when the leeway
// has passed.
func TestLeewayDuringAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startOn(t, nil, raw.NewNetwork())
		token := n.token("ana", auth.Grant{TTL: time.Minute})
		time.Sleep(80 * time.Second)
		c := raw.Connect(t, n.url, raw.Options{Auth: map[string]string{"token": token}, NetDial: n.dial})
		c.Next("authenticated")
		time.Sleep(10*time.Second - time.Millisecond)
		c.Ask("ping")
		start := time.Now()
		if e := c.Next("error"); !strings.Contains(e.Arg(1), `"reason":"token_expired"`) {
			t.Errorf("error %s", e.Args)
		}
		if c.Ended() {
			t.Error("a DISCONNECT")
		}
		if took := time.Since(start); took > 2*time.Millisecond {
			t.Errorf("the error came %v late", took)
		}
		_, refusal := raw.Try(t, n.url, raw.Options{Auth: map[string]string{"token": token}, NetDial: n.dial})
		if !strings.Contains(refusal, "token_expired") {
			t.Errorf("afterwards: %s", refusal)
		}
		// A fresh token within the leeway keeps the connection.
		token = n.token("ana", auth.Grant{TTL: time.Minute})
		c = raw.Connect(t, n.url, raw.Options{Auth: map[string]string{"token": token}, NetDial: n.dial})
		time.Sleep(80 * time.Second)
		c.Ask("authenticate", map[string]string{"token": n.token("ana", auth.Grant{TTL: time.Minute})})
		time.Sleep(60 * time.Second)
		if a := c.Ask("join-room", "r"); !strings.Contains(a.Arg(0), `"success":true`) {
			t.Errorf("after a fresh token: %s", a.Arg(0))
		}
	})
}
