package engineio

import (
	"sync"
	"sync/atomic"

	"github.com/puente-io/puente/server/engineio/internal/netpoll"
)

// lazyPoller makes the server's poller when the first WebSocket comes. If that
// fails it tries again with the next one, since what was missing may have been a
// descriptor.
type lazyPoller struct {
	run  func(...Task)
	made atomic.Pointer[netpoll.Poller]

	mu     sync.Mutex
	closed bool
}

// get returns the poller, or nil if there is none.
func (l *lazyPoller) get() *netpoll.Poller {
	p := l.made.Load()
	if p != nil {
		return p
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p = l.made.Load(); p == nil && !l.closed {
		if p, _ = netpoll.New(l.run); p != nil {
			l.made.Store(p)
		}
	}
	return p
}

// close closes the poller, which has no connection any more.
func (l *lazyPoller) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	if p := l.made.Load(); p != nil {
		p.Close()
	}
}
