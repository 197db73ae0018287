package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// askers are the ways in which a handler can wait for its client.
var askers = map[string]func(ctx context.Context, s *socketio.Socket) (socketio.Value, error){
	"socket": func(ctx context.Context, s *socketio.Socket) (socketio.Value, error) {
		answers, err := s.EmitWithAck(ctx, "q")
		if err != nil {
			return socketio.Value{}, err
		}
		return answers.Arg(0), nil
	},
	"operator": func(ctx context.Context, s *socketio.Socket) (socketio.Value, error) {
		answers, err := s.Namespace().To(s.ID()).Timeout(engineiotest.Wait).EmitWithAck(ctx, "q")
		if err != nil {
			return socketio.Value{}, err
		}
		return answers.Arg(0), nil
	},
}

// stopped waits until the server has stopped reading from the client because its queue is
// full.
func stopped(t testing.TB, io *socketio.Server) {
	t.Helper()
	for deadline := time.After(engineiotest.Wait); io.LimitCounts().PendingEvents == 0; {
		select {
		case <-deadline:
			t.Fatal("the reading does not stop")
		case <-time.After(time.Millisecond):
		}
	}
}

// A handler that waits for its client's acknowledgement receives it after any number of
// events, whether they came before the wait began or later. The events are still handled
// in order.
func TestAckBehindManyEvents(t *testing.T) {
	const events = 2000
	for name, ask := range askers {
		for _, polling := range []bool{false, true} {
			for _, when := range []string{"before", "after", "connecting", "another namespace"} {
				t.Run(fmt.Sprintf("%s, polling %v, %s", name, polling, when), func(t *testing.T) {
					srv := serve(t, socketio.Options{})
					ns := srv.IO.Namespace("/")
					asked := make(chan error, 1)
					got := make(chan int, events)
					wait := func(ctx context.Context, s *socketio.Socket) error {
						answer, err := ask(ctx, s)
						if err == nil && string(answer.JSON) != `"yes"` {
							err = fmt.Errorf("answered %s", answer.JSON)
						}
						asked <- err
						return nil
					}
					busy := make(chan struct{})
					ns.Handle("ask", socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, _ *socketio.Event) error {
						if when == "before" {
							stopped(t, srv.IO)
						}
						return wait(ctx, s)
					}))
					ns.Handle("busy", socketio.HandlerFunc(func(context.Context, *socketio.Socket, *socketio.Event) error {
						<-busy
						return nil
					}))
					ns.Handle("e", socketio.Do(func(_ context.Context, _ *socketio.Socket, i int) error { got <- i; return nil }))
					other := srv.IO.Namespace("/other")
					other.Handle("ask", socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, _ *socketio.Event) error {
						stopped(t, srv.IO)
						return wait(ctx, s)
					}))
					if when == "connecting" {
						ns.OnConnect(wait)
					}
					c := socketiotest.Dial(t, srv.URL, socketiotest.Options{Polling: polling})
					asks := c
					switch when {
					case "before", "after":
						c.Emit("ask")
					case "another namespace":
						asks, _ = socketiotest.Join(t, c.Conn, "/other", nil)
						c.Emit("busy")
						asks.Emit("ask")
					}
					sent := make(chan struct{})
					go func() {
						defer close(sent)
						packets := make([]string, events)
						for i := range events {
							packets[i] = fmt.Sprintf(`42["e",%d]`, i)
						}
						if polling {
							c.SendPacket(strings.Join(packets, "\x1e"))
							return
						}
						for _, p := range packets {
							c.SendPacket(p)
						}
					}()
					q := asks.Expect("q")
					<-sent
					asks.Ack(q, "yes")
					if err := receive(t, asked, "the acknowledgement"); err != nil {
						t.Error(err)
					}
					close(busy)
					for i := range events {
						if n := receive(t, got, "an event"); n != i {
							t.Fatalf("event %d came for %d", n, i)
						}
					}
				})
			}
		}
	}
}

// A handler that waits for its client notices, after any number of events, that the client
// has gone.
func TestEndBehindManyEvents(t *testing.T) {
	for _, polling := range []bool{false, true} {
		for name, end := range map[string]func(*socketiotest.Client){
			"leave": (*socketiotest.Client).Leave, "close": (*socketiotest.Client).Close,
			"break": func(c *socketiotest.Client) { c.Break() },
		} {
			srv := serve(t, socketio.Options{})
			ns := srv.IO.Namespace("/")
			asked := make(chan error, 1)
			ns.Handle("ask", socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, _ *socketio.Event) error {
				_, err := s.EmitWithAck(ctx, "q")
				asked <- err
				return nil
			}))
			c := socketiotest.Dial(t, srv.URL, socketiotest.Options{Polling: polling})
			c.Emit("ask")
			c.Expect("q")
			for range 1000 {
				c.Emit("e")
			}
			end(c)
			if err := receive(t, asked, "the end"); !errors.Is(err, socketio.ErrDisconnected) {
				t.Errorf("%s, polling %v: %v", name, polling, err)
			}
		}
	}
}

// Beyond MaxPendingBytes the wait ends with an error, and the events are handled. Waits
// for the same client in another namespace end too.
func TestAckBacklog(t *testing.T) {
	for name, ask := range askers {
		for _, polling := range []bool{false, true} {
			srv := serve(t, socketio.Options{MaxPendingBytes: 100_000})
			ns := srv.IO.Namespace("/")
			asked := make(chan error, 2)
			wait := socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, _ *socketio.Event) error {
				_, err := ask(ctx, s)
				asked <- err
				return nil
			})
			ns.Handle("ask", wait)
			srv.IO.Namespace("/other").Handle("ask", wait)
			got := make(chan string, 100)
			ns.Handle("e", socketio.Do(func(_ context.Context, _ *socketio.Socket, s string) error { got <- s; return nil }))
			c := socketiotest.Dial(t, srv.URL, socketiotest.Options{Polling: polling})
			other, _ := socketiotest.Join(t, c.Conn, "/other", nil)
			for _, c := range []*socketiotest.Client{other, c} {
				c.Emit("ask")
				c.Expect("q")
			}
			large := strings.Repeat("x", 10_000)
			for range 20 {
				c.Emit("e", large)
			}
			for range 2 {
				if err := receive(t, asked, "the end of the waiting"); !errors.Is(err, socketio.ErrBacklog) {
					t.Errorf("%s, polling %v: %v", name, polling, err)
				}
			}
			for range 20 {
				if s := receive(t, got, "an event"); s != large {
					t.Errorf("%d bytes came", len(s))
				}
			}
		}
	}
}

// While reading is stopped, the heartbeat detects that a client has disconnected.
func TestEndWhileTheReadingIsStopped(t *testing.T) {
	t.Parallel() // it waits
	for _, polling := range []bool{false, true} {
		srv := serve(t, socketio.Options{Engine: engineio.Options{PingInterval: 2 * time.Second, PingTimeout: 2 * time.Second}}) // which a busy machine keeps
		ns := srv.IO.Namespace("/")
		gone := make(chan error, 1)
		ns.Handle("wait", socketio.HandlerFunc(func(ctx context.Context, _ *socketio.Socket, _ *socketio.Event) error {
			<-ctx.Done()
			gone <- context.Cause(ctx)
			return nil
		}))
		c := socketiotest.Dial(t, srv.URL, socketiotest.Options{Polling: polling})
		c.Emit("wait")
		go func() {
			for range 1000 {
				c.Emit("e")
			}
		}()
		stopped(t, srv.IO)
		c.Break()
		if err := receive(t, gone, "the end"); err != socketio.ErrDisconnected {
			t.Errorf("polling %v: %v", polling, err)
		}
	}
}

// EmitWithAck ends at the deadline of its context or, if there is none, after
// Options.AckTimeout. If that is negative, only the end of the context ends it.
func TestEmitWithAckTimeout(t *testing.T) {
	for _, tc := range []struct {
		option, deadline time.Duration
		after            time.Duration
		want             error
	}{
		{0, 0, 30 * time.Second, socketio.ErrTimeout},
		{10 * time.Second, 0, 10 * time.Second, socketio.ErrTimeout},
		{10 * time.Second, time.Minute, time.Minute, context.DeadlineExceeded},
		{-1, 0, time.Hour, context.Canceled},
	} {
		inBubble(t, socketio.Options{AckTimeout: tc.option}, func(t *testing.T, io *socketio.Server, opts engineiotest.Options) {
			c, _ := socketiotest.Join(t, engineiotest.Dial(t, endpoint, opts), "/", nil)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tc.deadline > 0 {
				ctx, cancel = context.WithTimeout(ctx, tc.deadline)
				defer cancel()
			}
			defer time.AfterFunc(time.Hour, cancel).Stop()
			start := time.Now()
			_, err := io.Namespace("/").Socket(c.SID).EmitWithAck(ctx, "q")
			if got := time.Since(start); !errors.Is(err, tc.want) || got != tc.after {
				t.Errorf("%+v: %v after %v", tc, err, got)
			}
			c.Ack(c.Expect("q"), "late") // not awaited any more
		})
	}
}
