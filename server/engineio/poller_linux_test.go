package engineio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/waittest"
)

// idleWorkers is how many workers wait for the next task.
func (srv *Server) idleWorkers() int {
	srv.workers.mu.Lock()
	defer srv.workers.mu.Unlock()
	return srv.workers.idle
}

// serveMessages starts a server whose sessions' messages go to handle.
func serveMessages(t *testing.T, handle func(s *Session, data []byte, binary bool)) *endpoint {
	e := &endpoint{sessions: make(chan *recorder, 1000)}
	e.Server = New(Options{}, func(s *Session, _ *http.Request) Handler {
		e.sessions <- &recorder{session: s}
		return HandlerFuncs{Message: handle}
	})
	hs := httptest.NewServer(e.Server)
	e.url = hs.URL + "/engine.io/"
	t.Cleanup(func() {
		shut(t, e.Server)
		hs.Close()
	})
	return e
}

// Connections come, send their name, and go, so that descriptors and slots are reused at
// once. No session receives what another session's client has sent.
func TestPollerDescriptorsAreReused(t *testing.T) {
	var mu sync.Mutex
	said := make(map[*Session]string)
	e := serveMessages(t, func(s *Session, data []byte, _ bool) {
		mu.Lock()
		defer mu.Unlock()
		if name := said[s]; name != "" && name != string(data) {
			t.Errorf("the session of %s got %s", name, data)
		}
		said[s] = string(data)
	})
	const rounds, clients = 40, 8
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for round := range rounds {
				name := fmt.Sprintf("%d in round %d", i, round)
				frame := clientFrame(ws.OpText, true, "4"+name)
				conn := upgradeRequest(t, e, "", frame, frame)
				if round%2 == 0 { // what follows races with the end
					conn.Write(frame)
					conn.(*net.TCPConn).SetLinger(0)
				}
				conn.Close()
			}
		})
	}
	all.Wait()
	waittest.Until(t, "all are gone", func() bool { return e.Count() == 0 && e.poller().Count() == 0 })
}

// There is a worker for the next connection, however many handlers block. When the
// handlers have returned, at most maxIdleWorkers stay.
func TestPollerWorkersGrow(t *testing.T) {
	const busy = 4 * maxIdleWorkers
	release := make(chan struct{})
	var waiting atomic.Int64
	e := serveMessages(t, func(s *Session, data []byte, _ bool) {
		if string(data) == "wait" {
			waiting.Add(1)
			<-release
		}
		s.Send(TextFrame(data))
	})
	clients := make([]*engineiotest.Conn, busy)
	for i := range clients {
		clients[i], _ = e.dial(t, false)
		clients[i].SendText("wait")
	}
	waittest.Until(t, "all wait", func() bool { return waiting.Load() == busy })
	c, _ := e.dial(t, false)
	c.SendText("served")
	if got := c.Text(); got != "served" {
		t.Errorf("got %q", got)
	}
	close(release)
	for _, c := range clients {
		if got := c.Text(); got != "wait" {
			t.Errorf("got %q", got)
		}
	}
	waittest.Until(t, "workers wait", func() bool { return e.idleWorkers() > 0 })
	if idle := e.idleWorkers(); idle > maxIdleWorkers {
		t.Errorf("%d workers are kept, want %d at most", idle, maxIdleWorkers)
	}
}

// A connection ends, in each possible way, while its worker runs the handler and more
// bytes have arrived: the session ends once, nothing is delivered after that, and the
// poller forgets the connection.
func TestPollerEndsInFlight(t *testing.T) {
	for name, end := range map[string]func(s *Session, conn net.Conn){
		"reset":               func(_ *Session, conn net.Conn) { conn.(*net.TCPConn).SetLinger(0); conn.Close() },
		"closed":              func(_ *Session, conn net.Conn) { conn.Close() },
		"close packet":        func(_ *Session, conn net.Conn) { conn.Write(clientFrame(ws.OpText, true, "1")) },
		"closed here":         func(s *Session, _ net.Conn) { s.Close() },
		"closed here at once": func(s *Session, _ net.Conn) { s.close(ReasonShutdown, nil) },
		"both":                func(s *Session, conn net.Conn) { conn.Close(); s.close(ReasonShutdown, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			entered, release := make(chan *Session, 1), make(chan struct{})
			var after, closes atomic.Int64
			e := &endpoint{}
			e.Server = New(Options{}, acceptFuncs(HandlerFuncs{
				Message: func(s *Session, data []byte, _ bool) {
					if string(data) == "wait" {
						entered <- s
						<-release
					} else if !s.Open() {
						after.Add(1)
					}
				},
				Close: func(*Session, Reason, error) { closes.Add(1) },
			}))
			hs := httptest.NewServer(e.Server)
			defer hs.Close()
			e.url = hs.URL + "/engine.io/"
			conn := upgradeRequest(t, e, "", clientFrame(ws.OpText, true, "4wait"))
			s := receive(t, entered, "the message")
			for range 10 {
				conn.Write(clientFrame(ws.OpText, true, "4more"))
			}
			end(s, conn)
			if strings.HasPrefix(name, "closed here") || name == "both" {
				waittest.Until(t, "the handler hears of the end", func() bool { return closes.Load() == 1 })
			}
			close(release)
			conn.Close() // otherwise a session that the server closed would wait for the client
			waittest.Until(t, "the session is gone", func() bool { return e.Count() == 0 && closes.Load() == 1 })
			waittest.Until(t, "the poller has forgotten it", func() bool { return e.poller().Count() == 0 })
			shut(t, e.Server)
			if closes.Load() != 1 || after.Load() != 0 {
				t.Errorf("ended %d times, %d messages afterwards", closes.Load(), after.Load())
			}
		})
	}
}

// Close waits for a worker that runs a handler, and for all other workers; goleak reports
// one that is left.
func TestPollerCloseJoins(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	e := serveMessages(t, func(*Session, []byte, bool) { entered <- struct{}{}; <-release })
	for range 10 {
		e.dial(t, false)
	}
	c, _ := e.dial(t, false)
	c.SendText("wait")
	receive(t, entered, "the message")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Close(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("Close while a handler runs: %v", err)
	}
	close(release)
	shut(t, e.Server)
	if taken, idle := e.poller().Count(), e.idleWorkers(); taken != 0 || idle != 0 {
		t.Errorf("%d connections and %d workers are left", taken, idle)
	}
}

// If the server has no descriptor left for its poller when the first WebSocket
// connects, it creates the poller for a later one.
func TestPollerComesWithDescriptors(t *testing.T) {
	srv := New(Options{}, func(*Session, *http.Request) Handler { return HandlerFuncs{} })
	defer shut(t, srv)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	without := srv.poller()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if without != nil {
		t.Error("a poller without a descriptor")
	}
	if srv.poller() == nil {
		t.Error("no poller with descriptors")
	}
}
