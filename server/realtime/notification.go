package realtime

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/socketio"
)

// Notification is a message for one user.
type Notification struct {
	// TargetUserID names the user.
	TargetUserID ident.ID `json:"targetUserId" validate:"id"`
	// Type is INFO, SUCCESS, ERROR, ALERT or WARNING.
	Type string `json:"type" validate:"oneof=INFO SUCCESS ERROR ALERT WARNING"`
	// Title has 1 to 100 characters, counted as Unicode code points.
	Title string `json:"title" validate:"min=1,max=100"`
	// Message has up to 500 characters.
	Message string `json:"message" validate:"max=500"`
	// Payload is nil, or a value that is encoded as a JSON object.
	Payload any `json:"payload" validate:"-"`
	// Priority is low, normal or high. Default: normal.
	Priority string `json:"priority" validate:"oneof=low normal high"`
	// From is the publishing user, the zero ID for a backend.
	From ident.ID `json:"-"`
}

// ParseNotification decodes and checks a notification as a client sends it:
// {targetUserId, type, title, message?, payload?, priority?}; userId stands for
// targetUserId. Errors are [*Error].
func ParseNotification(v socketio.Value) (*Notification, error) {
	in := struct {
		UserID       ident.ID       `json:"userId"`
		TargetUserID ident.ID       `json:"targetUserId" validate:"id"`
		Type         string         `json:"type" validate:"oneof=INFO SUCCESS ERROR ALERT WARNING"`
		Title        string         `json:"title" validate:"min=1,max=100"`
		Message      string         `json:"message" validate:"max=500"`
		Payload      socketio.Value `json:"payload" validate:"object"`
		Priority     string         `json:"priority" validate:"oneof=low normal high"`
	}{}
	if err := DecodeObject(v, &in); err != nil {
		return nil, err
	}
	if in.TargetUserID.IsZero() {
		in.TargetUserID = in.UserID
	}
	if in.Priority == "" {
		in.Priority = "normal"
	}
	if err := check(&in); err != nil {
		return nil, err
	}
	return &Notification{
		TargetUserID: in.TargetUserID, Type: in.Type, Title: in.Title, Message: in.Message,
		Payload: in.Payload, Priority: in.Priority,
	}, nil
}

// PublishNotification sends the notification to every device of its user, on
// any node; the answer tells whether there is one. For errors see
// [Service.PublishUpdate].
func (svc *Service) PublishNotification(ctx context.Context, n *Notification) (NotificationSent, error) {
	n, err := n.checked()
	if err != nil {
		return NotificationSent{}, err
	}
	now := time.Now()
	delivered, err := svc.SendToUser(ctx, n.TargetUserID, "notification", notificationEvent{n, now})
	if err != nil {
		return NotificationSent{}, err
	}
	return NotificationSent{Delivered: delivered, Timestamp: now}, nil
}

// PublishNotificationThen is PublishNotification that does not wait for the
// cluster to accept the notification, as [Service.PublishUpdateThen].
func (svc *Service) PublishNotificationThen(ctx context.Context, n *Notification, answer func(NotificationSent, error)) {
	n, err := n.checked()
	if err != nil {
		answer(NotificationSent{}, err)
		return
	}
	out := NotificationSent{Timestamp: time.Now()}
	user := n.TargetUserID.Key()
	var left atomic.Int32 // of what the answer needs
	left.Store(2)
	var failed error
	done := func() {
		switch {
		case left.Add(-1) > 0:
		case failed != nil:
			answer(NotificationSent{}, failed)
		default:
			answer(out, nil)
		}
	}
	connected := svc.presence.View().Connected(user)
	svc.emitThen(ctx, userRoom(user), func(err error) { failed = err; done() }, "notification", notificationEvent{n, out.Timestamp})
	out.Delivered = connected || svc.elsewhere(ctx, user)
	done()
}

// checked returns the notification with its defaults, if it is valid.
func (n *Notification) checked() (*Notification, error) {
	if n.Priority == "" {
		c := *n
		c.Priority = "normal"
		n = &c
	}
	return n, check(n)
}

// notificationEvent is the argument of the event notification. It encodes
// itself, since encoders by reflection reformat the payload's white space.
type notificationEvent struct {
	*Notification
	at time.Time
}

func (e notificationEvent) AppendArg(dst []byte, attachments [][]byte) (_ []byte, _ [][]byte, err error) {
	for _, field := range []struct {
		name  string
		value any
	}{
		{`{"type":`, e.Type},
		{`,"title":`, e.Title},
		{`,"message":`, e.Message},
		{`,"payload":`, e.Payload},
		{`,"priority":`, e.Priority},
	} {
		if dst, attachments, err = socketio.AppendArg(append(dst, field.name...), attachments, field.value); err != nil {
			return nil, nil, err
		}
	}
	dst = e.From.AppendJSON(append(dst, `,"from":`...))
	return append(appendTimestamp(dst, e.at), '}'), attachments, nil
}
