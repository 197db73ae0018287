package socketio

import (
	"time"

	"github.com/puente-io/puente/server/engineio"
)

// Refusals counts refusals within a window of time that starts with the first
// one. The zero value is ready to use. It is not safe for concurrent use.
type Refusals struct {
	ends  int64 // Unix nanoseconds
	count int
}

// Exceeds counts one refusal and reports whether it is the first above the
// limit. A limit of 0 or less is never exceeded.
func (r *Refusals) Exceeds(limit int, window time.Duration) bool {
	if limit <= 0 {
		return false
	}
	if now := time.Now(); now.UnixNano() >= r.ends {
		r.ends, r.count = now.Add(window).UnixNano(), 0
	}
	r.count++
	return r.count == limit+1
}

// Count returns the number of refusals in the current window.
func (r *Refusals) Count() int { return r.count }

// refused counts a refused CONNECT and closes the connection, with all of its
// sockets, if there were too many.
func (c *client) refused() {
	opts := &c.server.opts
	c.mu.Lock()
	flood := c.refusals.Exceeds(opts.MaxRefusedConnects, opts.RefusalWindow)
	c.mu.Unlock()
	if flood {
		c.server.limits.refusedConnects.Add(1)
		c.session.CloseWithReason(engineio.Reason(ReasonRefusals), nil)
	}
}
