package handlers

import (
	"context"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// publishUpdate takes {roomId, type, payload?} and replies {success, roomId,
// timestamp}. All members of the room, including the publisher if it is one, get
// update {roomId, type, payload, from, timestamp}.
//
// The reply is sent when the cluster has accepted the update; the socket's next event
// does not wait for it.
func publishUpdate(svc *realtime.Service) func(context.Context, *socketio.Socket, socketio.Value, func(realtime.UpdatePublished, error)) {
	return func(ctx context.Context, s *socketio.Socket, arg socketio.Value, answer func(realtime.UpdatePublished, error)) {
		u, err := realtime.ParseUpdate(arg)
		if err == nil {
			err = svc.AuthorizeUpdate(ctx, s, u)
		}
		if err != nil {
			answer(realtime.UpdatePublished{}, err)
			return
		}
		u.From = svc.Claims(s).UserID
		svc.PublishUpdateThen(ctx, u, answer)
	}
}
