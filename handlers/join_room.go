package handlers

import (
	"context"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// joinRoom takes {roomId} or the bare roomId and answers {success, roomId,
// users, total, timestamp}. The others in the room get user-joined and
// user-presence "online" when the user comes with his first device.
func joinRoom(svc *realtime.Service) func(context.Context, *socketio.Socket, socketio.Value) (realtime.RoomJoined, error) {
	return func(ctx context.Context, s *socketio.Socket, arg socketio.Value) (out realtime.RoomJoined, err error) {
		room, err := realtime.ParseRoom(arg)
		if err != nil {
			return out, err
		}
		if err := svc.AuthorizeJoin(ctx, s, room); err != nil {
			return out, err
		}
		return svc.JoinRoom(ctx, s, room)
	}
}
