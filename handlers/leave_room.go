package handlers

import (
	"context"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// leaveRoom takes {roomId} or the bare roomId and replies {success, roomId,
// timestamp}. When the user leaves with its last device, the other members get
// user-left and user-presence "offline".
func leaveRoom(svc *realtime.Service) func(context.Context, *socketio.Socket, socketio.Value) (realtime.RoomLeft, error) {
	return func(ctx context.Context, s *socketio.Socket, arg socketio.Value) (out realtime.RoomLeft, err error) {
		room, err := realtime.ParseRoom(arg)
		if err != nil {
			return out, err
		}
		return svc.LeaveRoom(ctx, s, room)
	}
}
