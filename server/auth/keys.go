package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// minRSABits is the minimum size of an RSA key (RFC 7518 section 3.3).
const minRSABits = 2048

// key verifies signatures.
type key struct {
	id         string // the key id (kid); "" if it has none
	algorithms []string
	material   jwt.VerificationKey
}

// newKey returns a key with the algorithms of its kind. It fails if the kind, curve
// or size is not supported.
func newKey(id string, material any) (key, error) {
	k := key{id: id, material: material}
	switch m := material.(type) {
	case []byte:
		k.algorithms = []string{"HS256", "HS384", "HS512"}
	case *rsa.PublicKey:
		if m.N.BitLen() < minRSABits {
			return key{}, fmt.Errorf("RSA key has %d bits, at least %d are required", m.N.BitLen(), minRSABits)
		}
		k.algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case *ecdsa.PublicKey:
		switch m.Curve {
		case elliptic.P256():
			k.algorithms = []string{"ES256"}
		case elliptic.P384():
			k.algorithms = []string{"ES384"}
		case elliptic.P521():
			k.algorithms = []string{"ES512"}
		default:
			return key{}, errors.New("ECDSA key is not on P-256, P-384 or P-521")
		}
	case ed25519.PublicKey:
		k.algorithms = []string{"EdDSA"}
	default:
		return key{}, errors.New("key is not RSA, ECDSA or Ed25519")
	}
	return k, nil
}

// asymmetric reports whether alg is an algorithm of a public key. A token with any
// other must not start a fetch.
func asymmetric(alg string) bool {
	switch alg {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA":
		return true
	}
	return false
}

// candidates returns the keys that have the algorithm and, unless id is "", the id.
// RFC 7517 section 4.5 allows keys of different kinds to share an id.
func candidates(keys []key, id, alg string) []jwt.VerificationKey {
	var found []jwt.VerificationKey
	for _, k := range keys {
		if (id == "" || k.id == id) && slices.Contains(k.algorithms, alg) {
			found = append(found, k.material)
		}
	}
	return found
}

// staticKeys returns the keys that opts contains.
func staticKeys(opts Options) ([]key, error) {
	if len(opts.Secret) == 0 && len(opts.PreviousSecret) > 0 {
		return nil, errors.New("auth: PreviousSecret requires Secret")
	}
	var keys []key
	for _, secret := range [][]byte{opts.Secret, opts.PreviousSecret} {
		if len(secret) == 0 {
			continue
		}
		// Anyone who knows a public key could sign with it as a secret (CVE-2015-9235).
		if bytes.Contains(secret, []byte("-----BEGIN ")) {
			return nil, errors.New("auth: secret is a PEM block: set PublicKeyPEM instead")
		}
		k, err := newKey("", bytes.Clone(secret))
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if len(opts.PublicKeyPEM) == 0 {
		return keys, nil
	}
	public, err := parsePEM(opts.PublicKeyPEM)
	if err != nil {
		return nil, fmt.Errorf("auth: public key: %w", err)
	}
	return append(keys, public...), nil
}

// parsePEM returns the keys of all PEM blocks in text. It fails if there is no block
// or one is not usable.
func parsePEM(text []byte) ([]key, error) {
	var keys []key
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		material, err := parseBlock(block)
		if err != nil {
			return nil, err
		}
		k, err := newKey("", material)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("no PEM block")
	}
	return keys, nil
}

func parseBlock(block *pem.Block) (any, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	}
	// The type is not quoted: it may be part of a secret that was set here by mistake.
	return nil, errors.New("PEM block is not a public key or a certificate")
}
