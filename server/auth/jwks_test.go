package auth_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/puente-io/puente/server/auth"
)

// issuer publishes a key set. It is an [http.RoundTripper] without a network, so that
// it also works in a synctest bubble.
type issuer struct {
	mu      sync.Mutex
	body    []byte
	status  int
	fetches int
	delay   time.Duration
}

func (i *issuer) publish(t testing.TB, keys ...jose.JSONWebKey) {
	t.Helper()
	body, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	i.answer(http.StatusOK, body)
}

func (i *issuer) answer(status int, body []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status, i.body = status, body
}

func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

func (i *issuer) RoundTrip(req *http.Request) (*http.Response, error) {
	i.mu.Lock()
	i.fetches++
	delay := i.delay
	i.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return &http.Response{StatusCode: i.status, Body: io.NopCloser(bytes.NewReader(i.body)), Request: req}, nil
}

func (i *issuer) verifier(t testing.TB, errs *[]error) *auth.Verifier {
	return verifier(t, auth.Options{
		JWKSURL:      "https://user:" + secret + "@issuer.example/jwks?key=" + secret,
		HTTPClient:   &http.Client{Transport: i},
		OnFetchError: func(err error) { *errs = append(*errs, err) },
	})
}

// expect verifies a token and checks the error. It starts no subtest, because a synctest
// bubble does not allow any.
func expect(t *testing.T, v *auth.Verifier, token string, want error) {
	t.Helper()
	_, err := v.Verify(t.Context(), token)
	check(t, err, want, token)
}

func TestJWKSOverHTTP(t *testing.T) {
	keys := newTestKeys(t)
	var source issuer
	source.publish(t,
		jose.JSONWebKey{KeyID: "r", Key: &keys.rsa.PublicKey, Use: "sig", Algorithm: "RS256"},
		jose.JSONWebKey{KeyID: "e", Key: &keys.p256.PublicKey},
		jose.JSONWebKey{KeyID: "same", Key: keys.ed.Public()},
		jose.JSONWebKey{KeyID: "same", Key: &keys.p384.PublicKey},
	)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res, err := source.RoundTrip(r)
		if err != nil {
			panic(err)
		}
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	}))
	defer server.Close()
	v := verifier(t, auth.Options{JWKSURL: server.URL, HTTPClient: server.Client(), Secret: []byte(secret)})
	claims := jwt.MapClaims{"sub": "a"}
	for _, tt := range []struct {
		name  string
		token string
		want  error
	}{
		{"RSA", sign(t, jwt.SigningMethodRS256, keys.rsa, claims, "kid", "r"), nil},
		{"ECDSA", sign(t, jwt.SigningMethodES256, keys.p256, claims, "kid", "e"), nil},
		{"Ed25519", sign(t, jwt.SigningMethodEdDSA, keys.ed, claims, "kid", "same"), nil},
		{"same id, other kind", sign(t, jwt.SigningMethodES384, keys.p384, claims, "kid", "same"), nil},
		{"no id", sign(t, jwt.SigningMethodES256, keys.p256, claims), nil},
		{"with a secret", hs256(t, claims), nil},
		{"algorithm that the key excludes", sign(t, jwt.SigningMethodRS384, keys.rsa, claims, "kid", "r"), auth.ErrTokenInvalid},
		{"another key's id", sign(t, jwt.SigningMethodES256, keys.p256, claims, "kid", "r"), auth.ErrTokenInvalid},
		{"unknown id", sign(t, jwt.SigningMethodRS256, keys.rsa, claims, "kid", "x"), auth.ErrTokenInvalid},
		{"public key as secret", sign(t, jwt.SigningMethodHS256, pemOf(t, &keys.rsa.PublicKey), claims, "kid", "r"), auth.ErrTokenInvalid},
		{"none", sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims, "kid", "r"), auth.ErrTokenInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), tt.token)
			check(t, err, tt.want, tt.token)
		})
	}
}

func TestJWKSRotation(t *testing.T) {
	keys, next := newTestKeys(t), newTestKeys(t)
	first := jose.JSONWebKey{KeyID: "1", Key: keys.ed.Public()}
	second := jose.JSONWebKey{KeyID: "2", Key: next.ed.Public()}
	synctest.Test(t, func(t *testing.T) {
		var source issuer
		var errs []error
		source.publish(t, first)
		v := source.verifier(t, &errs)
		synctest.Wait() // for the first fetch
		old := sign(t, jwt.SigningMethodEdDSA, keys.ed, jwt.MapClaims{"sub": "a"}, "kid", "1")
		fresh := sign(t, jwt.SigningMethodEdDSA, next.ed, jwt.MapClaims{"sub": "a"}, "kid", "2")

		expect(t, v, old, nil)
		expect(t, v, fresh, auth.ErrTokenInvalid)
		source.publish(t, second)
		expect(t, v, fresh, auth.ErrTokenInvalid) // the floor
		expect(t, v, old, nil)
		if n := source.count(); n != 1 {
			t.Fatalf("%d fetches within the floor, want 1", n)
		}
		time.Sleep(10 * time.Second)
		expect(t, v, fresh, nil) // at once, by a fetch for the unknown id
		expect(t, v, old, auth.ErrTokenInvalid)
		if n := source.count(); n != 2 || len(errs) > 0 {
			t.Fatalf("%d fetches, errors %v; want 2 and none", n, errs)
		}
	})
}

func TestJWKSUnknownIDsAreRateLimited(t *testing.T) {
	keys := newTestKeys(t)
	synctest.Test(t, func(t *testing.T) {
		source := issuer{delay: time.Second}
		var errs []error
		source.publish(t, jose.JSONWebKey{KeyID: "1", Key: keys.ed.Public()})
		v := source.verifier(t, &errs)
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 60 * time.Millisecond) // over a minute
				token := sign(t, jwt.SigningMethodEdDSA, keys.ed, jwt.MapClaims{"sub": "a"}, "kid", fmt.Sprint("x", i))
				if _, err := v.Verify(t.Context(), token); !errors.Is(err, auth.ErrTokenInvalid) {
					t.Errorf("error = %v, want ErrTokenInvalid", err)
				}
			})
		}
		wg.Wait()
		if n := source.count(); n < 5 || n > 7 {
			t.Errorf("%d fetches in a minute, want one in ten seconds", n)
		}
	})
}

func TestJWKSIsShared(t *testing.T) {
	keys := newTestKeys(t)
	synctest.Test(t, func(t *testing.T) {
		source := issuer{delay: 5 * time.Second}
		var errs []error
		source.publish(t, jose.JSONWebKey{KeyID: "1", Key: keys.ed.Public()})
		v := source.verifier(t, &errs)
		token := sign(t, jwt.SigningMethodEdDSA, keys.ed, jwt.MapClaims{"sub": "a"}, "kid", "1")
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if _, err := v.Verify(t.Context(), token); err != nil {
					t.Error(err)
				}
			})
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := v.Verify(impatient, token); !errors.Is(err, auth.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v, want ErrUnavailable by deadline", err)
		}
		wg.Wait()
		if n := source.count(); n != 1 {
			t.Errorf("%d fetches for 101 tokens, want 1", n)
		}
	})
}

func TestJWKSOutage(t *testing.T) {
	keys := newTestKeys(t)
	synctest.Test(t, func(t *testing.T) {
		var source issuer
		var errs []error
		source.answer(http.StatusServiceUnavailable, nil)
		v := source.verifier(t, &errs)
		token := sign(t, jwt.SigningMethodEdDSA, keys.ed, jwt.MapClaims{"sub": "a"}, "kid", "1")
		synctest.Wait()
		expect(t, v, token, auth.ErrUnavailable) // not invalid: the client may try again
		if len(errs) != 1 || strings.Contains(errs[0].Error(), secret) {
			t.Fatalf("reported %v, want one error without the URL", errs)
		}

		source.publish(t, jose.JSONWebKey{KeyID: "1", Key: keys.ed.Public()})
		time.Sleep(10 * time.Second)
		expect(t, v, token, nil)

		source.answer(http.StatusInternalServerError, nil)
		time.Sleep(time.Hour)
		expect(t, v, token, nil) // old keys serve while the refresh fails
		synctest.Wait()
		if n := source.count(); n != 3 || len(errs) != 2 {
			t.Fatalf("%d fetches, errors %v; want 3 and 2", n, errs)
		}
		time.Sleep(23*time.Hour + time.Second)
		expect(t, v, token, auth.ErrUnavailable) // until they expire
	})
}

func TestJWKSRefreshServesCachedKeys(t *testing.T) {
	keys := newTestKeys(t)
	synctest.Test(t, func(t *testing.T) {
		var source issuer
		var errs []error
		source.publish(t, jose.JSONWebKey{KeyID: "1", Key: keys.ed.Public()})
		v := source.verifier(t, &errs)
		synctest.Wait()
		token := sign(t, jwt.SigningMethodEdDSA, keys.ed, jwt.MapClaims{"sub": "a"}, "kid", "1")
		source.publish(t, jose.JSONWebKey{KeyID: "2", Key: &keys.p256.PublicKey}) // 1 is revoked
		source.mu.Lock()
		source.delay = time.Second
		source.mu.Unlock()
		time.Sleep(10*time.Minute + time.Second)
		start := time.Now()
		expect(t, v, token, nil)
		if waited := time.Since(start); waited != 0 {
			t.Errorf("Verify waited %v for a refresh", waited)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		expect(t, v, token, auth.ErrTokenInvalid)
	})
}

func TestJWKSHostileAnswers(t *testing.T) {
	keys := newTestKeys(t)
	good, err := json.Marshal(jose.JSONWebKey{KeyID: "1", Key: keys.ed.Public()})
	if err != nil {
		t.Fatal(err)
	}
	private, err := json.Marshal(jose.JSONWebKey{KeyID: "1", Key: keys.ed})
	if err != nil {
		t.Fatal(err)
	}
	encryption, err := json.Marshal(jose.JSONWebKey{KeyID: "1", Key: keys.ed.Public(), Use: "enc"})
	if err != nil {
		t.Fatal(err)
	}
	shared := `{"kty":"oct","kid":"1","k":"` + b64(secret) + `"}`
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name, body string
			want       error
		}{
			{"valid", `{"keys":[` + string(good) + `]}`, nil},
			{"among unusable keys", `{"x":1,"keys":[null,1,{},{"kty":"EC","crv":"P-9"},{"kty":"RSA","n":"AQAB","e":"AQAB"},` + string(good) + `]}`, nil},
			{"private key", `{"keys":[` + string(private) + `]}`, auth.ErrTokenInvalid},
			{"for encryption", `{"keys":[` + string(encryption) + `]}`, auth.ErrTokenInvalid},
			{"shared secret", `{"keys":[` + shared + `]}`, auth.ErrTokenInvalid},
			{"no keys", `{"keys":[]}`, auth.ErrTokenInvalid},
			{"not a set", `{}`, auth.ErrUnavailable},
			{"a set in capitals", `{"KEYS":[` + string(good) + `]}`, auth.ErrUnavailable},
			{"also a set in capitals", `{"keys":[` + string(good) + `],"KEYS":[]}`, nil},
			{"HTML", `<html>`, auth.ErrUnavailable},
			{"over 1 MiB", `{"keys":[` + string(good) + `],"x":"` + strings.Repeat("x", 1<<20) + `"}`, auth.ErrUnavailable},
			{"101 keys", `{"keys":[` + strings.Repeat("1,", 100) + string(good) + `]}`, auth.ErrUnavailable},
		} {
			var source issuer
			var errs []error
			source.answer(http.StatusOK, []byte(tt.body))
			v := source.verifier(t, &errs)
			synctest.Wait()
			token := sign(t, jwt.SigningMethodEdDSA, keys.ed, jwt.MapClaims{"sub": "a"}, "kid", "1")
			if _, err := v.Verify(t.Context(), token); !errors.Is(err, tt.want) {
				t.Errorf("%s: error = %v, want %v", tt.name, err, tt.want)
			}
			hmac := sign(t, jwt.SigningMethodHS256, []byte(secret), jwt.MapClaims{"sub": "a"}, "kid", "1")
			expect(t, v, hmac, auth.ErrTokenInvalid)
			v.Close()
		}
	})
}

func TestJWKSCloseAndTimeout(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	token := sign(t, jwt.SigningMethodEdDSA, key, jwt.MapClaims{"sub": "a"}, "kid", "1")
	synctest.Test(t, func(t *testing.T) {
		source := issuer{delay: time.Hour}
		var errs []error
		v := source.verifier(t, &errs)
		start := time.Now()
		expect(t, v, token, auth.ErrUnavailable)
		if waited := time.Since(start); waited != 10*time.Second {
			t.Errorf("the fetch timed out after %v, want 10s", waited)
		}
		time.Sleep(time.Minute)
		go func() {
			time.Sleep(time.Second)
			v.Close()
		}()
		start = time.Now()
		expect(t, v, token, auth.ErrUnavailable)
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("Close ended the fetch after %v, want 1s", waited)
		}
		v.Close()
		expect(t, v, token, auth.ErrUnavailable)
		if source.count() != 2 {
			t.Errorf("%d fetches, want none after Close", source.count())
		}
	})
}
