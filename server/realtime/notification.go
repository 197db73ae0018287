package realtime

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/socketio"
)

// Notification is a message for one user.
type Notification struct {
	// TargetUserID names the user.
	TargetUserID ident.ID
	// Type is INFO, SUCCESS, ERROR, ALERT or WARNING.
	Type string
	// Title has 1 to 100 characters, counted as Unicode code points.
	Title string
	// Message has up to 500 characters.
	Message string
	// Payload is nil, or a value that is encoded as a JSON object.
	Payload any
	// Priority is low, normal or high. Default: normal.
	Priority string
	// From is the publishing user, the zero ID for a backend.
	From ident.ID
}

// ParseNotification decodes and validates a notification as a client sends it:
// {targetUserId, type, title, message?, payload?, priority?}. The member targetUserId
// may also be called userId. Errors are [*Error].
func ParseNotification(v socketio.Value) (*Notification, error) {
	var in notificationFields
	if err := DecodeObject(v, &in); err != nil {
		return nil, err
	}
	if in.TargetUserID.IsZero() {
		in.TargetUserID = in.UserID
	}
	n := &Notification{
		TargetUserID: in.TargetUserID, Type: in.Type, Title: in.Title, Message: in.Message,
		Payload: in.Payload, Priority: in.Priority,
	}
	return n.checked()
}

// notificationFields are the fields of a notification; the tag allowed is for error texts.
type notificationFields struct {
	UserID       ident.ID       `json:"userId"`
	TargetUserID ident.ID       `json:"targetUserId"`
	Type         string         `json:"type" allowed:"one of INFO, SUCCESS, ERROR, ALERT, WARNING"`
	Title        string         `json:"title" allowed:"a string of 1 to 100 characters"`
	Message      string         `json:"message" allowed:"a string of up to 500 characters"`
	Payload      socketio.Value `json:"payload" allowed:"an object"`
	Priority     string         `json:"priority" allowed:"one of low, normal, high"`
}

// PublishNotification sends the notification to every device of its user, on
// any node. Delivered in the result says whether the user has a device. For errors
// see [Service.PublishUpdate].
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
	return NotificationSent{Delivered: delivered, Pending: svc.isPending(delivered, n.TargetUserID), Timestamp: now}, nil
}

// PublishNotificationThen is PublishNotification without waiting for the cluster
// to accept the notification; it calls answer as [Service.PublishUpdateThen] does.
func (svc *Service) PublishNotificationThen(ctx context.Context, n *Notification, answer func(NotificationSent, error)) {
	n, err := n.checked()
	if err != nil {
		answer(NotificationSent{}, err)
		return
	}
	out := NotificationSent{Timestamp: time.Now()}
	user := n.TargetUserID
	var pending atomic.Int32 // the emit, and the check of foreign nodes
	pending.Store(2)
	var failed error
	done := func() {
		switch {
		case pending.Add(-1) > 0:
		case failed != nil:
			answer(NotificationSent{}, failed)
		default:
			out.Pending = svc.isPending(out.Delivered, user)
			answer(out, nil)
		}
	}
	connected := svc.hasDevice(user)
	svc.emitThen(ctx, userRoom(user), func(err error) { failed = err; done() }, "notification", notificationEvent{n, out.Timestamp})
	out.Delivered = connected || svc.hasForeignDevice(ctx, user)
	done()
}

// checked returns the notification with its defaults, or an error about the first
// invalid field. It checks a payload only if that is a [socketio.Value]; what others
// encode to is not known yet.
func (n *Notification) checked() (*Notification, error) {
	if n.Priority == "" {
		c := *n
		c.Priority = "normal"
		n = &c
	}
	wrong := ""
	payload, isValue := n.Payload.(socketio.Value)
	switch {
	case n.TargetUserID.IsZero():
		wrong = "targetUserId"
	case !slices.Contains([]string{"INFO", "SUCCESS", "ERROR", "ALERT", "WARNING"}, n.Type):
		wrong = "type"
	case n.Title == "" || utf8.RuneCountInString(n.Title) > 100:
		wrong = "title"
	case utf8.RuneCountInString(n.Message) > 500:
		wrong = "message"
	case isValue && !isObject(payload):
		wrong = "payload"
	case !slices.Contains([]string{"low", "normal", "high"}, n.Priority):
		wrong = "priority"
	default:
		return n, nil
	}
	return nil, notAllowed[notificationFields](wrong)
}

// notificationEvent is the argument of the event notification. It encodes
// itself because encoding/json would reformat the payload's white space.
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
