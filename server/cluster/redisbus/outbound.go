package redisbus

import (
	"context"
	"sync"
	"time"
)

// queued is a message on its way to Redis.
type queued struct {
	Message
	expires time.Time // of the outcome; zero if there is none
}

// size returns how many bytes the message counts for in the queue, bookkeeping included.
func (q queued) size() int { return len(q.Channel) + len(q.Payload) + 128 }

// outbound is the queue of a publisher.
type outbound struct {
	limit int           // bytes
	wake  chan struct{} // has an element when there is something to do

	mu     sync.Mutex
	queue  []queued
	bytes  int           // of the queue and of what is being sent
	space  chan struct{} // closed when bytes have become fewer, or the queue was closed
	away   error         // with which messages are dropped at once; nil if they are not
	closed bool
}

func (o *outbound) init(limit int) {
	o.limit, o.wake, o.space = limit, make(chan struct{}, 1), make(chan struct{})
}

// put appends a message. While the queue is full it waits, for at most the patience,
// or, without wait, not at all.
func (o *outbound) put(ctx context.Context, q queued, wait bool, patience time.Duration) error {
	var end <-chan time.Time
	for {
		space, err := o.append(q)
		if space == nil {
			return err
		}
		if !wait {
			return errFull
		}
		if end == nil {
			timer := time.NewTimer(patience)
			defer timer.Stop()
			end = timer.C
		}
		select {
		case <-space:
		case <-end:
			return errFull
		case <-ctx.Done():
			return errFull
		}
	}
}

// append appends a message, or returns a channel that is closed before the next
// attempt.
func (o *outbound) append(q queued) (space <-chan struct{}, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return nil, ErrClosed
	case o.away != nil:
		return nil, o.away
	case o.bytes > 0 && o.bytes+q.size() > o.limit:
		return o.space, nil
	}
	o.queue = append(o.queue, q)
	o.bytes += q.size()
	o.signal()
	return nil, nil
}

func (o *outbound) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take empties the queue. Its messages count until release.
func (o *outbound) take() (queue []queued, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	queue, o.queue = o.queue, nil
	return queue, o.closed
}

// release records that messages are no longer being sent.
func (o *outbound) release(messages []queued) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, q := range messages {
		o.bytes -= q.size()
	}
	o.freed()
}

// freed wakes those that wait for room. o.mu must be held.
func (o *outbound) freed() {
	close(o.space)
	o.space = make(chan struct{})
}

// giveUp empties the queue and makes put fail with the error from now on.
func (o *outbound) giveUp(err error) []queued {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away = err
	queue := o.queue
	o.queue = nil
	return queue
}

// resume ends giveUp.
func (o *outbound) resume() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away = nil
}

// isAway returns the error with which put fails at present, or nil.
func (o *outbound) isAway() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.away
}

func (o *outbound) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.freed()
	o.signal()
}
