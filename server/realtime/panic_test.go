package realtime_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/auth"
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
		o.Hooks.EventFailed = func(_ *socketio.Socket, _ string, err error) { failed <- err }
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

// A panic of a hook is counted and reported, and changes nothing for the socket.
func TestHooksPanic(t *testing.T) {
	reported := make(chan error, 20)
	n := start(t, func(o *options) {
		o.AuthTimeout, o.MaxSocketsPerUser = time.Hour, 1
		o.Hooks = realtime.Hooks{
			Connected:     func(*socketio.Socket) { panic("Connected") },
			Authenticated: func(*socketio.Socket, ident.ID) { panic("Authenticated") },
			Refused:       func(*socketio.Socket, string, error) { panic("Refused") },
			Expired:       func(*socketio.Socket, ident.ID) { panic("Expired") },
			EventFailed:   func(*socketio.Socket, string, error) { panic("EventFailed") },
			Disconnected:  func(*socketio.Socket, ident.ID, socketio.Reason, time.Duration) { panic("Disconnected") },
		}
		o.io.Hooks.HandlerError = func(_ *socketio.Socket, _ string, err error) {
			if errors.Is(err, socketio.ErrPanic) { // and not the refused event's
				reported <- err
			}
		}
	})
	reports := func(hook string) {
		t.Helper()
		if err := <-reported; !strings.Contains(err.Error(), "panicked: "+hook+"\n") {
			t.Errorf("reported %.200s, want a panic of %s", err, hook)
		}
	}
	c := n.anonymous()
	reports("Connected")
	mustFail(t, c.Ask("join-room", "r"), "unauthenticated", "Unauthorized")
	reports("EventFailed")
	mustSucceed(t, c.Ask("authenticate", map[string]any{"token": sign(t, id("ana"))}))
	reports("Authenticated")
	mustSucceed(t, c.Ask("join-room", "r"))
	if _, refusal := raw.Try(t, n.url, raw.Options{Auth: map[string]any{"token": sign(t, id("ana"))}}); refusal != tooManySockets {
		t.Errorf("refusal %s", refusal)
	}
	reports("Refused")
	if _, err := n.RegisterUser(n.socket(c), auth.Claims{UserID: id("ana"), ExpiresAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	reports("Expired")
	if c.Next("error"); c.Ended() {
		t.Error("DISCONNECT was sent")
	}
	reports("Disconnected")
	if got := n.Stats().Errors; got != 8 { // six panics, an event that was refused and an expiry
		t.Errorf("%d errors are counted", got)
	}
}
