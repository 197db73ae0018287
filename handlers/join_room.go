package handlers

import (
	"context"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// joinRoom takes {roomId} or the bare roomId and answers {success, roomId,
// users, total, timestamp}. The others in the room get user-joined and
// user-presence "online" when the user comes with its first device. The answer has
// its place among these events: a client gets those that come behind it.
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
