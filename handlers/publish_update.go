package handlers

import (
	"context"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// publishUpdate takes {roomId, type, payload?} and answers {success, roomId,
// timestamp}. Everyone in the room, the publisher included where it is a
// member, gets update {roomId, type, payload, from, timestamp}.
// The answer comes when the cluster has accepted the update; the next event of the
// socket does not wait for that.
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
