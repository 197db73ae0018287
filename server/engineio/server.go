package engineio

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/puente-io/puente/server/engineio/internal/netpoll"
)

// Server holds the sessions of one Engine.IO endpoint. It is an [http.Handler]
// for that endpoint's path; its methods are safe for concurrent use.
type Server struct {
	opts    Options
	accept  func(*Session, *http.Request) Handler
	flusher *flusher
	backlog *backlog
	workers *workers
	// nil: no permessage-deflate
	deflater *deflater

	pings, pongs, lingers *deadlines
	silences              *deadlines // of protocol 3

	admission admission
	limits    limitCounters
	panics    atomic.Int64
	formed    atomic.Int64 // sessions that take messages in another form than the plain one

	protocol3, protocol3Total atomic.Int64 // sessions, see Protocol3

	goroutines sync.WaitGroup // and WebSockets, which have none while they are silent
	lazyPoller lazyPoller

	mu       sync.RWMutex
	sessions map[string]*Session
	// WebSockets that have said all and wait for the client to end them.
	lingering map[*websocketConn]struct{}
	refusing  bool // no new sessions
	closing   bool // no patience with those that are left
	closed    bool // no new goroutines
}

// New returns a server. accept is called for each new session, with the request
// that opens it, before any message of it is delivered; it returns the
// session's handler. What it sends follows the handshake.
func New(opts Options, accept func(*Session, *http.Request) Handler) *Server {
	srv := &Server{opts: opts.withDefaults(), accept: accept, sessions: make(map[string]*Session), lingering: make(map[*websocketConn]struct{})}
	srv.admission.init(&srv.opts)
	srv.flusher, srv.backlog, srv.workers = newFlusher(srv.spawn), newBacklog(&srv.opts), newWorkers()
	srv.deflater = newDeflater(&srv.opts)
	srv.lazyPoller.run = srv.workers.do
	srv.pings = newDeadlines(srv.opts.PingInterval, (*Session).ping)
	srv.pongs = newDeadlines(srv.opts.PingTimeout, (*Session).pingTimedOut)
	srv.silences = newDeadlines(srv.opts.PingInterval+srv.opts.PingTimeout, (*Session).silent)
	srv.lingers = newDeadlines(srv.opts.CloseTimeout, func(s *Session) { s.close(ReasonForcedClose, nil) })
	return srv
}

// Options returns the options with the defaults filled in.
func (srv *Server) Options() Options { return srv.opts }

// flush starts the flusher, and waits, for a moment, while more is queued than the
// machine can write; it does not wait for clients that are behind.
func (srv *Server) flush() {
	srv.flusher.wake()
	srv.flusher.wait()
}

// Count returns the number of sessions.
func (srv *Server) Count() int {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return len(srv.sessions)
}

// Session returns the open session with the id, or nil.
func (srv *Server) Session(id string) *Session {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return srv.sessions[id]
}

// Sessions returns the current sessions.
func (srv *Server) Sessions() []*Session {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	list := make([]*Session, 0, len(srv.sessions))
	for _, s := range srv.sessions {
		list = append(list, s)
	}
	return list
}

// add reports false if the server takes no new sessions, or has one of this id.
func (srv *Server) add(s *Session) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.refusing || srv.sessions[s.id] != nil {
		return false
	}
	srv.sessions[s.id] = s
	return true
}

func (srv *Server) remove(s *Session) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.sessions[s.id] == s {
		delete(srv.sessions, s.id)
	}
}

// spawn runs f on a goroutine that Close waits for. It reports false, and does
// not run f, on a closed server.
func (srv *Server) spawn(f func()) bool {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	if srv.closed {
		return false
	}
	srv.goroutines.Go(f)
	return true
}

// poller returns the poller, or nil if there is none: then a goroutine reads each
// WebSocket.
func (srv *Server) poller() *netpoll.Poller { return srv.lazyPoller.get() }

// enter counts a WebSocket for which Close waits. It reports false on a closed
// server.
func (srv *Server) enter() bool {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	if srv.closed {
		return false
	}
	srv.goroutines.Add(1)
	return true
}

// do runs a task, if there is one, on another goroutine.
func (srv *Server) do(t Task) {
	if t != nil {
		srv.workers.do(t)
	}
}

// Drain refuses new sessions and closes the existing ones, spread evenly over
// the given time so that they do not come back to the other servers at once.
// It returns when all are closed or ctx ends.
func (srv *Server) Drain(ctx context.Context, over time.Duration) {
	srv.mu.Lock()
	srv.refusing = true
	srv.mu.Unlock()
	sessions := srv.Sessions()
	start := time.Now()
	for i, s := range sessions {
		due := start.Add(over * time.Duration(i) / time.Duration(len(sessions)))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return
		}
		s.CloseWithReason(ReasonShutdown, nil)
	}
}

// Draining reports whether the server refuses new sessions, because of Drain or
// Close.
func (srv *Server) Draining() bool {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return srv.refusing
}

// Close refuses new sessions, closes the existing ones at once and waits until
// their goroutines have ended, or ctx has.
func (srv *Server) Close(ctx context.Context) error {
	srv.mu.Lock()
	srv.refusing, srv.closing = true, true
	srv.mu.Unlock()
	for _, s := range srv.Sessions() {
		s.close(ReasonShutdown, nil)
	}
	srv.hurryLingering()
	queues := []*deadlines{srv.pings, srv.pongs, srv.silences, srv.lingers}
	for _, q := range queues {
		q.stop()
	}
	srv.backlog.stop()
	srv.mu.Lock()
	srv.closed = true
	srv.mu.Unlock()
	done := make(chan struct{})
	go func() {
		for _, q := range queues {
			q.busy.Wait()
		}
		srv.backlog.busy.Wait()
		srv.goroutines.Wait()
		srv.lazyPoller.close()
		srv.workers.close()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
