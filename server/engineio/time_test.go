package engineio

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

// inBubble runs f with a server under the clock of testing/synctest.
func inBubble(t *testing.T, opts Options, f func(t *testing.T, srv *Server, sessions chan *recorder)) {
	synctest.Test(t, func(t *testing.T) {
		sessions := make(chan *recorder, 100)
		srv := New(opts, accepting(sessions))
		f(t, srv, sessions)
		shut(t, srv)
	})
}

func TestHeartbeat(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		start := time.Now()
		c := dialPipe(t, srv, "")
		r := <-sessions
		if open := <-c.got; !strings.HasPrefix(open, "0{") {
			t.Fatalf("got %q", open)
		}
		for i := 1; i <= 3; i++ {
			c.want(t, "2")
			if got := time.Since(start); got != time.Duration(i)*25*time.Second {
				t.Errorf("ping %d came after %v", i, got)
			}
			c.send("3")
			synctest.Wait()
		}
		c.want(t, "2")
		c.want(t, "close 1005")
		c.want(t, "eof")
		if got := time.Since(start); got < 120*time.Second || got > 120*time.Second+lingerTime {
			t.Errorf("closed after %v", got)
		}
		if got := <-r.closed; got != string(ReasonPingTimeout) {
			t.Errorf("reason %q", got)
		}
	})
}

// Pongs that answer no ping do not put the next one off.
func TestHeartbeatUnsolicitedPongs(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		start := time.Now()
		c := dialPipe(t, srv, "")
		<-c.got
		for range 24 {
			time.Sleep(time.Second)
			c.send("3")
		}
		c.want(t, "2")
		if got := time.Since(start); got != 25*time.Second {
			t.Errorf("the ping came after %v", got)
		}
	})
}

// A message that comes while a pong is awaited prolongs the wait, once per ping: the pong
// may be queued behind it.
func TestHeartbeatProlonged(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		c := dialPipe(t, srv, "")
		r := <-sessions
		<-c.got
		for range 2 { // for each ping
			c.want(t, "2")
			start := time.Now()
			time.Sleep(15 * time.Second)
			c.send("4large")
			time.Sleep(19 * time.Second)
			if !r.session.Open() {
				t.Fatalf("closed after %v", time.Since(start))
			}
			c.send("3")
		}
		c.want(t, "2")
		start := time.Now()
		for r.session.Open() {
			time.Sleep(time.Second)
			c.send("4still here")
			synctest.Wait()
		}
		if got := r.reason(t); got != ReasonPingTimeout || time.Since(start) != 21*time.Second {
			t.Errorf("closed with %q after %v", got, time.Since(start))
		}
	})
}

func TestHeartbeatPolling(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		pollOnce(srv, "GET", "", "")
		r := <-sessions
		id := r.session.ID()
		if _, body := pollOnce(srv, "GET", id, ""); body != "2" {
			t.Errorf("got %q", body)
		}
		pollOnce(srv, "POST", id, "3")
		start := time.Now()
		if _, body := pollOnce(srv, "GET", id, ""); body != "2" || time.Since(start) != 25*time.Second {
			t.Errorf("got %q after %v", body, time.Since(start))
		}
		if _, body := pollOnce(srv, "GET", id, ""); body != "1" || time.Since(start) != 45*time.Second {
			t.Errorf("got %q after %v", body, time.Since(start))
		}
		if got := <-r.closed; got != string(ReasonPingTimeout) {
			t.Errorf("reason %q", got)
		}
		if status, body := pollOnce(srv, "GET", id, ""); status != 400 || !strings.Contains(body, `"code":1`) {
			t.Errorf("the session is still there: %d %s", status, body)
		}
	})
}

// While a handler is busy, the client's pong is not read: the heartbeat waits, for a
// bounded time.
func TestHeartbeatBusyHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := make(chan time.Duration)
		closed := make(chan Reason, 1)
		srv := New(Options{}, acceptFuncs(HandlerFuncs{
			Message: func(*Session, []byte, bool) { time.Sleep(<-busy) },
			Close:   func(_ *Session, reason Reason, _ error) { closed <- reason },
		}))
		c := dialPipe(t, srv, "")
		<-c.got
		go c.send("4work")
		busy <- time.Minute
		c.want(t, "2")
		go c.send("3")
		time.Sleep(40 * time.Second)
		select {
		case r := <-closed:
			t.Fatalf("closed while the handler was busy: %s", r)
		default:
		}
		go c.send("4work")
		busy <- time.Hour
		start := time.Now()
		if r := <-closed; r != ReasonPingTimeout {
			t.Errorf("reason %q", r)
		}
		if got := time.Since(start); got > 2*time.Minute {
			t.Errorf("closed after %v", got)
		}
		time.Sleep(time.Hour)
		shut(t, srv)
	})
}

func TestUpgradeTimeout(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		pollOnce(srv, "GET", "", "")
		r := <-sessions
		start := time.Now()
		c := dialPipe(t, srv, r.session.ID())
		c.send("2probe")
		c.want(t, "3probe")
		c.want(t, "close 1005")
		c.want(t, "eof")
		if got := time.Since(start); got != 10*time.Second {
			t.Errorf("closed after %v", got)
		}
		r.session.Send(TextFrame([]byte("alive")))
		if _, body := pollOnce(srv, "GET", r.session.ID(), ""); body != "4alive" {
			t.Errorf("got %q", body)
		}
	})
}

// A poll that comes while a WebSocket is probed is released soon.
func TestUpgradeReleasesPolls(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		pollOnce(srv, "GET", "", "")
		r := <-sessions
		c := dialPipe(t, srv, r.session.ID())
		c.send("2probe")
		c.want(t, "3probe")
		synctest.Wait()
		start := time.Now()
		if _, body := pollOnce(srv, "GET", r.session.ID(), ""); body != "6" || time.Since(start) != noopAfter {
			t.Errorf("got %q after %v", body, time.Since(start))
		}
		// A poll that waited before is released by the probe.
		c.conn.Close()
		synctest.Wait()
		got := make(chan string)
		go func() { _, body := pollOnce(srv, "GET", r.session.ID(), ""); got <- body }()
		synctest.Wait()
		c = dialPipe(t, srv, r.session.ID())
		start = time.Now()
		c.send("2probe")
		c.want(t, "3probe")
		if body := <-got; body != "6" || time.Since(start) != 0 {
			t.Errorf("got %q after %v", body, time.Since(start))
		}
		c.send("5")
		synctest.Wait()
		r.session.Send(TextFrame([]byte("here")))
		c.want(t, "4here")
	})
}

// A client sends the upgrade packet and then a poll, which arrives on another connection.
// The poll is refused, whether the server reads it before the packet or after it.
func TestUpgradeOvertakenByPoll(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		pollOnce(srv, "GET", "", "")
		r := <-sessions
		c := dialPipe(t, srv, r.session.ID())
		c.send("2probe")
		c.want(t, "3probe")
		synctest.Wait()
		type answer struct {
			status int
			body   string
		}
		got := make(chan answer)
		go func() { status, body := pollOnce(srv, "GET", r.session.ID(), ""); got <- answer{status, body} }()
		synctest.Wait()
		c.send("5")
		if a := <-got; a.status != 400 || a.body != `{"code":3,"message":"Bad request"}` {
			t.Errorf("the poll was answered %d %s", a.status, a.body)
		}
		r.session.Send(TextFrame([]byte("here")))
		c.want(t, "4here")
		status, body := pollOnce(srv, "GET", r.session.ID(), "")
		if status != 400 || body != `{"code":3,"message":"Bad request"}` {
			t.Errorf("a poll after the upgrade was answered %d %s", status, body)
		}
	})
}

// A client polls and then posts its close packet: the poll ends with a noop, even if the
// post is read first.
func TestCloseOvertakesPoll(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		pollOnce(srv, "GET", "", "")
		r := <-sessions
		start := time.Now()
		posted := make(chan string)
		post := func() { _, body := pollOnce(srv, "POST", r.session.ID(), "1"); posted <- body }
		go post()
		synctest.Wait()
		if status, body := pollOnce(srv, "GET", r.session.ID(), ""); status != 200 || body != "6" {
			t.Errorf("the poll was answered %d %s", status, body)
		}
		if body := <-posted; body != "ok" || time.Since(start) != 0 {
			t.Errorf("the post was answered %q after %v", body, time.Since(start))
		}
		if got := r.reason(t); got != ReasonTransportClose {
			t.Errorf("reason %q", got)
		}
		// No poll comes: the post waits for one only for a moment.
		pollOnce(srv, "GET", "", "")
		r = <-sessions
		go post()
		if body := <-posted; body != "ok" || time.Since(start) != overtaking {
			t.Errorf("the post was answered %q after %v", body, time.Since(start))
		}
		if status, body := pollOnce(srv, "GET", r.session.ID(), ""); status != 400 || body != `{"code":1,"message":"Session ID unknown"}` {
			t.Errorf("a poll after the close packet was answered %d %s", status, body)
		}
	})
}

// If Session.Close is called while an upgrade completes, what is queued is sent over the
// WebSocket, and the poll does not bring a close packet before that.
func TestCloseDuringUpgrade(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		pollOnce(srv, "GET", "", "")
		r := <-sessions
		c := dialPipe(t, srv, r.session.ID())
		c.send("2probe")
		c.want(t, "3probe")
		r.session.Send(TextFrame([]byte("last")))
		r.session.Close()
		c.send("5")
		c.want(t, "4last")
		c.want(t, "close 1005")
	})
}

// A client that does not take what is queued cannot keep its session for
// longer than CloseTimeout, nor can one that does not answer our close frame.
func TestCloseTimeouts(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		pollOnce(srv, "GET", "", "")
		r := <-sessions
		r.session.Send(TextFrame([]byte("x")))
		r.session.Close()
		time.Sleep(30*time.Second - 1)
		if srv.Count() != 1 {
			t.Error("ended too early")
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if srv.Count() != 0 {
			t.Error("polling: the session does not end")
		}

		start := time.Now()
		c := dialPipe(t, srv, "")
		r = <-sessions
		<-c.got
		r.session.Close()
		c.want(t, "close 1005")
		c.want(t, "eof")
		if got := time.Since(start); got != lingerTime {
			t.Errorf("the connection ended after %v", got)
		}
		synctest.Wait()
		if srv.Count() != 0 {
			t.Error("WebSocket: the session does not end")
		}
	})
}

// One close frame answers one close frame.
func TestOneCloseFrame(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		c := dialPipe(t, srv, "")
		r := <-sessions
		<-c.got
		r.session.Close()
		c.want(t, "close 1005")
		c.conn.Write(clientFrame(ws.OpClose, true, "\x03\xe8"))
		c.want(t, "eof")
		if n := r.closes; n != 1 {
			t.Errorf("HandleClose was called %d times", n)
		}
	})
}

func TestDrain(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		start := time.Now()
		ends := make(chan time.Duration, 10)
		for range 10 {
			c := dialPipe(t, srv, "")
			go func() {
				for m := range c.got {
					if strings.HasPrefix(m, "close") {
						ends <- time.Since(start)
						c.conn.Close()
					}
					if m == "eof" {
						return
					}
				}
			}()
		}
		synctest.Wait()
		drained := make(chan bool)
		go func() { srv.Drain(t.Context(), 10*time.Second); drained <- true }()
		synctest.Wait()
		if status, _ := pollOnce(srv, "GET", "", ""); status != 503 {
			t.Errorf("a new session was answered %d", status)
		}
		for i := range 10 {
			if got := <-ends; got != time.Duration(i)*time.Second {
				t.Errorf("connection %d was closed after %v", i, got)
			}
			r := <-sessions
			if got := <-r.closed; got != string(ReasonShutdown) {
				t.Errorf("reason %q", got)
			}
		}
		<-drained
		synctest.Wait()
		if n := srv.Count(); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
}

func TestDrainEndsWithContext(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		pollOnce(srv, "GET", "", "")
		pollOnce(srv, "GET", "", "")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		srv.Drain(ctx, time.Hour)
		if n := len(sessions); n != 2 {
			t.Errorf("%d sessions", n)
		}
	})
}

// Close waits for a handler, until its context ends at most.
func TestCloseBusyHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := New(Options{}, acceptFuncs(HandlerFuncs{Message: func(*Session, []byte, bool) { time.Sleep(time.Minute) }}))
		c := dialPipe(t, srv, "")
		<-c.got
		c.send("4x")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := srv.Close(ctx); err != context.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Minute)
		shut(t, srv)
	})
}
