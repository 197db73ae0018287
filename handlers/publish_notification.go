package handlers

import (
	"context"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// publishNotification takes {targetUserId, type, title, message?, payload?,
// priority?} and replies {success, delivered, timestamp}. Every device of the user
// gets notification {type, title, message, payload, priority, from, timestamp}.
//
// The reply is sent when the cluster has accepted the notification; the socket's next
// event does not wait for it.
func publishNotification(svc *realtime.Service) func(context.Context, *socketio.Socket, socketio.Value, func(realtime.NotificationSent, error)) {
	return func(ctx context.Context, s *socketio.Socket, arg socketio.Value, answer func(realtime.NotificationSent, error)) {
		n, err := realtime.ParseNotification(arg)
		if err == nil {
			err = svc.AuthorizeNotification(ctx, s, n)
		}
		if err != nil {
			answer(realtime.NotificationSent{}, err)
			return
		}
		n.From = svc.Claims(s).UserID
		svc.PublishNotificationThen(ctx, n, answer)
	}
}
