package auth

import (
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// Reasons for ErrTokenInvalid that golang-jwt has no error for.
var (
	errAlgorithm  = errors.New("no key for its algorithm")
	errCritical   = errors.New("unsupported critical header parameters")
	errUnknownKey = errors.New("unknown key id")
	errNoUser     = errors.New("no valid userId or sub")
	errRooms      = errors.New("rooms is not a list of names")
	errDate       = errors.New("exp or nbf is not a number")
)

// publicError converts an error of golang-jwt to an error of this package. It uses
// fixed texts, because golang-jwt quotes from the token.
func publicError(err error) error {
	if errors.Is(err, ErrUnavailable) {
		var cause *fetchError
		if errors.As(err, &cause) {
			return cause
		}
		return ErrUnavailable
	}
	for _, known := range []struct {
		err    error
		reason string
	}{
		{errAlgorithm, errAlgorithm.Error()},
		{errCritical, errCritical.Error()},
		{errUnknownKey, errUnknownKey.Error()},
		{errNoUser, errNoUser.Error()},
		{errRooms, errRooms.Error()},
		{errDate, errDate.Error()},
		{jwt.ErrTokenMalformed, "malformed"},
		{jwt.ErrTokenUnverifiable, "unknown algorithm"},
		{jwt.ErrTokenSignatureInvalid, "bad signature"},
		{jwt.ErrTokenNotValidYet, "not valid yet"},
		{jwt.ErrTokenInvalidIssuer, "wrong issuer"},
		{jwt.ErrTokenInvalidAudience, "wrong audience"},
		{jwt.ErrTokenRequiredClaimMissing, "no issuer or audience"},
	} {
		if errors.Is(err, known.err) {
			return fmt.Errorf("%w: %s", ErrTokenInvalid, known.reason)
		}
	}
	// Last, because golang-jwt reports all faults of the claims in one error.
	if errors.Is(err, jwt.ErrTokenExpired) {
		return ErrTokenExpired
	}
	return ErrTokenInvalid
}
