package utils

import (
	"sync"
	"time"
)

// Timer calls a function once, or again and again. Its methods are safe for
// concurrent use.
type Timer struct {
	every time.Duration
	again bool
	f     func()

	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

// SetTimeout calls f on a goroutine of its own after the given time.
func SetTimeout(f func(), after time.Duration) *Timer { return start(f, after, false) }

// SetTimeOut is SetTimeout.
//
// Deprecated: it is there for programs that still use this name.
func SetTimeOut(f func(), after time.Duration) *Timer { return SetTimeout(f, after) }

// SetInterval calls f again and again. A call that takes longer than the interval
// does not delay the next.
func SetInterval(f func(), every time.Duration) *Timer { return start(f, every, true) }

func start(f func(), every time.Duration, again bool) *Timer {
	t := &Timer{every: every, again: again, f: f}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = time.AfterFunc(every, t.fire)
	return t
}

func (t *Timer) fire() {
	t.mu.Lock()
	if t.stopped {
		t.mu.Unlock()
		return
	}
	if t.again {
		t.timer.Reset(t.every)
	}
	t.mu.Unlock()
	t.f()
}

// Stop stops the timer. A call that has begun goes on.
func (t *Timer) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	t.timer.Stop()
}

// Refresh starts the time from the beginning.
func (t *Timer) Refresh() *Timer {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = false
	t.timer.Reset(t.every)
	return t
}

// Unref does nothing: a timer keeps no Go program running.
func (t *Timer) Unref() {}

// ClearTimeout stops a timer; nil is allowed.
func ClearTimeout(t *Timer) {
	if t != nil {
		t.Stop()
	}
}

// ClearInterval is ClearTimeout.
func ClearInterval(t *Timer) { ClearTimeout(t) }
