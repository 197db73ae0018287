// Package auth verifies the JSON Web Tokens (RFC 7519) that authenticate clients, and
// signs such tokens for development.
//
// A verifier does not trust the algorithm that a token names: each key has the
// algorithms of its kind, and a token is refused if no key has its algorithm (RFC
// 8725 section 3.1).
//
//	kind of key        source                          algorithms
//	shared secret      Secret, PreviousSecret          HS256 HS384 HS512
//	RSA                PublicKeyPEM, JWKSURL           RS256 RS384 RS512 PS256 PS384 PS512
//	ECDSA              PublicKeyPEM, JWKSURL           ES256, ES384 or ES512, by its curve
//	Ed25519            PublicKeyPEM, JWKSURL           EdDSA
//
// No error of this package contains a secret, a token or a part of one.
//
// # Libraries
//
// golang-jwt verifies tokens. It does not parse key sets, which go-jose does; the cache
// of a set is here. No single library does both as this package needs it: keyfunc and
// jwkset, made for golang-jwt, keep one key for each id, although RFC 7517 section 4.5
// allows several of different kinds. For a token with an unknown key id they wait until
// they may fetch the set again, although such a token should be refused at once.
package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// MaxTokenLength is the maximum length of a token, in bytes. Longer tokens are
	// refused without being parsed.
	MaxTokenLength = 16 << 10

	// DefaultLeeway is the tolerated difference between the clocks of issuer and
	// server.
	DefaultLeeway = 30 * time.Second
)

var (
	// ErrTokenMissing is returned for an empty token.
	ErrTokenMissing = errors.New("auth: token missing")

	// ErrTokenInvalid is returned for a token that this server does not accept. A
	// retry with the same token fails too, unless the token is not valid yet, or is
	// signed with a key that the server does not have yet.
	ErrTokenInvalid = errors.New("auth: token invalid")

	// ErrTokenExpired is returned for a token that is valid except that it has
	// expired.
	ErrTokenExpired = errors.New("auth: token expired")

	// ErrUnavailable is returned if the token could not be verified because the key
	// set at JWKSURL could not be fetched. The client may retry.
	ErrUnavailable = errors.New("auth: key set unavailable")

	// ErrNoKey is returned by [New] if Options contain no source of keys.
	ErrNoKey = errors.New("auth: no secret, public key or JWKS URL")
)

// Code returns the code that clients get for an error of [Verifier.Verify]:
// "token_missing", "token_invalid", "token_expired" or "unavailable". It returns ""
// for any other error.
func Code(err error) string {
	switch {
	case errors.Is(err, ErrTokenMissing):
		return "token_missing"
	case errors.Is(err, ErrTokenInvalid):
		return "token_invalid"
	case errors.Is(err, ErrTokenExpired):
		return "token_expired"
	case errors.Is(err, ErrUnavailable):
		return "unavailable"
	}
	return ""
}

// Options configures a [Verifier]. At least one source of keys is required; several
// may be combined.
type Options struct {
	// Secret is shared with the issuer. RFC 7518 section 3.2 requires at least 32
	// bytes; shorter secrets are accepted nevertheless. Default: none.
	Secret []byte

	// PreviousSecret is accepted besides Secret during a rotation. Default: none.
	PreviousSecret []byte

	// PublicKeyPEM holds one or more public keys or certificates. Default: none.
	PublicKeyPEM []byte

	// JWKSURL is the http or https URL of the issuer's public keys (RFC 7517).
	// Default: none.
	JWKSURL string

	// Issuer, if set, must equal the claim iss. Default: any.
	Issuer string

	// Audience, if set, must be one of the values of the claim aud. Default: any.
	Audience string

	// Leeway is the tolerance for exp and nbf. Negative: none. Default: DefaultLeeway.
	Leeway time.Duration

	// HTTPClient fetches JWKSURL. Default: a client without keep-alive that uses the
	// proxies of the environment.
	HTTPClient *http.Client

	// OnFetchError, if set, is called when JWKSURL could not be fetched, at most once
	// every ten seconds, on a goroutine of the Verifier. It must not call Close.
	// Default: none.
	OnFetchError func(error)
}

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	parser *jwt.Parser
	leeway time.Duration
	static []key
	remote *keySet // nil if there is no JWKSURL
}

// New returns a Verifier. It fails with ErrNoKey if opts has no source of keys, and
// with another error if a key or the URL is not usable. If JWKSURL is set, New starts
// to fetch it in the background, and the caller must call Close.
func New(opts Options) (*Verifier, error) {
	static, err := staticKeys(opts)
	if err != nil {
		return nil, err
	}
	if len(static) == 0 && opts.JWKSURL == "" {
		return nil, ErrNoKey
	}
	v := &Verifier{static: static, leeway: opts.Leeway}
	switch {
	case v.leeway == 0:
		v.leeway = DefaultLeeway
	case v.leeway < 0:
		v.leeway = 0
	}
	rules := []jwt.ParserOption{jwt.WithLeeway(v.leeway), jwt.WithIssuer(opts.Issuer)}
	if opts.Audience != "" {
		rules = append(rules, jwt.WithAudience(opts.Audience))
	}
	v.parser = jwt.NewParser(rules...)
	if opts.JWKSURL != "" {
		if v.remote, err = newKeySet(opts.JWKSURL, opts.HTTPClient, opts.OnFetchError); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// Close cancels a fetch in progress and waits for it. Verify must not be called
// afterwards. Close may be called more than once.
func (v *Verifier) Close() {
	if v.remote != nil {
		v.remote.close()
	}
}

// Verify verifies a token in compact serialization (RFC 7515 section 7.1) and
// returns its claims. It blocks only while it fetches the key set, because the one
// that it has lacks the token's key, and at most until ctx is done.
//
// Verify fails with ErrTokenMissing, ErrTokenInvalid, ErrTokenExpired or
// ErrUnavailable, with a reason for the log in the error text. A token that has
// expired and has another fault is invalid. A token without exp does not expire.
func (v *Verifier) Verify(ctx context.Context, token string) (Claims, error) {
	if token == "" {
		return Claims{}, ErrTokenMissing
	}
	if len(token) > MaxTokenLength {
		return Claims{}, fmt.Errorf("%w: longer than %d bytes", ErrTokenInvalid, MaxTokenLength)
	}
	var p payload
	_, err := v.parser.ParseWithClaims(token, &p, func(t *jwt.Token) (any, error) {
		return v.keysFor(ctx, t.Header)
	})
	if err != nil {
		return Claims{}, publicError(err)
	}
	return p.claims(v.leeway), nil
}

// keysFor returns the keys to verify a token with this header with.
func (v *Verifier) keysFor(ctx context.Context, header map[string]any) (any, error) {
	if _, ok := header["crit"]; ok { // RFC 7515 section 4.1.11; no extension is supported
		return nil, errCritical
	}
	alg, _ := header["alg"].(string)
	kid, _ := header["kid"].(string)
	// A static key has no id, so it is tried for every kid.
	usable := candidates(v.static, "", alg)
	if v.remote != nil && asymmetric(alg) {
		fetched, err := v.remote.lookup(ctx, kid, alg)
		if err != nil && len(usable) == 0 {
			return nil, err
		}
		usable = append(usable, fetched...)
	}
	if len(usable) == 0 {
		return nil, errAlgorithm
	}
	return jwt.VerificationKeySet{Keys: usable}, nil
}
