package server

import (
	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/config"
)

// MintToken signs the development token that a command line asks for.
func MintToken(cmd config.Command) (string, error) {
	return auth.Sign([]byte(cmd.Config.JWTSecret.Reveal()), auth.Grant{
		UserID: cmd.Token.User, Roles: cmd.Token.Roles, Rooms: cmd.Token.Rooms, TTL: cmd.Token.TTL,
		Issuer: cmd.Config.JWTIssuer, Audience: cmd.Config.JWTAudience,
	})
}
