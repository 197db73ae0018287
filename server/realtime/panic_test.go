package realtime_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// remote is a presence that calls on goroutines of its own, as one over Redis does.
type remote struct{ presence.Presence }

func (r remote) Join(device string, room ident.ID, placed func(presence.Placement)) {
	r.Presence.Join(device, room, func(at presence.Placement) { go placed(at) })
}

// A panic of the function that answers a join is the event's error, though it is
// called on a goroutine of the presence.
func TestAnswerJoinPanics(t *testing.T) {
	failed := make(chan error, 10)
	n := start(t, func(o *options) {
		o.Presence = remote{presence.NewMemory().Node()}
		o.Audit.Failed = func(_ *socketio.Socket, _ string, err error) { failed <- err }
	})
	n.Namespace().Handle("join", socketio.Do(func(ctx context.Context, s *socketio.Socket, _ any) error {
		return n.AnswerJoin(ctx, s, id("r"), func(realtime.RoomJoined) { panic("oops") })
	}))
	c := n.device("ana")
	mustFail(t, c.Ask("join"), "internal", "Internal error")
	if err := <-failed; !errors.Is(err, socketio.ErrPanic) {
		t.Errorf("got %v", err)
	}
	mustSucceed(t, c.Ask("join-room", "r"))
}

// A panic of the audit, on a timer's goroutine, is counted and reported, and the
// socket is disconnected all the same.
func TestAuditPanics(t *testing.T) {
	failed := make(chan error, 10)
	n := start(t, func(o *options) {
		o.AuthTimeout = time.Millisecond
		o.Audit.Expired = func(*socketio.Socket, ident.ID) { panic("oops") }
		o.io.Hooks.HandlerError = func(_ *socketio.Socket, _ string, err error) { failed <- err }
	})
	n.anonymous().Disconnected()
	if err := <-failed; !errors.Is(err, socketio.ErrPanic) {
		t.Errorf("got %v", err)
	}
	if got := n.Stats().Errors; got != 1 {
		t.Errorf("%d errors are counted", got)
	}
}
