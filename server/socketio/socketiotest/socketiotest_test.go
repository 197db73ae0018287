package socketiotest_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
	"github.com/puente-io/puente/server/waittest"
)

func TestMain(m *testing.M) { os.Exit(waittest.Run(m)) }

// What a test of a program looks like, over each transport.
func TestChat(t *testing.T) {
	for name, opts := range map[string]socketiotest.Options{
		"WebSocket": {}, "polling": {Polling: true}, "upgrade": {Upgrade: true},
	} {
		t.Run(name, func(t *testing.T) {
			io := socketio.New(socketio.Options{})
			io.Namespace("/").Handle("say", socketio.Func(func(ctx context.Context, s *socketio.Socket, text string) (int, error) {
				return len(text), s.Broadcast().Emit(ctx, "said", text, []byte(text))
			}))
			srv := socketiotest.NewServer(io)
			defer srv.Close()

			alice := socketiotest.Dial(t, srv.URL, opts)
			bob := socketiotest.Dial(t, srv.URL, opts)
			if ack := alice.EmitAck("say", "hello"); string(ack[0]) != "5" {
				t.Errorf("acknowledged with %s", ack)
			}
			var text string
			said := bob.Expect("said")
			if err := said.Decode(0, &text); err != nil || text != "hello" || string(said.Attachments[0]) != "hello" {
				t.Errorf("got %s, %v", said.Args, err)
			}
			alice.Leave()
			io.Namespace("/").Socket(bob.SID).Disconnect(true)
			bob.ExpectDisconnect()
			bob.End()
		})
	}
}

// relay makes a server whose event "ask" asks all other clients, and sends what it
// got for "noise" many times before.
func relay(t *testing.T) *socketiotest.Server {
	io := socketio.New(socketio.Options{})
	ns := io.Namespace("/")
	ns.Handle("ask", socketio.Func(func(ctx context.Context, s *socketio.Socket, text string) ([]string, error) {
		for range 3 {
			if err := ns.Emit(ctx, "noise", text); err != nil {
				return nil, err
			}
		}
		answers, err := socketio.AskAll[string](ctx, s.Broadcast(), "asked", text, []byte("blob"))
		var list []string
		for _, a := range answers {
			list = append(list, a.Value)
		}
		return list, err
	}))
	srv := socketiotest.NewServer(io)
	t.Cleanup(srv.Close)
	return srv
}

// A test may wait for the events that matter, in any order, even if another client has
// to answer first.
func TestAwait(t *testing.T) {
	for name, opts := range map[string]socketiotest.Options{"WebSocket": {}, "polling": {Polling: true}} {
		t.Run(name, func(t *testing.T) {
			srv := relay(t)
			ana, ben := socketiotest.Dial(t, srv.URL, opts), socketiotest.Dial(t, srv.URL, opts)
			pending := ana.Send("ask", "hello")
			asked := ben.Await("asked")
			if got := asked.String(); got != `asked("hello", {"_placeholder":true,"num":0})` {
				t.Errorf("got %s", got)
			}
			ben.Ack(asked, "yes")
			if got := fmt.Sprintf("%s", pending.Ack()); got != `[["yes"]]` {
				t.Errorf("got %s", got)
			}
			for range 3 {
				ben.Expect("noise") // they are kept
			}
			ben.ExpectNothing(10 * time.Millisecond)
			ana.Ignore("noise")
			ana.ExpectNothing(10 * time.Millisecond)
		})
	}
}

// Several goroutines may wait at the same time, for acknowledgements and for events.
func TestManyGoroutines(t *testing.T) {
	srv := relay(t)
	ana, ben := socketiotest.Dial(t, srv.URL, socketiotest.Options{}), socketiotest.Dial(t, srv.URL, socketiotest.Options{})
	ben.Ignore("noise")
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			want := fmt.Sprintf(`[["%d"]]`, i)
			if got := fmt.Sprintf("%s", ana.Send("ask", fmt.Sprint(i)).Ack()); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
		wg.Go(func() {
			e := ben.Await("asked")
			var text string
			if err := e.Decode(0, &text); err != nil {
				t.Error(err)
			}
			ben.Ack(e, text)
		})
		wg.Go(func() {
			for range 3 {
				ana.Await("noise")
			}
		})
	}
	wg.Wait()
	ana.ExpectNothing(0)
}

// fakeT is a test that may fail.
type fakeT struct {
	testing.TB
	failed chan string
}

func (f fakeT) Helper() {}

func (f fakeT) Fatalf(format string, args ...any) {
	f.failed <- fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// The message of a failed expectation names the event that came instead.
func TestFailures(t *testing.T) {
	srv := relay(t)
	for want, fail := range map[string]func(c *socketiotest.Client){
		`got the event noise("x"), want "asked"`:      func(c *socketiotest.Client) { c.Expect("asked") },
		`got the event noise("x"), want none`:         func(c *socketiotest.Client) { c.ExpectNothing(time.Minute) },
		`got the event noise("x"), want a disconnect`: func(c *socketiotest.Client) { c.EmitAck("ask", "y"); c.ExpectDisconnect() },
	} {
		f := fakeT{t, make(chan string, 1)}
		c := socketiotest.Dial(f, srv.URL, socketiotest.Options{})
		srv.IO.Namespace("/").To(c.SID).Emit(t.Context(), "noise", "x")
		go fail(c)
		if got := <-f.failed; got != "socketiotest: "+want {
			t.Errorf("got %q, want %q", got, want)
		}
		c.Close()
	}
}
