package realtime

import (
	"bytes"
	"strconv"
	"time"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/internal/isotime"
	"github.com/puente-io/puente/server/socketio"
)

// The types in this file are what clients and backends read: the acknowledgement
// of each event, which is also the reply event's argument and the body of the
// HTTP response, and the arguments of the events about other users.

// Authenticated is the answer to authenticate.
type Authenticated struct {
	Success   success   `json:"success"`
	UserID    ident.ID  `json:"userId"`
	SocketID  string    `json:"socketId"`
	Timestamp time.Time `json:"timestamp"`
}

// RoomJoined is the answer to join-room.
type RoomJoined struct {
	Success success  `json:"success"`
	RoomID  ident.ID `json:"roomId"`
	// Users has at most 1,000 users; Total is the full number.
	Users     []ident.ID `json:"users"`
	Total     int        `json:"total"`
	Timestamp time.Time  `json:"timestamp"`
}

// AppendArg implements [socketio.ArgAppender], for speed: after a restart all clients join at once.
func (r RoomJoined) AppendArg(dst []byte, attachments [][]byte) ([]byte, [][]byte, error) {
	dst = append(r.RoomID.AppendJSON(append(dst, `{"success":true,"roomId":`...)), `,"users":[`...)
	for i, user := range r.Users {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = user.AppendJSON(dst)
	}
	dst = strconv.AppendInt(append(dst, `],"total":`...), int64(r.Total), 10)
	return append(appendTimestamp(dst, r.Timestamp), '}'), attachments, nil
}

// RoomLeft is the answer to leave-room.
type RoomLeft struct {
	Success   success   `json:"success"`
	RoomID    ident.ID  `json:"roomId"`
	Timestamp time.Time `json:"timestamp"`
}

// NotificationSent is the answer to publish-notification.
type NotificationSent struct {
	Success success `json:"success"`
	// Delivered says whether the user has a connected device.
	Delivered bool `json:"delivered"`
	// Pending says that it has none, but one that lost its connection may come back and
	// will get the notification then, see [Hooks].Undelivered.
	Pending   bool      `json:"pending,omitzero"`
	Timestamp time.Time `json:"timestamp"`
}

// UpdatePublished is the answer to publish-update.
type UpdatePublished struct {
	Success   success   `json:"success"`
	RoomID    ident.ID  `json:"roomId"`
	Timestamp time.Time `json:"timestamp"`
}

// AppendArg implements [socketio.ArgAppender], for speed: updates are frequent.
func (r UpdatePublished) AppendArg(dst []byte, attachments [][]byte) ([]byte, [][]byte, error) {
	dst = r.RoomID.AppendJSON(append(dst, `{"success":true,"roomId":`...))
	return append(appendTimestamp(dst, r.Timestamp), '}'), attachments, nil
}

// Pong is the answer to ping.
type Pong struct {
	Timestamp time.Time `json:"timestamp"`
}

// AppendArg implements [socketio.ArgAppender], for speed: pings are frequent.
func (p Pong) AppendArg(dst []byte, attachments [][]byte) ([]byte, [][]byte, error) {
	return append(isotime.Append(append(dst, `{"timestamp":"`...), p.Timestamp), `"}`...), attachments, nil
}

// Movement is the argument of user-joined and user-left.
type Movement struct {
	UserID    ident.ID  `json:"userId"`
	RoomID    ident.ID  `json:"roomId"`
	Timestamp time.Time `json:"timestamp"`
}

// PresenceChange is the argument of user-presence.
type PresenceChange struct {
	UserID    ident.ID  `json:"userId"`
	RoomID    ident.ID  `json:"roomId"`
	Status    string    `json:"status"` // online or offline
	Timestamp time.Time `json:"timestamp"`
}

// Failure is the answer to an event that ended with an error.
type Failure struct {
	Success bool  `json:"success"` // false
	Error   Error `json:"error"`
}

// EventError is the second argument of the event error, which reports an error if
// the client does not wait for an acknowledgement.
type EventError struct {
	Error
	Event string `json:"event"`
}

// success encodes as true, so that no answer can omit it.
type success struct{}

func (success) MarshalJSON() ([]byte, error) { return []byte("true"), nil }

func appendTimestamp(dst []byte, t time.Time) []byte {
	return append(isotime.Append(append(dst, `,"timestamp":"`...), t), '"')
}

// Encode encodes v for HTTP exactly as it is encoded as the argument of an event.
func Encode(v any) ([]byte, error) {
	body, _, err := socketio.AppendArg(nil, nil, v)
	return body, err
}

// Value is an argument as received, see [socketio.Value].
type Value = socketio.Value

// Argument converts the body of a backend's request to the argument of an event. It
// returns an [*Error] if the body is nested more deeply than a client's event may be;
// it does not check that the body is JSON.
func (svc *Service) Argument(body []byte) (Value, error) {
	body = bytes.TrimLeft(body, " \t\r\n")
	if err := svc.ns.Server().CheckArgument(body); err != nil {
		return Value{}, Public(err)
	}
	return Value{JSON: body}, nil
}
