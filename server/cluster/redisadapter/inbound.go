package redisadapter

import (
	"context"
	"sync"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// delivery is a message on its way from a connection to the one that wants it.
type delivery struct {
	to               target
	channel, payload string
}

// size is what the message counts for in the queue, its bookkeeping included.
func (d delivery) size() int { return len(d.channel) + len(d.payload) + 128 }

// inbound is the queue between the goroutine that reads a connection and the one
// that delivers what it has read. Delivering waits for members that are slow;
// reading goes on meanwhile, so that pongs and echoes are seen, until the queue
// is full. Then the reader stops, and Redis buffers.
type inbound struct {
	limit int // bytes

	mu     sync.Mutex
	queue  []delivery
	bytes  int // of the queue and of what is being delivered
	closed bool
	more   chan struct{} // has an element when there is something to take, or the queue was closed
	space  chan struct{} // closed when bytes have become fewer; nil if nobody waits
}

func newInbound(limit int) *inbound { return &inbound{limit: limit, more: make(chan struct{}, 1)} }

// put appends a message. While the queue is full it waits, after a call of full;
// it reports false if ctx ended first.
func (q *inbound) put(ctx context.Context, d delivery, full func()) bool {
	for {
		q.mu.Lock()
		if q.bytes == 0 || q.bytes+d.size() <= q.limit {
			q.queue = append(q.queue, d)
			q.bytes += d.size()
			q.mu.Unlock()
			q.signal()
			return true
		}
		if q.space == nil {
			q.space = make(chan struct{})
		}
		space := q.space
		q.mu.Unlock()
		full()
		select {
		case <-space:
		case <-ctx.Done():
			return false
		}
	}
}

// haste is how little a delivery may wait for slow members. As the queue fills they
// must not hold up the members of other rooms; and before it is full, and Redis cuts
// the node off, they are given up.
func (q *inbound) haste() adapter.Haste {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.bytes > q.limit/4*3:
		return adapter.Pressed
	case q.bytes > q.limit/16:
		return adapter.Hurried
	}
	return adapter.Patient
}

func (q *inbound) signal() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// take returns all messages; none after close.
func (q *inbound) take(ctx context.Context) []delivery {
	for {
		q.mu.Lock()
		list, closed := q.queue, q.closed
		q.queue = nil
		q.mu.Unlock()
		if len(list) > 0 || closed {
			return list
		}
		select {
		case <-q.more:
		case <-ctx.Done():
			return nil
		}
	}
}

// done says that a message has been delivered.
func (q *inbound) done(d delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= d.size()
	if q.space != nil && q.bytes <= q.limit/2 { // the reader goes on with a run, not with one message
		close(q.space)
		q.space = nil
	}
}

// close says that no more messages will be put. Those in the queue are
// delivered still.
func (q *inbound) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}
