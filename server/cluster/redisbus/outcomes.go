package redisbus

import (
	"fmt"
	"runtime/debug"
	"sync"
)

// outcomes resolves the outcomes of messages, in the order of the messages, on a
// goroutine of its own, so that publishing does not wait for them. The publisher's queue
// bounds what waits here.
type outcomes struct {
	failed func(error) // may be nil

	mu     sync.Mutex
	list   []result
	closed bool
	wake   chan struct{}
}

type result struct {
	of  Outcome
	err error
}

func (o *outcomes) init(failed func(error)) { o.failed, o.wake = failed, make(chan struct{}, 1) }

func (o *outcomes) put(of Outcome, err error) {
	if of == nil {
		return
	}
	o.mu.Lock()
	o.list = append(o.list, result{of, err})
	o.mu.Unlock()
	o.signal()
}

func (o *outcomes) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outcomes) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.signal()
}

// run ends when it has resolved everything after close.
func (o *outcomes) run() {
	for range o.wake {
		o.mu.Lock()
		list, closed := o.list, o.closed
		o.list = nil
		o.mu.Unlock()
		for _, r := range list {
			o.resolve(r)
		}
		if closed {
			return
		}
	}
}

// resolve calls foreign code, whose panic must not prevent the other calls.
func (o *outcomes) resolve(r result) {
	defer func() {
		if v := recover(); v != nil && o.failed != nil {
			o.failed(fmt.Errorf("redisbus: panic in the outcome of a message: %v\n%s", v, debug.Stack()))
		}
	}()
	r.of.Resolve(r.err)
}
