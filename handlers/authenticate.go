package handlers

import (
	"context"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// authenticateRequest is {token, userId?}: a JSON Web Token and, optionally, the user
// that it must belong to.
type authenticateRequest struct {
	Token  socketio.Value `json:"token"`
	UserID socketio.Value `json:"userId"`
}

// authenticate registers the socket to the token's user. The reply is {success,
// userId, socketId, timestamp}; the event authenticated is sent as well. On a socket
// that is already authenticated, a token of the same user replaces the old one.
func authenticate(svc *realtime.Service) func(context.Context, *socketio.Socket, socketio.Value) (realtime.Authenticated, error) {
	return func(ctx context.Context, s *socketio.Socket, arg socketio.Value) (out realtime.Authenticated, err error) {
		var in authenticateRequest
		if err := realtime.DecodeObject(arg, &in); err != nil {
			return out, err
		}
		var user ident.ID
		if !in.UserID.IsNull() {
			if user, err = ident.Parse(in.UserID.JSON); err != nil {
				return out, realtime.Invalid("userId", ident.Allowed)
			}
		}
		return svc.Authenticate(ctx, s, in.Token, user)
	}
}
