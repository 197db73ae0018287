package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/puente-io/puente/server/ident"
)

// Grant holds the claims of a token to [Sign].
type Grant struct {
	// UserID is required.
	UserID ident.ID

	// Roles become the claim roles. Default: none.
	Roles []string

	// Rooms become the claim rooms. An empty list that is not nil permits no room.
	// Default: no claim, which permits every room.
	Rooms []string

	// TTL is how long the token is valid from now. It must not be negative. Default:
	// the token does not expire.
	TTL time.Duration

	// Issuer and Audience become iss and aud. Default: no claim.
	Issuer, Audience string
}

// Sign returns a token signed with HS256. It is for development and tests: in
// production the application's backend issues tokens. It fails if the secret or the
// user id is empty or the TTL is negative.
func Sign(secret []byte, g Grant) (string, error) {
	switch {
	case len(secret) == 0:
		return "", errors.New("auth: sign: secret is empty")
	case g.UserID.IsZero():
		return "", errors.New("auth: sign: user id is empty")
	case g.TTL < 0:
		return "", fmt.Errorf("auth: sign: TTL is negative: %v", g.TTL)
	}
	now := time.Now()
	claims := jwt.MapClaims{"userId": g.UserID, "iat": now.Unix()}
	if len(g.Roles) > 0 {
		claims["roles"] = g.Roles
	}
	if g.Rooms != nil {
		claims["rooms"] = g.Rooms
	}
	if g.TTL > 0 {
		claims["exp"] = now.Add(g.TTL).Unix()
	}
	if g.Issuer != "" {
		claims["iss"] = g.Issuer
	}
	if g.Audience != "" {
		claims["aud"] = g.Audience
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
}
