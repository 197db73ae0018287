package socketio_test

import (
	"context"
	"errors"
	"testing"

	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// Handlers of events that clients cannot send would never be called, so setting
// one panics, as for a bad pattern of an http.ServeMux.
func TestReservedNamesCannotBeHandled(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	_, s := pair(t, srv, socketiotest.Options{})
	serverSide := func(context.Context, socketio.Args) (any, error) { return nil, nil }
	panics := func(f func()) (panicked bool) {
		defer func() { panicked = recover() != nil }()
		f()
		return false
	}
	for _, event := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
		if !panics(func() { ns.Handle(event, echo) }) || !panics(func() { s.Handle(event, echo) }) {
			t.Errorf("Handle(%q) does not panic", event)
		}
		// As on Node, it cannot be sent either, and that is an error.
		_, ackErr := s.EmitWithAck(t.Context(), event)
		for _, err := range []error{s.Emit(t.Context(), event), ns.Emit(t.Context(), event), ackErr} {
			if !errors.Is(err, socketio.ErrReserved) {
				t.Errorf("Emit(%q): %v", event, err)
			}
		}
	}
	for _, event := range []string{"connect", "connection", "new_namespace"} {
		if !panics(func() { ns.HandleServerSide(event, serverSide) }) {
			t.Errorf("HandleServerSide(%q) does not panic", event)
		}
		_, ackErr := ns.ServerSideEmitWithAck(t.Context(), event)
		for _, err := range []error{ns.ServerSideEmit(t.Context(), event), ackErr} {
			if !errors.Is(err, socketio.ErrReserved) {
				t.Errorf("ServerSideEmit(%q): %v", event, err)
			}
		}
	}
	for _, event := range []string{"connection", "error", "ping", "message", "", "Connect"} {
		if panics(func() { ns.Handle(event, echo) }) {
			t.Errorf("Handle(%q) panics", event)
		}
	}
	if panics(func() { ns.HandleServerSide("disconnect", serverSide) }) {
		t.Error(`HandleServerSide("disconnect") panics`)
	}
	c := dial(t, srv)
	if got := text(c.EmitAck("connection", 1)); got != `[1]` {
		t.Errorf("an event of that name: %s", got)
	}
	ns.Handle("connection", nil) // removes it
	ns.Handle("other", echo)
	c.Emit("connection")
	if got := text(c.EmitAck("other", 2)); got != `[2]` {
		t.Errorf("got %s", got)
	}
}

// ErrClosed is what a closed server's cluster operations return.
func TestErrClosed(t *testing.T) {
	srv := socketio.New(socketio.Options{})
	ns := srv.Namespace("/")
	if err := srv.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, fetch := ns.All().FetchSockets(t.Context())
	for name, err := range map[string]error{"Emit": ns.Emit(t.Context(), "x"), "FetchSockets": fetch, "Join": ns.All().Join(t.Context(), "r")} {
		if !errors.Is(err, socketio.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
