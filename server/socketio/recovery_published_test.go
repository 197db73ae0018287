package socketio_test

import (
	"context"
	"slices"
	"testing"

	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/waittest"
)

// The cases of socket.io's own test of recovery that recovery_test.go does not have.

// Over polling a close packet of the transport is a lost connection, from which a client is
// recovered like from any other, over either transport.
func TestRecoveryOverPolling(t *testing.T) {
	ctx := context.Background()
	v, ns := recovering(t, socketio.Options{})
	v.conn.Close()
	v.pid = ""
	v.conn = engineiotest.Dial(t, v.srv.URL+"/socket.io/", engineiotest.Options{Polling: true})
	v.connectAgain("")
	sid := v.sid
	emit(t, v.socket().Join(ctx, "r"))
	emit(t, ns.Emit(ctx, "first"))
	v.next(1)
	for _, polling := range []bool{true, false, true} {
		s := v.socket()
		v.conn.Close()
		waittest.Until(t, "the server knows that the client is gone", func() bool { return !s.Connected() && ns.Socket(sid) == nil })
		emit(t, ns.Emit(ctx, "to all"))
		emit(t, ns.To("r").Emit(ctx, "to its room"))
		emit(t, s.Emit(ctx, "by its socket"))
		v.conn = engineiotest.Dial(t, v.srv.URL+"/socket.io/", engineiotest.Options{Polling: polling})
		v.connectAgain("")
		if want := []string{"to all", "to its room", "by its socket"}; v.sid != sid || !slices.Equal(v.events, want) || v.beforeAnswer != 3 {
			t.Errorf("polling %v: recovered: %v, events %q", polling, v.sid == sid, v.events)
		}
	}
}

// With the option RunMiddleware the middleware of each namespace runs for recovered sockets,
// and sees which these are.
func TestRecoveryRunsMiddleware(t *testing.T) {
	v, ns := recovering(t, socketio.Options{Recovery: socketio.RecoveryOptions{RunMiddleware: true}})
	recovered := make(chan bool, 2)
	ns.Use(func(_ context.Context, s *socketio.Socket) error { recovered <- s.Recovered(); return nil })
	sid := v.sid
	v.drop()
	v.connect("")
	fresh := &visitor{t: t, srv: v.srv}
	fresh.connect("")
	if first, second := <-recovered, <-recovered; v.sid != sid || !first || second {
		t.Errorf("recovered: %v, the middleware saw %v and %v", v.sid == sid, first, second)
	}
}

// Recovery is off by default: there is no secret and no offset, what a client sends for them
// is part of its auth, and nothing is kept of a client that is gone.
func TestNoRecoveryByDefault(t *testing.T) {
	ctx := context.Background()
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	auth := make(chan string, 1)
	ns.Use(func(_ context.Context, s *socketio.Socket) error {
		auth <- string(s.Handshake().Auth.JSON)
		return nil
	})
	v := &visitor{t: t, srv: srv, pid: "foo", offset: "bar"}
	v.connect("")
	if got := receive(t, auth, "the auth"); got != `{"pid":"foo","offset":"bar"}` || v.pid != "" {
		t.Errorf("auth %s, secret %q", got, v.pid)
	}
	s := v.socket()
	emit(t, s.Join(ctx, "r"))
	emit(t, s.Emit(ctx, "e"))
	if got := v.conn.Text(); got != `2["e"]` {
		t.Errorf("got %q", got)
	}
	v.drop()
	if s.Away() || ns.HasRoom("r") {
		t.Error("its session or room is kept")
	}
	if err := s.Emit(ctx, "e"); err != socketio.ErrDisconnected {
		t.Errorf("Emit: %v", err)
	}
}
