package handlers

import (
	"context"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// publishUpdate takes {roomId, type, payload?} and answers {success, roomId,
// timestamp}. Everyone in the room, the publisher included where it is a
// member, gets update {roomId, type, payload, from, timestamp}.
func publishUpdate(svc *realtime.Service) func(context.Context, *socketio.Socket, socketio.Value) (realtime.UpdatePublished, error) {
	return func(ctx context.Context, s *socketio.Socket, arg socketio.Value) (out realtime.UpdatePublished, err error) {
		u, err := realtime.ParseUpdate(arg)
		if err != nil {
			return out, err
		}
		if err := svc.AuthorizeUpdate(ctx, s, u); err != nil {
			return out, err
		}
		u.From = svc.Claims(s).UserID
		return svc.PublishUpdate(ctx, u)
	}
}
