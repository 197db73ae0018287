package socketio_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

func TestDisconnectReasons(t *testing.T) {
	for _, polling := range []bool{false, true} {
		for want, end := range map[socketio.Reason]func(*socketiotest.Client, *socketio.Socket){
			socketio.ReasonClientDisconnect: func(c *socketiotest.Client, _ *socketio.Socket) { c.Leave() },
			socketio.ReasonServerDisconnect: func(c *socketiotest.Client, s *socketio.Socket) { s.Disconnect(false); c.ExpectDisconnect() },
			"transport close":               func(c *socketiotest.Client, _ *socketio.Socket) { c.Close() },
			"forced close":                  func(_ *socketiotest.Client, s *socketio.Socket) { s.Session().Close() },
			"slow consumer": func(_ *socketiotest.Client, s *socketio.Socket) {
				s.Session().CloseWithReason(engineio.ReasonSlowConsumer, nil)
			},
			"parse error":          func(c *socketiotest.Client, _ *socketio.Socket) { c.SendText("x") },
			"server shutting down": func(_ *socketiotest.Client, s *socketio.Socket) { s.Namespace().Server().Drain(t.Context(), 0) },
		} {
			srv := serve(t, socketio.Options{})
			ns := srv.IO.Namespace("/")
			rooms := make(chan []string, 1)
			ns.OnDisconnect(func(_ context.Context, s *socketio.Socket, _ socketio.Reason) { rooms <- s.Rooms() })
			left := disconnects(ns.Handlers)
			c, s := pair(t, srv, socketiotest.Options{Polling: polling})
			if err := s.Join(t.Context(), "a", "b"); err != nil {
				t.Error(err)
			}
			end(c, s)
			if got := receive(t, left, "the disconnect"); got != want {
				t.Errorf("polling %v: reason %q, want %q", polling, got, want)
			}
			if got := receive(t, rooms, "the rooms"); !slices.Equal(got, []string{s.ID(), "a", "b"}) {
				t.Errorf("%s: rooms %q", want, got)
			}
			if s.Connected() || ns.Count() != 0 || len(ns.Rooms()) != 0 || s.Context().Err() == nil {
				t.Errorf("%s: something is left", want)
			}
			if err := s.Join(t.Context(), "c"); err != socketio.ErrDisconnected {
				t.Errorf("%s: Join: %v", want, err)
			}
		}
	}
}

func TestDisconnectWithConnection(t *testing.T) {
	closed := make(chan engineio.Reason, 1)
	srv := serve(t, socketio.Options{Engine: engineio.Options{Hooks: engineio.Hooks{SessionClosed: func(_ *engineio.Session, r engineio.Reason, _ error) { closed <- r }}}})
	other := disconnects(srv.IO.Namespace("/other").Handlers)
	conn := engineiotest.Dial(t, srv.URL+"/socket.io/", engineiotest.Options{})
	socketiotest.Join(t, conn, "/other", nil)
	c, _ := socketiotest.Join(t, conn, "/", nil)
	srv.IO.Namespace("/").Socket(c.SID).Disconnect(true)
	got := []string{conn.Text(), conn.Text()}
	if slices.Sort(got); !slices.Equal(got, []string{"1", "1/other,"}) {
		t.Errorf("got %q", got)
	}
	conn.End()
	if got := receive(t, other, "the other namespace's disconnect"); got != socketio.ReasonServerDisconnect {
		t.Errorf("reason %q", got)
	}
	if got := receive(t, closed, "the end of the session"); got != engineio.ReasonForcedClose {
		t.Errorf("the session's reason %q", got)
	}
}

// With CloseUnused the connection ends behind DISCONNECT, unless the client uses
// another namespace or waits for the answer of one.
func TestCloseUnused(t *testing.T) {
	for _, polling := range []bool{false, true} {
		srv := serve(t, socketio.Options{})
		srv.IO.Namespace("/other").Handle("echo", echo)
		srv.IO.Namespace("/slow").Use(func(ctx context.Context, _ *socketio.Socket) error { <-ctx.Done(); return nil })
		ns := srv.IO.Namespace("/")
		ns.CloseUnused()
		kick := func(c *socketiotest.Client) {
			ns.To(c.SID).Disconnect(t.Context(), false)
			c.ExpectDisconnect()
		}
		opts := socketiotest.Options{Polling: polling}

		alone := socketiotest.Dial(t, srv.URL, opts)
		kick(alone)
		alone.Conn.End()

		both := socketiotest.Dial(t, srv.URL, opts)
		other, _ := socketiotest.Join(t, both.Conn, "/other", nil)
		kick(both)
		if got := text(other.EmitAck("echo", "alive")); got != `["alive"]` {
			t.Errorf("polling %v: the other namespace: got %s", polling, got)
		}

		deciding := socketiotest.Dial(t, srv.URL, opts)
		deciding.Conn.SendText("0/slow,")
		s := ns.Socket(deciding.SID)
		read := make(chan struct{})
		s.Handle("b", socketio.HandlerFunc(func(context.Context, *socketio.Socket, *socketio.Event) error { close(read); return nil }))
		deciding.Emit("b")
		receive(t, read, "the event behind CONNECT")
		kick(deciding)
		if !s.Session().Open() {
			t.Errorf("polling %v: closed while a namespace decides", polling)
		}
		if _, refusal := socketiotest.Join(t, deciding.Conn, "/other", nil); refusal != nil {
			t.Errorf("polling %v: refused %s", polling, refusal)
		}
	}
}

// Events that cross the server's disconnect are ignored, and those that wait
// for the handler that disconnects too. The connection lives on, and the client
// may come back over it.
func TestEventsAfterServerDisconnect(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	handled := make(chan string, 10_000)
	ns.Handle("kick", socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		if _, err := s.EmitWithAck(ctx, "ready"); err != nil {
			t.Error(err)
		}
		s.Disconnect(false)
		if err := e.Reply(1); err != socketio.ErrDisconnected {
			t.Errorf("a reply after the disconnect: %v", err)
		}
		return nil
	}))
	ns.Handle("e", socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error {
		handled <- e.Name
		return nil
	}))
	for range 50 {
		c := dial(t, srv)
		c.SendText(`20["kick"]`)
		ready := c.Expect("ready")
		for range 10 {
			c.Emit("e")
		}
		c.Ack(ready) // overtakes the events, which wait for the handler
		c.ExpectDisconnect()
		again, refusal := socketiotest.Join(t, c.Conn, "/", nil)
		if refusal != nil {
			t.Fatalf("refused: %s", refusal)
		}
		if n := len(handled); n != 0 {
			t.Fatalf("%d events were handled", n)
		}
		again.Close()
	}
}

// Many disconnects at once, of all kinds: handlers run once, DISCONNECT is sent
// at most once.
func TestDisconnectOnce(t *testing.T) {
	srv := serve(t, socketio.Options{})
	srv.IO.Namespace("/other")
	left := disconnects(srv.IO.Namespace("/").Handlers)
	for i := range 100 {
		c, s := pair(t, srv, socketiotest.Options{})
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { s.Disconnect(false) })
		}
		if i%2 == 0 {
			c.Leave()
		}
		wg.Wait()
		c.SendText("0/other,")
		got := c.Text()
		if got == "1" {
			got = c.Text()
		}
		if !strings.HasPrefix(got, "0/other,") {
			t.Errorf("got %q", got)
		}
		receive(t, left, "the disconnect")
		c.Close()
	}
	srv.Close()
	if n := len(left); n != 0 {
		t.Errorf("%d disconnects too many", n)
	}
}

// Handlers that are under way when the server closes are waited for, and see
// the end of their context.
func TestCloseWaitsForHandlers(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	left := disconnects(ns.Handlers)
	busy := make(chan struct{})
	ns.Handle("e", socketio.HandlerFunc(func(ctx context.Context, _ *socketio.Socket, _ *socketio.Event) error {
		close(busy)
		<-ctx.Done()
		return nil
	}))
	c := dial(t, srv)
	c.Emit("e")
	receive(t, busy, "the handler")
	if err := srv.IO.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if len(left) != 1 || <-left != socketio.ReasonShutdown {
		t.Error("the disconnect handlers have not run")
	}
	if err := srv.IO.Close(t.Context()); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}
