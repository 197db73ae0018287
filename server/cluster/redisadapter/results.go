package redisadapter

import (
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// results reports to those that wait what became of their messages, in the order of
// the messages, on a goroutine of its own: publishing does not wait for them. What
// waits here is bounded by what was in the publisher's queue.
type results struct {
	failed func(error) // may be nil

	mu     sync.Mutex
	list   []result
	closed bool
	wake   chan struct{}
}

type result struct {
	to  *adapter.Acceptance
	err error
}

func (r *results) init(failed func(error)) { r.failed, r.wake = failed, make(chan struct{}, 1) }

func (r *results) put(to *adapter.Acceptance, err error) {
	if to == nil {
		return
	}
	r.mu.Lock()
	r.list = append(r.list, result{to, err})
	r.mu.Unlock()
	r.signal()
}

func (r *results) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *results) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.signal()
}

// run ends when it has reported everything after close.
func (r *results) run() {
	for range r.wake {
		r.mu.Lock()
		list, closed := r.list, r.closed
		r.list = nil
		r.mu.Unlock()
		for _, x := range list {
			r.tell(x)
		}
		if closed {
			return
		}
	}
}

// tell calls foreign code, whose panic must not end the others' waiting.
func (r *results) tell(x result) {
	defer func() {
		if v := recover(); v != nil && r.failed != nil {
			r.failed(fmt.Errorf("redisadapter: panic of a function that learns what became of a message: %v\n%s", v, debug.Stack()))
		}
	}()
	x.to.Resolve(x.err)
}
