package handlers

import (
	"context"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// joinRoom takes {roomId} or the bare roomId and replies {success, roomId, users,
// total, timestamp}. When the user joins with its first device, the other members get
// user-joined and user-presence "online". The reply is ordered among these events: the
// client gets all later ones and no earlier one.
func joinRoom(svc *realtime.Service, r replyEvent) socketio.Handler {
	return socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		room, err := realtime.ParseRoom(e.Arg(0))
		if err != nil {
			return err
		}
		if err := svc.AuthorizeJoin(ctx, s, room); err != nil {
			return err
		}
		return svc.AnswerJoin(ctx, s, room, func(joined realtime.RoomJoined) {
			e.Post(joined)
			if !e.WantsAck() {
				s.Post(r.name, joined)
			}
		})
	})
}
