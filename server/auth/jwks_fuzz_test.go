package auth

import (
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// FuzzParseSet parses arbitrary key sets. Each key of the result must be public and
// have only algorithms of its kind.
func FuzzParseSet(f *testing.F) {
	b64 := base64.RawURLEncoding.EncodeToString
	p := elliptic.P256().Params()
	ec := `{"kty":"EC","crv":"P-256","kid":"e","x":"` + b64(p.Gx.Bytes()) + `","y":"` + b64(p.Gy.Bytes()) + `"}`
	okp := `{"kty":"OKP","crv":"Ed25519","kid":"o","use":"sig","x":"` + b64(make([]byte, ed25519.PublicKeySize)) + `"}`
	modulus := make([]byte, 256)
	modulus[0], modulus[255] = 0xff, 1
	rsa := `{"kty":"RSA","kid":"r","alg":"RS256","n":"` + b64(modulus) + `","e":"AQAB"}`
	for _, s := range []string{
		`{"keys":[` + ec + `,` + okp + `,` + rsa + `]}`, `{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`, `{"keys":[` + strings.Replace(rsa, "RS256", "HS256", 1) + `]}`,
		`{"keys":[` + strings.Replace(rsa, "RS256", "none", 1) + `]}`, `{"keys":null}`, `{"keys":[null,1,{}]}`, `{}`, `[]`, strings.Replace(`{"keys":[`+ec+`]}`, `"x":"`, `"x":"AA`, 1),
		`{"keys":[` + strings.TrimSuffix(strings.Repeat(ec+",", 101), ",") + `]}`, `{"keys":[{"kty":"RSA","n":"AQ","e":"Aw"}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := parseSet(body)
		if err != nil {
			if keys != nil {
				t.Errorf("%q: %v with %d keys", body, err, len(keys))
			}
			return
		}
		if !json.Valid(body) || len(keys) > jwksMaxKeys {
			t.Errorf("%q: %d keys", body, len(keys))
		}
		for _, k := range keys {
			for _, alg := range k.algorithms {
				if !asymmetric(alg) {
					t.Errorf("%q: a key for %s", body, alg)
				}
			}
			if fresh, err := newKey(k.id, k.material); err != nil || slices.ContainsFunc(k.algorithms, func(alg string) bool { return !slices.Contains(fresh.algorithms, alg) }) {
				t.Errorf("%q: key %T for %v, %v", body, k.material, k.algorithms, err)
			}
		}
	})
}
