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
// grown to what handlers need, and exits if fewer would have been enough for a
// while.
type workers struct {
	ended sync.WaitGroup

	mu          sync.Mutex
	line        []Task
	first       int       // those before it have been taken
	wakePending bool      // a goroutine is on its way to the line:
	wakeIsIdle  bool      // one that was idle, and not a new one
	idle        int       // goroutines that wait for a task
	more        sync.Cond // signalled for one of them to take a task, or to exit
	minIdle     int       // the least of idle since the last trim
	exiting     int       // idle goroutines that are to exit
	trimmer     *time.Timer
	closed      bool
}

const (
	// maxIdleWorkers is how many goroutines wait at most.
	maxIdleWorkers = 32
	// idleTrim: idle goroutines that were not needed for this long exit.
	idleTrim = time.Second
)

func newWorkers() *workers {
	w := new(workers)
	w.more.L = &w.mu
	return w
}

// do runs tasks on other goroutines; after close, on the caller's.
func (w *workers) do(tasks ...Task) {
	w.mu.Lock()
	closed := w.closed
	if !closed {
		w.line = append(w.line, tasks...)
		w.wake()
	}
	w.mu.Unlock()
	if closed {
		for _, t := range tasks {
			t.Run()
		}
	}
}

// wake brings a goroutine to the line if a task waits there; that goroutine wakes the
// next. w.mu is held.
func (w *workers) wake() {
	if w.wakePending || w.first == len(w.line) {
		return
	}
	w.wakePending = true
	if w.idle == 0 {
		w.ended.Go(w.work)
		return
	}
	w.wakeIsIdle = true
	w.idle--
	w.minIdle = min(w.minIdle, w.idle)
	w.more.Signal()
}

// take takes the first task. w.mu is held.
func (w *workers) take() Task {
	t := w.line[w.first]
	w.line[w.first] = nil
	if w.first++; w.first > len(w.line)/2 { // a line that is never empty must not grow without bound
		rest := copy(w.line, w.line[w.first:])
		clear(w.line[rest:])
		w.line, w.first = w.line[:rest], 0
	}
	return t
}

func (w *workers) work() {
	w.mu.Lock()
	for w.wakePending = false; ; {
		for w.first < len(w.line) {
			t := w.take()
			w.wake() // for the next; this one may block
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

// wait waits for a task, and reports false if the goroutine is to exit. w.mu is held,
// but not while it waits.
func (w *workers) wait() (stay bool) {
	w.idle++
	if w.trimmer == nil {
		w.trimmer = time.AfterFunc(idleTrim, w.trim)
	}
	for {
		w.more.Wait()
		switch {
		case w.wakeIsIdle:
			w.wakePending, w.wakeIsIdle = false, false
			return true
		case w.exiting > 0:
			w.exiting--
			return false
		case w.closed:
			w.idle--
			return false
		}
	}
}

// trim ends the goroutines that were not needed since the last trim. It runs again as
// long as a goroutine is idle.
func (w *workers) trim() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.exiting += w.minIdle
	w.idle -= w.minIdle
	for range w.minIdle {
		w.more.Signal()
	}
	w.minIdle = w.idle
	if w.idle == 0 {
		w.trimmer = nil
		return
	}
	w.trimmer.Reset(idleTrim)
}

// close waits until all tasks have ended.
func (w *workers) close() {
	w.mu.Lock()
	w.closed = true
	if w.trimmer != nil {
		w.trimmer.Stop()
	}
	w.more.Broadcast()
	w.mu.Unlock()
	w.ended.Wait()
}
