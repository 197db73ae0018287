package auth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/waittest"
)

func TestMain(m *testing.M) { os.Exit(waittest.Run(m)) }

const secret = "a-secret-of-no-less-than-32-bytes"

func verifier(t testing.TB, opts auth.Options) *auth.Verifier {
	t.Helper()
	v, err := auth.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// sign signs a token with any header, claims and key, independently of Sign.
func sign(t testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims, header ...string) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	for i := 0; i < len(header); i += 2 {
		token.Header[header[i]] = header[i+1]
	}
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func hs256(t testing.TB, claims jwt.MapClaims) string {
	return sign(t, jwt.SigningMethodHS256, []byte(secret), claims)
}

// number returns a claim that is encoded exactly as text.
func number(text string) json.RawMessage { return json.RawMessage(text) }

// check fails the test unless err is want and does not quote the token.
func check(t *testing.T, err, want error, token string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error = %v, want %v", err, want)
	}
	if err == nil {
		return
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) >= 8 && strings.Contains(err.Error(), part) {
			t.Fatalf("error %q quotes the token", err)
		}
	}
	if strings.Contains(err.Error(), secret) {
		t.Fatalf("error %q quotes the secret", err)
	}
}

func TestVerifyTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().Unix()
		for _, tt := range []struct {
			name   string
			leeway time.Duration
			claims jwt.MapClaims
			want   error
		}{
			{"no exp", 0, jwt.MapClaims{}, nil},
			{"fresh", 0, jwt.MapClaims{"exp": now + 1}, nil},
			{"within the leeway", 0, jwt.MapClaims{"exp": now - 29}, nil},
			{"at the end of the leeway", 0, jwt.MapClaims{"exp": now - 30}, auth.ErrTokenExpired},
			{"own leeway", time.Minute, jwt.MapClaims{"exp": now - 59}, nil},
			{"no leeway", -1, jwt.MapClaims{"exp": now}, auth.ErrTokenExpired},
			{"nbf within the leeway", 0, jwt.MapClaims{"nbf": now + 30}, nil},
			{"nbf after it", 0, jwt.MapClaims{"nbf": now + 31}, auth.ErrTokenInvalid},
			{"expired and not valid yet", 0, jwt.MapClaims{"exp": now - 99, "nbf": now + 99}, auth.ErrTokenInvalid},
			{"iat in the future", 0, jwt.MapClaims{"iat": now + 999}, nil},
			{"exp is a string", 0, jwt.MapClaims{"exp": "tomorrow"}, auth.ErrTokenInvalid},
			{"exp is null", 0, jwt.MapClaims{"exp": nil}, auth.ErrTokenInvalid},
			{"exp is a number in a string", 0, jwt.MapClaims{"exp": fmt.Sprint(now + 99)}, auth.ErrTokenInvalid},
			{"exp is an object", 0, jwt.MapClaims{"exp": map[string]any{}}, auth.ErrTokenInvalid},
			{"exp is true", 0, jwt.MapClaims{"exp": true}, auth.ErrTokenInvalid},
			{"exp is a list", 0, jwt.MapClaims{"exp": []int64{now + 99}}, auth.ErrTokenInvalid},
			{"exp is 0", 0, jwt.MapClaims{"exp": 0}, auth.ErrTokenExpired},
			{"exp is far", 0, jwt.MapClaims{"exp": number("9.2e18")}, nil},
			{"exp is farther", 0, jwt.MapClaims{"exp": number("9300000000000000000")}, nil},
			{"exp is farther still", 0, jwt.MapClaims{"exp": number("1e300")}, nil},
			{"exp is more than a float holds", 0, jwt.MapClaims{"exp": number("1e999")}, nil},
			{"exp is long past", 0, jwt.MapClaims{"exp": number("-1e300")}, auth.ErrTokenExpired},
			{"exp has a fraction", 0, jwt.MapClaims{"exp": float64(now) - 29.5}, nil},
			{"nbf is null", 0, jwt.MapClaims{"nbf": nil}, auth.ErrTokenInvalid},
			{"nbf is a number in a string", 0, jwt.MapClaims{"nbf": "1"}, auth.ErrTokenInvalid},
			{"nbf is far", 0, jwt.MapClaims{"nbf": number("1e19")}, auth.ErrTokenInvalid},
			{"nbf is farther", 0, jwt.MapClaims{"nbf": number("1e300")}, auth.ErrTokenInvalid},
			{"nbf is more than a float holds", 0, jwt.MapClaims{"nbf": number("1e999")}, auth.ErrTokenInvalid},
			{"nbf is long past", 0, jwt.MapClaims{"nbf": number("-1e19")}, nil},
			{"iat is of any type", 0, jwt.MapClaims{"iat": "1"}, nil},
			{"iat is null", 0, jwt.MapClaims{"iat": nil}, nil},
			{"iss and aud are of any type", 0, jwt.MapClaims{"iss": 1, "aud": map[string]any{}}, nil},
			{"other case", 0, jwt.MapClaims{"EXP": now - 99, "Nbf": now + 99}, nil},
		} {
			tt.claims["userId"] = "alice"
			v := verifier(t, auth.Options{Secret: []byte(secret), Leeway: tt.leeway})
			if _, err := v.Verify(t.Context(), hs256(t, tt.claims)); !errors.Is(err, tt.want) {
				t.Errorf("%s: error = %v, want %v", tt.name, err, tt.want)
			}
		}

		v := verifier(t, auth.Options{Secret: []byte(secret)})
		c, err := v.Verify(t.Context(), hs256(t, jwt.MapClaims{"sub": "a", "exp": now + 60}))
		if err != nil || c.ExpiresAt.Unix() != now+90 {
			t.Errorf("ExpiresAt = %v, %v; want exp plus 30 s", c.ExpiresAt, err)
		}
		c, err = v.Verify(t.Context(), hs256(t, jwt.MapClaims{"sub": "a", "exp": number("1e300")}))
		if left := time.Until(c.ExpiresAt); err != nil || left < 100*365*24*time.Hour {
			t.Errorf("ExpiresAt = %v, in %v, %v; want far in the future", c.ExpiresAt, left, err)
		}
		if c, err = v.Verify(t.Context(), hs256(t, jwt.MapClaims{"sub": "a"})); err != nil || !c.ExpiresAt.IsZero() {
			t.Errorf("ExpiresAt = %v, %v; want zero", c.ExpiresAt, err)
		}
	})
}

func TestVerifyRefuses(t *testing.T) {
	expired := time.Now().Add(-time.Hour).Unix()
	good := hs256(t, jwt.MapClaims{"userId": "alice"})
	old := hs256(t, jwt.MapClaims{"userId": "alice", "exp": expired})
	header, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")

	for _, tt := range []struct {
		name, token string
		want        error
	}{
		{"missing", "", auth.ErrTokenMissing},
		{"expired", old, auth.ErrTokenExpired},
		{"expired and badly signed", old[:len(old)-4] + "AAAA", auth.ErrTokenInvalid},
		{"expired, with another secret", sign(t, jwt.SigningMethodHS256, []byte("another"), jwt.MapClaims{"sub": "a", "exp": expired}), auth.ErrTokenInvalid},
		{"expired, without a user", hs256(t, jwt.MapClaims{"exp": expired}), auth.ErrTokenInvalid},
		{"badly signed", good[:len(good)-4] + "AAAA", auth.ErrTokenInvalid},
		{"unsigned", header + "." + payload + ".", auth.ErrTokenInvalid},
		{"alg none", sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, jwt.MapClaims{"sub": "a"}), auth.ErrTokenInvalid},
		{"alg none with a signature", b64(`{"alg":"none"}`) + "." + payload + "." + signature, auth.ErrTokenInvalid},
		{"alg None", b64(`{"alg":"None"}`) + "." + payload + ".", auth.ErrTokenInvalid},
		{"alg hs256", b64(`{"alg":"hs256"}`) + "." + payload + "." + signature, auth.ErrTokenInvalid},
		{"alg missing", b64(`{}`) + "." + payload + "." + signature, auth.ErrTokenInvalid},
		{"alg a number", b64(`{"alg":256}`) + "." + payload + "." + signature, auth.ErrTokenInvalid},
		{"alg RS256 without such a key", b64(`{"alg":"RS256"}`) + "." + payload + "." + signature, auth.ErrTokenInvalid},
		{"critical header", sign(t, jwt.SigningMethodHS256, []byte(secret), jwt.MapClaims{"sub": "a"}, "crit", "b64"), auth.ErrTokenInvalid},
		{"header null", b64(`null`) + "." + payload + "." + signature, auth.ErrTokenInvalid},
		{"payload null", header + "." + b64(`null`) + "." + signature, auth.ErrTokenInvalid},
		{"payload an array", header + "." + b64(`["secret-text"]`) + "." + signature, auth.ErrTokenInvalid},
		{"not base64", "%%%%%%%%." + payload + "." + signature, auth.ErrTokenInvalid},
		{"no dots", "supersecret-token", auth.ErrTokenInvalid},
		{"a million dots", strings.Repeat(".", 1e6), auth.ErrTokenInvalid},
		{"16,384 dots", strings.Repeat(".", auth.MaxTokenLength), auth.ErrTokenInvalid},
		{"too long", hs256(t, jwt.MapClaims{"sub": "a", "x": strings.Repeat("x", auth.MaxTokenLength)}), auth.ErrTokenInvalid},
		{"deeply nested", header + "." + b64(strings.Repeat("[", 11000)) + "." + signature, auth.ErrTokenInvalid},
		{"with Bearer", "Bearer " + good, auth.ErrTokenInvalid},
		{"valid", good, nil},
		{"almost too long", hs256(t, jwt.MapClaims{"sub": "a", "x": strings.Repeat("x", auth.MaxTokenLength*3/4-200)}), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := verifier(t, auth.Options{Secret: []byte(secret)}).Verify(t.Context(), tt.token)
			check(t, err, tt.want, tt.token)
		})
	}
}

func TestIssuerAndAudience(t *testing.T) {
	past := time.Now().Add(-time.Hour).Unix()
	for _, tt := range []struct {
		name   string
		claims jwt.MapClaims
		want   error
	}{
		{"both", jwt.MapClaims{"iss": "shop", "aud": "puente"}, nil},
		{"list of audiences", jwt.MapClaims{"iss": "shop", "aud": []string{"x", "puente"}}, nil},
		{"other issuer", jwt.MapClaims{"iss": "shop2", "aud": "puente"}, auth.ErrTokenInvalid},
		{"other audience", jwt.MapClaims{"iss": "shop", "aud": "puente2"}, auth.ErrTokenInvalid},
		{"no issuer", jwt.MapClaims{"aud": "puente"}, auth.ErrTokenInvalid},
		{"no audience", jwt.MapClaims{"iss": "shop"}, auth.ErrTokenInvalid},
		{"other audience, expired", jwt.MapClaims{"iss": "shop", "aud": "x", "exp": past}, auth.ErrTokenInvalid},
		{"no issuer, expired", jwt.MapClaims{"aud": "puente", "exp": past}, auth.ErrTokenInvalid},
		{"expired", jwt.MapClaims{"iss": "shop", "aud": "puente", "exp": past}, auth.ErrTokenExpired},
		{"audiences of several types", jwt.MapClaims{"iss": "shop", "aud": []any{1, nil, "puente"}}, nil},
		{"audience null", jwt.MapClaims{"iss": "shop", "aud": nil}, auth.ErrTokenInvalid},
		{"issuer a number", jwt.MapClaims{"iss": 1, "aud": "puente"}, auth.ErrTokenInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.claims["sub"] = "alice"
			token := hs256(t, tt.claims)
			v := verifier(t, auth.Options{Secret: []byte(secret), Issuer: "shop", Audience: "puente"})
			_, err := v.Verify(t.Context(), token)
			check(t, err, tt.want, token)
		})
	}
}

func TestSecretRotation(t *testing.T) {
	v := verifier(t, auth.Options{Secret: []byte("new secret"), PreviousSecret: []byte(secret)})
	for _, tt := range []struct {
		secret string
		want   error
	}{{"new secret", nil}, {secret, nil}, {"older secret", auth.ErrTokenInvalid}} {
		token := sign(t, jwt.SigningMethodHS512, []byte(tt.secret), jwt.MapClaims{"sub": "a"})
		_, err := v.Verify(t.Context(), token)
		check(t, err, tt.want, token)
	}
}

// TestAlgorithmsByKind signs a token with every algorithm and every key that supports
// it, and verifies each with every kind of key.
func TestAlgorithmsByKind(t *testing.T) {
	keys := newTestKeys(t)
	type signer struct {
		kind   string
		method jwt.SigningMethod
		key    any
	}
	signers := []signer{
		{"secret", jwt.SigningMethodHS256, []byte(secret)},
		{"secret", jwt.SigningMethodHS384, []byte(secret)},
		{"secret", jwt.SigningMethodHS512, []byte(secret)},
		{"rsa", jwt.SigningMethodRS256, keys.rsa},
		{"rsa", jwt.SigningMethodRS384, keys.rsa},
		{"rsa", jwt.SigningMethodRS512, keys.rsa},
		{"rsa", jwt.SigningMethodPS256, keys.rsa},
		{"rsa", jwt.SigningMethodPS512, keys.rsa},
		{"p256", jwt.SigningMethodES256, keys.p256},
		{"p384", jwt.SigningMethodES384, keys.p384},
		{"ed25519", jwt.SigningMethodEdDSA, keys.ed},
		// No verifier may accept these: public keys used as secrets.
		{"nobody", jwt.SigningMethodHS256, pemOf(t, &keys.rsa.PublicKey)},
		{"nobody", jwt.SigningMethodHS256, pemOf(t, &keys.p256.PublicKey)},
		{"nobody", jwt.SigningMethodHS256, []byte(keys.ed.Public().(ed25519.PublicKey))},
		{"nobody", jwt.SigningMethodHS256, []byte(strings.TrimSpace(string(pemOf(t, &keys.rsa.PublicKey))))},
	}
	for kind, v := range map[string]*auth.Verifier{
		"secret":  verifier(t, auth.Options{Secret: []byte(secret)}),
		"rsa":     verifier(t, auth.Options{PublicKeyPEM: pemOf(t, &keys.rsa.PublicKey)}),
		"p256":    verifier(t, auth.Options{PublicKeyPEM: pemOf(t, &keys.p256.PublicKey)}),
		"p384":    verifier(t, auth.Options{PublicKeyPEM: pemOf(t, &keys.p384.PublicKey)}),
		"ed25519": verifier(t, auth.Options{PublicKeyPEM: pemOf(t, keys.ed.Public())}),
	} {
		for _, s := range signers {
			token := sign(t, s.method, s.key, jwt.MapClaims{"sub": "a"}, "kid", "any")
			want := auth.ErrTokenInvalid
			if s.kind == kind {
				want = nil
			}
			t.Run(kind+" shown "+s.kind+" "+s.method.Alg(), func(t *testing.T) {
				_, err := v.Verify(t.Context(), token)
				check(t, err, want, token)
			})
		}
	}

	t.Run("several sources", func(t *testing.T) {
		both := append(pemOf(t, &keys.rsa.PublicKey), pemOf(t, &keys.p256.PublicKey)...)
		v := verifier(t, auth.Options{Secret: []byte(secret), PublicKeyPEM: both})
		for _, s := range signers {
			token := sign(t, s.method, s.key, jwt.MapClaims{"sub": "a"})
			var want error
			if s.kind != "secret" && s.kind != "rsa" && s.kind != "p256" {
				want = auth.ErrTokenInvalid
			}
			_, err := v.Verify(t.Context(), token)
			check(t, err, want, token)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	keys := newTestKeys(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(keys.rsa)})
	for name, opts := range map[string]auth.Options{
		"nothing":          {},
		"previous only":    {PreviousSecret: []byte(secret)},
		"PEM as secret":    {Secret: pemOf(t, &keys.rsa.PublicKey)},
		"PEM as previous":  {Secret: []byte(secret), PreviousSecret: pemOf(t, &keys.rsa.PublicKey)},
		"not PEM":          {PublicKeyPEM: []byte(secret)},
		"private key":      {PublicKeyPEM: private},
		"broken key":       {PublicKeyPEM: []byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")},
		"RSA of 1024 bits": {PublicKeyPEM: pemOf(t, &small.PublicKey)},
		"P-224":            {PublicKeyPEM: pemOf(t, &p224.PublicKey)},
		"JWKS file":        {JWKSURL: "file:///etc/" + secret},
		"JWKS no host":     {JWKSURL: "https:///x"},
		"JWKS not a URL":   {JWKSURL: "http://user:" + secret + "@[::1"},
	} {
		v, err := auth.New(opts)
		if err == nil || v != nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), secret) || !strings.HasPrefix(err.Error(), "auth: ") {
			t.Errorf("%s: error %q", name, err)
		}
	}
	if _, err := auth.New(auth.Options{Issuer: "shop"}); !errors.Is(err, auth.ErrNoKey) {
		t.Errorf("error = %v, want ErrNoKey", err)
	}
}

func TestCode(t *testing.T) {
	v := verifier(t, auth.Options{Secret: []byte(secret)})
	_, invalid := v.Verify(t.Context(), "x")
	_, missing := v.Verify(t.Context(), "")
	_, expired := v.Verify(t.Context(), hs256(t, jwt.MapClaims{"sub": "a", "exp": 1}))
	for want, err := range map[string]error{
		"token_invalid": invalid, "token_missing": missing, "token_expired": expired,
		"unavailable": auth.ErrUnavailable, "": context.Canceled,
	} {
		if got := auth.Code(err); got != want {
			t.Errorf("Code(%v) = %q, want %q", err, got, want)
		}
	}
}

type testKeys struct {
	rsa        *rsa.PrivateKey
	p256, p384 *ecdsa.PrivateKey
	ed         ed25519.PrivateKey
}

func newTestKeys(t testing.TB) testKeys {
	t.Helper()
	var k testKeys
	var errs [4]error
	k.rsa, errs[0] = rsa.GenerateKey(rand.Reader, 2048)
	k.p256, errs[1] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	k.p384, errs[2] = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, k.ed, errs[3] = ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return k
}

func pemOf(t testing.TB, public any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
