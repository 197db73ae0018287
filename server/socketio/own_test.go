package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// A second handler of an event panics, as a second pattern of an http.ServeMux
// does; one that is removed first may be replaced.
func TestSecondHandlerPanics(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	c, s := pair(t, srv, socketiotest.Options{})
	for what, handle := range map[string]func(string, socketio.Handler){
		"Namespace.Handle": ns.Handle, "Socket.Handle": s.Handle, "Socket.Once": s.Once,
	} {
		refused := func() (v any) {
			defer func() { v = recover() }()
			handle("e", echo)
			return nil
		}
		if v := refused(); v != nil {
			t.Errorf("%s: the first: %v", what, v)
		}
		if v := refused(); v == nil || !strings.Contains(fmt.Sprint(v), `"e"`) {
			t.Errorf("%s: the second: %v", what, v)
		}
		handle("e", nil)
		if v := refused(); v != nil {
			t.Errorf("%s: after it is removed: %v", what, v)
		}
		if what != "Namespace.Handle" {
			handle("e", nil)
		}
	}
	if got := text(c.EmitAck("e", 1)); got != "[1]" {
		t.Errorf("got %s", got)
	}
}

// Functions registered for one socket are called for that socket only, in the documented
// order, until they are removed.
func TestHandlersOfOneSocket(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	c, s := pair(t, srv, socketiotest.Options{})
	other := dial(t, srv)
	var mu sync.Mutex
	var order []string
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, what)
	}
	noting := func(what string) socketio.Handler {
		return socketio.HandlerFunc(func(context.Context, *socketio.Socket, *socketio.Event) error { note(what); return nil })
	}
	passing := func(what string) socketio.EventMiddleware {
		return func(_ context.Context, _ *socketio.Socket, e *socketio.Event, next func() error) error {
			note(what)
			if e.Name == "refused" {
				return errors.New("refused")
			}
			return next()
		}
	}
	answering := socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error {
		note("handler")
		return e.Reply()
	})
	ns.Handle("e", answering)
	ns.Handle("refused", answering)
	s.UseEvent(passing("own middleware"))
	ns.UseEvent(passing("middleware"))
	removeOwn := s.OnAny(noting("own any"))
	remove := ns.OnAny(noting("any"))
	s.Once("e", socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error { note("once"); return e.Reply() }))
	check := func(c *socketiotest.Client, event string, want ...string) {
		t.Helper()
		c.EmitAck(event)
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(order, want) {
			t.Errorf("%s: %q, want %q", event, order, want)
		}
		order = nil
	}
	check(c, "e", "middleware", "own middleware", "any", "own any", "once")
	check(c, "e", "middleware", "own middleware", "any", "own any", "handler")
	check(other, "e", "middleware", "any", "handler")
	check(c, "refused", "middleware")
	removeOwn()
	removeOwn()
	check(c, "e", "middleware", "own middleware", "any", "handler")
	remove()
	check(c, "e", "middleware", "own middleware", "handler")
}

// OnAnyOutgoing gets what is sent to the socket, as an event or as a broadcast,
// and no acknowledgements: as on Node.
func TestOnAnyOutgoing(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	ns.Handle("ask", echo)
	c, s := pair(t, srv, socketiotest.Options{})
	other, o := pair(t, srv, socketiotest.Options{})
	sent := make(chan string, 100)
	log := func(s *socketio.Socket, event string, args socketio.Args) {
		if s != o {
			sent <- fmt.Sprintf("%s %s", event, args.Arg(0).JSON)
		}
		ns.RoomSize("r") // no lock is held
	}
	remove := s.OnAnyOutgoing(log)
	s.OnAnyOutgoing(func(*socketio.Socket, string, socketio.Args) { panic("is recovered") })
	ctx := t.Context()
	check := func(want ...string) {
		t.Helper()
		err := errors.Join(s.Emit(ctx, "emit", 1), s.Volatile().Emit(ctx, "volatile", 2), s.Post("post", 3),
			ns.Emit(ctx, "broadcast", []byte("4")), ns.To(s.ID()).Post("to", "5"), o.Emit(ctx, "other", 6))
		if err != nil {
			t.Error(err)
		}
		c.EmitAck("ask", 7)
		ignore := func(context.Context, socketio.Args, error) {}
		if err := errors.Join(s.OnAck(ignore).Emit(ctx, "question", 8), s.Emit(ctx, "end")); err != nil {
			t.Error(err)
		}
		c.Await("end")
		var got []string
		for len(sent) > 0 {
			got = append(got, <-sent)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	all := []string{"emit 1", "volatile 2", "post 3", `broadcast {"_placeholder":true,"num":0}`, `to "5"`, "question 8", "end "}
	captureLog(t)
	check(all...)
	remove()
	check()
	remove = ns.OnAnyOutgoing(log)
	check(all...)
	remove()
	check()
	other.Await("broadcast")
}

// What a function of OnAnyOutgoing sends arrives before the event that it was
// called for: as on Node, it is called before the event is sent.
func TestOnAnyOutgoingIsCalledFirst(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	c, s := pair(t, srv, socketiotest.Options{})
	ctx := t.Context()
	s.OnAnyOutgoing(func(s *socketio.Socket, event string, _ socketio.Args) {
		if event != "before" {
			s.Emit(ctx, "before")
		}
	})
	for name, send := range map[string]func() error{
		"emit":      func() error { return s.Emit(ctx, "x") },
		"volatile":  func() error { return s.Volatile().Emit(ctx, "x") },
		"post":      func() error { return s.Post("x") },
		"broadcast": func() error { return ns.Emit(ctx, "x") },
	} {
		if err := send(); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"before", "x"} {
			if got := c.Next().Name; got != want {
				t.Fatalf("%s: the client got %q, want %q", name, got, want)
			}
		}
	}
}
