package realtime

import (
	"context"
	"errors"
	"time"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/socketio"
)

// Update is a message for everyone in a room.
type Update struct {
	// RoomID names the room.
	RoomID ident.ID
	// Type says what kind of update it is: 1 to 256 characters without control
	// characters.
	Type string
	// Payload is any value that can be encoded as JSON; a [socketio.Value] is sent
	// unchanged.
	Payload any
	// From is the publishing user, the zero ID for a backend.
	From ident.ID
}

// updateFields are the fields of an update; the tag allowed is for error texts.
type updateFields struct {
	RoomID  ident.ID       `json:"roomId"`
	Type    string         `json:"type" allowed:"a string of 1 to 256 characters without control characters"`
	Payload socketio.Value `json:"payload"`
}

// ParseUpdate decodes and validates an update as a client sends it:
// {roomId, type, payload?}. Errors are [*Error]. It does not parse the payload,
// which may be large.
func ParseUpdate(v socketio.Value) (*Update, error) {
	u, payload := new(Update), socketio.Value{}
	names, wrong := [...]string{"roomId", "type", "payload"}, ""
	object := v.Pick(names[:], func(i int, member socketio.Value) {
		var err error
		name := names[i]
		switch name {
		case "roomId":
			u.RoomID, err = ident.Parse(member.JSON)
		case "type":
			err = member.Decode(&u.Type)
		case "payload":
			payload = member
		}
		if err != nil {
			wrong = name
		} else if wrong == name { // if a name is repeated, the last counts
			wrong = ""
		}
	})
	switch {
	case !object:
		return nil, Invalid("argument", "an object")
	case wrong != "":
		return nil, notAllowed[updateFields](wrong)
	}
	u.Payload = payload
	if err := u.check(); err != nil {
		return nil, err
	}
	return u, nil
}

// check returns an error about the first invalid field. Both ParseUpdate and
// publishing call it, because a program may publish an update that it did not parse.
func (u *Update) check() error {
	switch {
	case u.RoomID.IsZero():
		return notAllowed[updateFields]("roomId")
	case !isName(u.Type):
		return notAllowed[updateFields]("type")
	}
	return nil
}

// PublishUpdate sends the update to everyone in the room, on any node. It returns
// nil when the update is queued for all members on this node and the cluster has
// accepted it for the others, or is unreachable. It returns ErrUnavailable if the
// cluster did not accept it in time, and another [*Error] if the update is invalid.
func (svc *Service) PublishUpdate(ctx context.Context, u *Update) (UpdatePublished, error) {
	if err := u.check(); err != nil {
		return UpdatePublished{}, err
	}
	now := time.Now()
	if err := svc.emit(ctx, roomName(u.RoomID), "update", updateEvent{u, now}); err != nil {
		return UpdatePublished{}, err
	}
	return UpdatePublished{RoomID: u.RoomID, Timestamp: now}, nil
}

// PublishUpdateThen is PublishUpdate without waiting for the cluster. It calls
// answer once with what PublishUpdate would have returned, possibly before
// PublishUpdateThen returns. answer must not block. Consecutive updates can share a
// round trip to the cluster this way; they are sent in the order of the calls.
func (svc *Service) PublishUpdateThen(ctx context.Context, u *Update, answer func(UpdatePublished, error)) {
	if err := u.check(); err != nil {
		answer(UpdatePublished{}, err)
		return
	}
	now := time.Now()
	svc.emitThen(ctx, roomName(u.RoomID), func(err error) {
		if err != nil {
			answer(UpdatePublished{}, err)
			return
		}
		answer(UpdatePublished{RoomID: u.RoomID, Timestamp: now}, nil)
	}, "update", updateEvent{u, now})
}

// updateEvent is the argument of the event update. It encodes itself, for speed:
// updates are frequent.
type updateEvent struct {
	*Update
	at time.Time
}

func (e updateEvent) AppendArg(dst []byte, attachments [][]byte) ([]byte, [][]byte, error) {
	dst = e.RoomID.AppendJSON(append(dst, `{"roomId":`...))
	dst, attachments, err := socketio.AppendArg(append(dst, `,"type":`...), attachments, e.Type)
	if err != nil {
		return nil, nil, err
	}
	dst, attachments, err = socketio.AppendArg(append(dst, `,"payload":`...), attachments, e.Payload)
	if err != nil {
		return nil, nil, err
	}
	dst = e.From.AppendJSON(append(dst, `,"from":`...))
	dst = appendTimestamp(dst, e.at)
	return append(dst, '}'), attachments, nil
}

// published counts a message that was published, and converts an error of the
// adapter to the one that the caller gets.
func (svc *Service) published(err error) error {
	err = svc.clusterAway(err)
	switch {
	case err == nil:
		svc.counters.published.Add(1)
	case errors.Is(err, socketio.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return ErrUnavailable
	case errors.Is(err, socketio.ErrReserved):
		return Invalid("event", "a name that has no meaning of its own")
	case errors.Is(err, socketio.ErrEncode):
		return &Error{Code: CodeInvalid, Message: "payload must be a value that can be encoded as JSON"}
	case errors.Is(err, socketio.ErrAttachments):
		return Invalid("payload", "a value without more attachments than clients take")
	case errors.Is(err, socketio.ErrArguments):
		return Public(err)
	}
	return err
}

// clusterAway returns nil for ErrAway and counts the drop: if the cluster is
// unreachable, the recipients on this node still have the message, health reports
// the fault, and the publisher cannot do anything about it.
func (svc *Service) clusterAway(err error) error {
	if errors.Is(err, socketio.ErrAway) {
		svc.counters.dropped.Add(1)
		return nil
	}
	return err
}
