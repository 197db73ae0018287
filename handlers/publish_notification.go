package handlers

import (
	"context"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// publishNotification takes {targetUserId, type, title, message?, payload?,
// priority?} and answers {success, delivered, timestamp}. Every device of the
// user gets notification {type, title, message, payload, priority, from,
// timestamp}.
func publishNotification(svc *realtime.Service) func(context.Context, *socketio.Socket, socketio.Value) (realtime.NotificationSent, error) {
	return func(ctx context.Context, s *socketio.Socket, arg socketio.Value) (out realtime.NotificationSent, err error) {
		n, err := realtime.ParseNotification(arg)
		if err != nil {
			return out, err
		}
		if err := svc.AuthorizeNotification(ctx, s, n); err != nil {
			return out, err
		}
		n.From = svc.Claims(s).UserID
		return svc.PublishNotification(ctx, n)
	}
}
