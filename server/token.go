package server

import (
	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/config"
)

// MintToken signs the development token that a command line asks for. Without a secret
// it looks for that of a node in development, at Config.HTTPPort of this machine, which
// this user has started.
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
