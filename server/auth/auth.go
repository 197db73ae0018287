// Package auth verifies the JSON Web Tokens (RFC 7519) by which clients say who
// they are, and signs such tokens for development.
//
// A token names its own algorithm, so the verifier never asks the token what to
// do with a key: every key has the algorithms of its kind, and a token whose
// algorithm no key has is refused (RFC 8725 section 3.1).
//
//	kind of key        where it comes from             algorithms
//	shared secret      Secret, PreviousSecret          HS256 HS384 HS512
//	RSA                PublicKeyPEM, JWKSURL           RS256 RS384 RS512 PS256 PS384 PS512
//	ECDSA              PublicKeyPEM, JWKSURL           ES256, ES384 or ES512, by its curve
//	Ed25519            PublicKeyPEM, JWKSURL           EdDSA
//
// No error of this package repeats a secret, a token or a part of one.
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
	// MaxTokenLength is the greatest length of a token, in bytes. Longer ones are
	// refused unread.
	MaxTokenLength = 16 << 10

	// DefaultLeeway is how far the clocks of issuer and server may be apart.
	DefaultLeeway = 30 * time.Second
)

var (
	// ErrTokenMissing says that the token is empty.
	ErrTokenMissing = errors.New("auth: token missing")

	// ErrTokenInvalid says that a token is not one that this server accepts, and
	// never will be.
	ErrTokenInvalid = errors.New("auth: token invalid")

	// ErrTokenExpired says that a token was good in every respect until it expired.
	ErrTokenExpired = errors.New("auth: token expired")

	// ErrUnavailable says that the token could not be judged, because the key set
	// behind JWKSURL could not be fetched. The client may try again.
	ErrUnavailable = errors.New("auth: key set unavailable")

	// ErrNoKey says that Options name no key to verify tokens with.
	ErrNoKey = errors.New("auth: no secret, public key or JWKS URL")
)

// Code returns what a client is told about an error of [Verifier.Verify]:
// "token_missing", "token_invalid", "token_expired" or "unavailable". It is empty
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

// Options say which tokens to accept. At least one source of keys is needed;
// several may be given together.
type Options struct {
	// Secret is shared with the issuer. RFC 7518 section 3.2 wants at least 32
	// bytes; shorter ones are accepted. Default: none.
	Secret []byte

	// PreviousSecret is accepted beside Secret while the issuers change over.
	// Default: none.
	PreviousSecret []byte

	// PublicKeyPEM holds one or more public keys or certificates. Default: none.
	PublicKeyPEM []byte

	// JWKSURL is where the issuer publishes its public keys (RFC 7517), over http
	// or https. Default: none.
	JWKSURL string

	// Issuer, where set, must equal the claim iss. Default: any.
	Issuer string

	// Audience, where set, must be one of the claim aud. Default: any.
	Audience string

	// Leeway is granted on exp and nbf. Negative: none. Default: DefaultLeeway.
	Leeway time.Duration

	// HTTPClient fetches JWKSURL. Default: a client without keep-alive, through the
	// proxies that the environment names.
	HTTPClient *http.Client

	// OnFetchError, where set, is told why JWKSURL could not be fetched. It is
	// called at most once in ten seconds, from a goroutine of the Verifier, and must
	// not call Close. Default: none.
	OnFetchError func(error)
}

// Verifier checks tokens. It is safe for concurrent use.
type Verifier struct {
	parser *jwt.Parser
	leeway time.Duration
	static []key
	remote *keySet // nil without JWKSURL
}

// New returns a Verifier. It fails with ErrNoKey if opts has no source of keys,
// and with a description if a key or the URL cannot be used. If JWKSURL is set, New
// starts to fetch it, without waiting, and Close must be called.
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

// Close ends a fetch that is under way and waits for it. Verify must not be
// called afterwards. Close may be called more than once.
func (v *Verifier) Close() {
	if v.remote != nil {
		v.remote.close()
	}
}

// Verify checks a token in compact serialization (RFC 7515 section 7.1) and
// returns what it claims. It waits only for a key set that does not have the
// token's key yet, and not longer than ctx.
//
// It fails with ErrTokenMissing, ErrTokenInvalid, ErrTokenExpired or
// ErrUnavailable, wrapped in a reason for the log. A token that has expired and is
// wrong in another way too is invalid. A token without exp does not expire.
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
		return Claims{}, verdict(err)
	}
	return p.claims(v.leeway), nil
}

// keysFor returns the keys that may have signed a token with this header.
func (v *Verifier) keysFor(ctx context.Context, header map[string]any) (any, error) {
	if _, ok := header["crit"]; ok { // RFC 7515 section 4.1.11; we understand no extension
		return nil, errCritical
	}
	alg, _ := header["alg"].(string)
	kid, _ := header["kid"].(string)
	// A static key has no id: whatever kid the issuer writes, it is meant.
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
