package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// Each room that a socket joins or leaves is reported once, for whatever reason it
// does, and the hooks are called without locks.
func TestRoomHooks(t *testing.T) {
	log := make(chan string, 100)
	var ns *socketio.Namespace
	hook := func(what string) func(*socketio.Socket, string) {
		return func(_ *socketio.Socket, room string) { log <- fmt.Sprint(what, room, " ", ns.RoomSize(room)) }
	}
	srv := serve(t, socketio.Options{Hooks: socketio.Hooks{RoomJoined: hook("+"), RoomLeft: hook("-")}})
	ns = srv.IO.Namespace("/")
	left := disconnects(ns.Handlers)
	c, s := pair(t, srv, socketiotest.Options{})
	check := func(what string, want ...string) {
		t.Helper()
		var got []string
		for len(log) > 0 {
			got = append(got, <-log)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	check("connected")
	s.Join(t.Context(), "a", "b", s.ID())
	check("joined two", "+a 1", "+b 1")
	s.Join(t.Context(), "a", "c", "c")
	check("joined one", "+c 1")
	s.Leave("nowhere", "a", "a", s.ID())
	check("left one", "-a 0")
	ns.To("b").Join(t.Context(), "d")
	ns.To("b").Leave(t.Context(), "c")
	check("moved by an operator", "+d 1", "-c 0")
	c.Leave()
	receive(t, left, "the disconnect")
	check("disconnected", "-b 0", "-d 0")
	if err := s.Join(t.Context(), "e"); err != socketio.ErrDisconnected {
		t.Error(err)
	}
	check("after the end")
}

// A panic of a hook is reported and counted, and changes nothing else. A panic of
// HandlerError, which gets the reports, is logged.
func TestHooksPanic(t *testing.T) {
	logged := captureLog(t)
	say := func() { panic("on purpose") }
	reports := make(chan error, 100)
	opts := socketio.Options{Hooks: socketio.Hooks{
		PacketError:      func(*engineio.Session, error) { say() },
		Refused:          func(*socketio.Socket, error) { say() },
		RoomJoined:       func(*socketio.Socket, string) { say() },
		RoomLeft:         func(*socketio.Socket, string) { say() },
		Unhandled:        func(*socketio.Socket, string) { say() },
		BroadcastDropped: func(*socketio.Namespace, error) { say() },
		HandlerError:     func(_ *socketio.Socket, _ string, err error) { reports <- err },
	}}
	opts.Engine.Hooks.SessionOpened = func(*engineio.Session) { say() }
	srv := serve(t, opts)
	ns := srv.IO.Namespace("/")
	srv.IO.Namespace("/closed").Use(func(context.Context, *socketio.Socket) error { return errors.New("closed") })
	ns.Handle("echo", echo)
	c, s := pair(t, srv, socketiotest.Options{})
	s.Join(t.Context(), "r")
	s.Leave("r")
	socketiotest.Join(t, c.Conn, "/closed", nil)
	c.Emit("unhandled")
	if got := text(c.EmitAck("echo", 1)); got != "[1]" {
		t.Errorf("got %s", got)
	}
	c.SendText("garbage")
	c.End()
	for range 6 {
		if err := receive(t, reports, "a report"); !errors.Is(err, socketio.ErrPanic) || !strings.Contains(err.Error(), "hooks_test.go") {
			t.Errorf("reported %v", err)
		}
	}
	if n := srv.IO.HandlerPanics(); n != 6 || logged.String() != "" {
		t.Errorf("%d panics are counted; logged %s", n, logged)
	}

	again := serve(t, socketio.Options{Hooks: socketio.Hooks{HandlerError: func(*socketio.Socket, string, error) { say() }}})
	again.IO.Namespace("/").Handle("fail", socketio.Do(func(context.Context, *socketio.Socket, any) error { return errors.New("the first error") }))
	if got := text(dial(t, again).EmitAck("fail")); !strings.Contains(got, "internal") {
		t.Errorf("got %s", got)
	}
	if got := logged.String(); !strings.Contains(got, "the first error") || !strings.Contains(got, "on purpose") || again.IO.HandlerPanics() != 1 {
		t.Errorf("logged %s", got)
	}
}

type userKey struct{}

// What an HTTP middleware has put into the context of a request reaches every
// function that gets a context, until the socket's last.
func TestRequestContext(t *testing.T) {
	io := socketio.New(socketio.Options{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, r.Header.Get("X-User"))))
	}))
	t.Cleanup(func() {
		io.Close(context.Background())
		srv.Close()
	})
	users := make(chan string, 100)
	look := func(where string, ctx context.Context) {
		users <- fmt.Sprint(where, " ", ctx.Value(userKey{}), " ", ctx.Err())
	}
	ns := io.Namespace("/")
	ns.Use(func(ctx context.Context, _ *socketio.Socket) error { look("Use", ctx); return nil })
	ns.OnConnect(func(ctx context.Context, _ *socketio.Socket) error { look("OnConnect", ctx); return nil })
	ns.UseEvent(func(ctx context.Context, s *socketio.Socket, e *socketio.Event, next func() error) error {
		look("UseEvent", ctx)
		return next()
	})
	ns.Handle("e", socketio.Do(func(ctx context.Context, s *socketio.Socket, _ any) error {
		look("Handle", ctx)
		within, cancel := context.WithCancel(ctx)
		defer cancel()
		look("derived", within)
		look("Context", s.Context())
		return nil
	}))
	ns.OnDisconnect(func(ctx context.Context, _ *socketio.Socket, _ socketio.Reason) { look("OnDisconnect", ctx) })
	for _, polling := range []bool{false, true} {
		c := socketiotest.Dial(t, srv.URL, socketiotest.Options{Polling: polling, Header: http.Header{"X-User": {"ana"}}})
		c.EmitAck("e")
		c.Leave()
		for _, where := range []string{"Use", "OnConnect", "UseEvent", "Handle", "derived", "Context", "OnDisconnect"} {
			if got, want := receive(t, users, where), where+" ana <nil>"; got != want {
				t.Errorf("polling %v: got %q, want %q", polling, got, want)
			}
		}
	}
}

// The state of the client's TLS connection is part of the handshake.
func TestHandshakeTLS(t *testing.T) {
	io := socketio.New(socketio.Options{})
	srv := socketiotest.NewTLSServer(io)
	t.Cleanup(srv.Close)
	c := socketiotest.Dial(t, srv.URL, socketiotest.Options{TLS: srv.Client().Transport.(*http.Transport).TLSClientConfig})
	if h := io.Namespace("/").Socket(c.SID).Handshake(); h.TLS == nil || h.TLS.Version == 0 || !h.Secure {
		t.Errorf("%+v", h.TLS)
	}
	_, plain := pair(t, serve(t, socketio.Options{}), socketiotest.Options{})
	if h := plain.Handshake(); h.TLS != nil || h.Secure {
		t.Errorf("without TLS: %+v", h.TLS)
	}
}
