package engineio

import (
	"sync"
	"time"
)

// Task is work that a [Handler] has.
type Task = interface{ Run() }

// workers run tasks, begun in the order in which they come. Each has a
// goroutine of its own for as long as it takes, so that no task waits for
// another's end. A goroutine then stays for the next task, since its stack has
// grown to what handlers need, and leaves when fewer would have done for a
// while.
type workers struct {
	ended sync.WaitGroup

	mu      sync.Mutex
	line    []Task
	first   int       // those before it have been taken
	called  bool      // a goroutine is on its way to the line:
	woken   bool      // one that waited, and not a new one
	idle    int       // goroutines that wait to be called
	more    sync.Cond // signalled for one of them to come, or to leave
	spare   int       // the least of idle since the last look
	leaving int       // goroutines that are on their way out
	looking *time.Timer
	closed  bool
}

const (
	// maxIdleWorkers is how many goroutines wait at most.
	maxIdleWorkers = 32
	// lookEvery is how long a goroutine must have been one too many.
	lookEvery = time.Second
)

func newWorkers() *workers {
	w := new(workers)
	w.more.L = &w.mu
	return w
}

// do has tasks run. After close it runs them itself.
func (w *workers) do(tasks ...Task) {
	w.mu.Lock()
	closed := w.closed
	if !closed {
		w.line = append(w.line, tasks...)
		w.call()
	}
	w.mu.Unlock()
	if closed {
		for _, t := range tasks {
			t.Run()
		}
	}
}

// call has a goroutine come to the line where it has a task. That one calls the
// next. w.mu is held.
func (w *workers) call() {
	if w.called || w.first == len(w.line) {
		return
	}
	w.called = true
	if w.idle == 0 {
		w.ended.Go(w.work)
		return
	}
	w.woken = true
	w.idle--
	w.spare = min(w.spare, w.idle)
	w.more.Signal()
}

// take takes the first task. w.mu is held.
func (w *workers) take() Task {
	t := w.line[w.first]
	w.line[w.first] = nil
	if w.first++; w.first > len(w.line)/2 { // a line that is never empty must not grow for ever
		rest := copy(w.line, w.line[w.first:])
		clear(w.line[rest:])
		w.line, w.first = w.line[:rest], 0
	}
	return t
}

func (w *workers) work() {
	w.mu.Lock()
	for w.called = false; ; {
		for w.first < len(w.line) {
			t := w.take()
			w.call() // for the next; this one may block
			w.mu.Unlock()
			t.Run()
			w.mu.Lock()
		}
		if w.closed || w.idle >= maxIdleWorkers || !w.wait() {
			w.mu.Unlock() // not deferred: a panic of a task would unlock what is not locked
			return
		}
	}
}

// wait waits to be called, and reports false where that was to leave. w.mu is
// held, but for the time of waiting.
func (w *workers) wait() (stay bool) {
	w.idle++
	if w.looking == nil {
		w.looking = time.AfterFunc(lookEvery, w.look)
	}
	for {
		w.more.Wait()
		switch {
		case w.woken:
			w.called, w.woken = false, false
			return true
		case w.leaving > 0:
			w.leaving--
			return false
		case w.closed:
			w.idle--
			return false
		}
	}
}

// look sends away those who were not needed since the last look. There is a
// next one as long as somebody waits.
func (w *workers) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.leaving += w.spare
	w.idle -= w.spare
	for range w.spare {
		w.more.Signal()
	}
	w.spare = w.idle
	if w.idle == 0 {
		w.looking = nil
		return
	}
	w.looking.Reset(lookEvery)
}

// close waits until all tasks have ended.
func (w *workers) close() {
	w.mu.Lock()
	w.closed = true
	if w.looking != nil {
		w.looking.Stop()
	}
	w.more.Broadcast()
	w.mu.Unlock()
	w.ended.Wait()
}
