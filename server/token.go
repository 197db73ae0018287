package server

import (
	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/config"
)

// MintToken signs the development token that the command line describes. If
// JWT_SECRET is not set, it uses the secret of a development node that this user runs
// on this machine at Config.HTTPPort, and returns an error if there is none.
func MintToken(cmd config.Command) (_ string, err error) {
	if !cmd.Config.JWTSecret.IsSet() {
		if cmd, err = withRunSecret(cmd); err != nil {
			return "", err
		}
	}
	return auth.Sign([]byte(cmd.Config.JWTSecret.Reveal()), auth.Grant{
		UserID: cmd.Token.User, Roles: cmd.Token.Roles, Rooms: cmd.Token.Rooms, TTL: cmd.Token.TTL,
		Issuer: cmd.Config.JWTIssuer, Audience: cmd.Config.JWTAudience,
	})
}
