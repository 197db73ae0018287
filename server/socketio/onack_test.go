package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// The function of OnAck runs as a handler. The handler that asks does not wait for it,
// and the client's answers and later events are handled in their order.
func TestOnAck(t *testing.T) {
	for _, polling := range []bool{false, true} {
		srv := serve(t, socketio.Options{})
		ns := srv.IO.Namespace("/")
		order := make(chan string, 100)
		goOn := make(chan struct{})
		ns.Handle("ask", socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
			for i := range 2 {
				err := s.OnAck(func(ctx context.Context, answer socketio.Args, err error) {
					var text string
					order <- fmt.Sprint(i, " ", answer.Decode(&text), " ", text, " ", err, " ", ctx.Err())
				}).Emit(ctx, "question", i)
				if err != nil {
					return err
				}
			}
			<-goOn
			order <- "asked"
			return nil
		}))
		ns.Handle("event", socketio.HandlerFunc(func(context.Context, *socketio.Socket, *socketio.Event) error { order <- "event"; return nil }))
		c := socketiotest.Dial(t, srv.URL, socketiotest.Options{Polling: polling})
		c.Emit("ask")
		first, second := c.Expect("question"), c.Expect("question")
		c.Ack(second, "b")
		c.Emit("event")
		c.Ack(first, "a", "more")
		c.Ack(first, "again") // is not awaited any more
		close(goOn)
		for _, want := range []string{"asked", "1 <nil> b <nil> <nil>", "event", "0 <nil> a <nil> <nil>"} {
			if got := receive(t, order, want); got != want {
				t.Errorf("polling %v: got %q, want %q", polling, got, want)
			}
		}
	}
}

// Whatever ends the socket, each function is called once, before the disconnect
// handlers.
func TestOnAckDisconnected(t *testing.T) {
	for name, end := range map[string]func(*socketiotest.Client, *socketio.Socket){
		"leave":  func(c *socketiotest.Client, _ *socketio.Socket) { c.Leave() },
		"close":  func(c *socketiotest.Client, _ *socketio.Socket) { c.Close() },
		"server": func(_ *socketiotest.Client, s *socketio.Socket) { s.Disconnect(false) },
	} {
		srv := serve(t, socketio.Options{})
		ns := srv.IO.Namespace("/")
		order := make(chan string, 100)
		ns.OnDisconnect(func(context.Context, *socketio.Socket, socketio.Reason) { order <- "disconnected" })
		busy := make(chan struct{})
		ns.Handle("wait", socketio.HandlerFunc(func(ctx context.Context, _ *socketio.Socket, _ *socketio.Event) error {
			close(busy)
			<-ctx.Done()
			return nil
		}))
		c, s := pair(t, srv, socketiotest.Options{})
		ask := func(i int) error {
			return s.OnAck(func(ctx context.Context, _ socketio.Args, err error) {
				order <- fmt.Sprint(i, err == socketio.ErrDisconnected, ctx.Err())
			}).Emit(t.Context(), "q")
		}
		if err := errors.Join(ask(0), ask(1), ask(2)); err != nil {
			t.Fatal(err)
		}
		c.Emit("wait")
		<-busy
		end(c, s)
		var got []string
		for range 4 {
			got = append(got, receive(t, order, "the end"))
		}
		if want := []string{"0 true <nil>", "1 true <nil>", "2 true <nil>", "disconnected"}; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		if err := ask(3); err != socketio.ErrDisconnected || len(order) != 0 {
			t.Errorf("%s: afterwards: %v, %d calls", name, err, len(order))
		}
	}
}

// Without an answer the function gets ErrTimeout, after the operator's time or the
// server's.
func TestOnAckTimeout(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Second} {
		inBubble(t, socketio.Options{AckTimeout: 10 * time.Second}, func(t *testing.T, io *socketio.Server, opts engineiotest.Options) {
			c, _ := socketiotest.Join(t, engineiotest.Dial(t, endpoint, opts), "/", nil)
			s := io.Namespace("/").Socket(c.SID)
			start, done := time.Now(), make(chan error, 2)
			then := func(_ context.Context, _ socketio.Args, err error) { done <- err }
			if err := s.Timeout(timeout).OnAck(then).Emit(t.Context(), "q"); err != nil {
				t.Fatal(err)
			}
			want := 10 * time.Second
			if timeout > 0 {
				want = timeout
			}
			if err := <-done; !errors.Is(err, socketio.ErrTimeout) || !strings.Contains(err.Error(), `"q"`) || time.Since(start) != want {
				t.Errorf("%v after %v", err, time.Since(start))
			}
			c.Ack(c.Expect("q"), "late")
			if err := s.Timeout(-1).OnAck(then).Emit(t.Context(), "q"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			if len(done) != 0 {
				t.Errorf("called with %v", <-done)
			}
			c.Ack(c.Expect("q"))
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// Answers that wait for the functions of OnAck fill the queue of events, so reading
// stops, and a panic of such a function is reported like that of a handler.
func TestOnAckIsBounded(t *testing.T) {
	const asks = 50
	reports := make(chan error, asks)
	srv := serve(t, socketio.Options{MaxPendingEvents: 4, Hooks: socketio.Hooks{HandlerError: func(_ *socketio.Socket, event string, err error) {
		reports <- fmt.Errorf("%s: %w", event, err)
	}}})
	ns := srv.IO.Namespace("/")
	goOn := make(chan struct{})
	got := make(chan string, asks)
	ns.Handle("wait", socketio.HandlerFunc(func(context.Context, *socketio.Socket, *socketio.Event) error { <-goOn; return nil }))
	c, s := pair(t, srv, socketiotest.Options{})
	c.Emit("wait")
	for range asks {
		err := s.OnAck(func(_ context.Context, answer socketio.Args, _ error) {
			got <- string(answer.Arg(0).JSON)
			panic("on purpose")
		}).Emit(t.Context(), "q")
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range asks {
		c.Ack(c.Expect("q"), i)
	}
	stopped(t, srv.IO)
	close(goOn)
	for i := range asks {
		if text := receive(t, got, "an answer"); text != fmt.Sprint(i) {
			t.Errorf("answer %s came as number %d", text, i)
		}
		if err := receive(t, reports, "the report"); !errors.Is(err, socketio.ErrPanic) || !strings.HasPrefix(err.Error(), "q: ") {
			t.Errorf("reported %v", err)
		}
	}
}
