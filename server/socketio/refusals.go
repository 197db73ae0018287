package socketio

import (
	"time"

	"github.com/puente-io/puente/server/engineio"
)

// Refusals counts what a client was refused within a window of time, which begins
// with the first refusal. The zero value has counted nothing. It is not safe for
// concurrent use.
type Refusals struct {
	ends  int64 // Unix nanoseconds
	count int
}

// Exceeds counts one more and reports whether that is the first above the limit;
// a limit of 0 or less is never exceeded.
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

// Count is how many refusals were counted in the window of the last one.
func (r *Refusals) Count() int { return r.count }

// refused counts a CONNECT that was refused, and ends the connection of a client
// whose CONNECTs are refused again and again, with all sockets that it has.
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
