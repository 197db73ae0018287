package handlers

import (
	"context"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// authenticateRequest is {token, userId?}: a JSON Web Token, and the user that
// it must be of.
type authenticateRequest struct {
	Token  socketio.Value `json:"token"`
	UserID socketio.Value `json:"userId"`
}

// authenticate registers the socket to the user of a token. It answers
// {success, userId, socketId, timestamp}, as the event authenticated too. On a
// socket that has a user a fresh token of the same user replaces the old one.
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
