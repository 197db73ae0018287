package redisbus

import (
	"context"
	"sync"
)

// delivery is a message on its way from a connection to its receiver.
type delivery struct {
	to               Target
	channel, payload string
}

// size returns how many bytes the message counts for in the queue, bookkeeping included.
func (d delivery) size() int { return len(d.channel) + len(d.payload) + 128 }

// inbound is the queue between the goroutine that reads a connection and the one that
// delivers what was read. Receivers wait for slow members; reading goes on meanwhile,
// so that pongs and echoes are seen, until the queue is full. Then the reader stops, and
// Redis buffers.
type inbound struct {
	limit int // bytes

	mu     sync.Mutex
	queue  []delivery
	bytes  int // of the queue and of what is being delivered
	closed bool
	more   chan struct{} // has an element when there is something to take, or the queue was closed
	space  chan struct{} // closed when there is room again; nil if nobody waits
}

func newInbound(limit int) *inbound { return &inbound{limit: limit, more: make(chan struct{}, 1)} }

// put appends a message. While the queue is full it calls full and waits; it reports
// false if ctx ends first.
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

// backlog returns how much waits. At High, slow members must not hold up the members of
// other rooms; at Full they must be given up, before Redis cuts the node off.
func (q *inbound) backlog() Backlog {
	q.mu.Lock()
	defer q.mu.Unlock()
	return BacklogOf(q.bytes, q.limit)
}

// BacklogOf returns the backlog of a queue that has so many bytes of a limit.
func BacklogOf(bytes, limit int) Backlog {
	switch {
	case bytes > limit/4*3:
		return Full
	case bytes > limit/16:
		return High
	}
	return Low
}

func (q *inbound) signal() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// take waits for messages and returns all of them; none after close or if ctx ends.
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

// done records that a message has been delivered.
func (q *inbound) done(d delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= d.size()
	if q.space != nil && q.bytes <= q.limit/2 { // so that the reader continues with many messages, not with one
		close(q.space)
		q.space = nil
	}
}

// close ends the queue. Messages that it has are still taken.
func (q *inbound) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}
