package engineio

import (
	"runtime"
	"sync"
)

// flusher writes what sessions have queued, in the order in which they asked.
// A broadcast queues to all its recipients before it wakes the flusher, and
// while one session is written the queues of the others grow: under load many
// messages share a system call. It runs on at most half of the cores, and not
// at all while there is nothing to do: more writers would take CPU from the readers
// of the next messages, and share fewer system calls. A session whose client does
// not take the bytes is out of the line until it does.
type flusher struct {
	spawn func(func()) bool // starts a goroutine that the server joins
	work  func()            // run, made a function value once

	mu         sync.Mutex
	head, tail *Session // linked by Session.nextFlush
	running    int
	limit      int
	crowded    int       // sessions whose queues grow faster than they are written
	relief     sync.Cond // signalled when crowded falls to zero
}

func newFlusher(spawn func(func()) bool) *flusher {
	f := &flusher{spawn: spawn, limit: max(1, runtime.GOMAXPROCS(0)/2)}
	f.work, f.relief.L = f.run, &f.mu
	return f
}

// push puts a session at the end of the line; wake must follow. The caller has
// set Session.inLine.
func (f *flusher) push(s *Session) {
	f.mu.Lock()
	if f.tail != nil {
		f.tail.nextFlush = s
	} else {
		f.head = s
	}
	f.tail = s
	f.mu.Unlock()
}

// wake starts a goroutine if the line is not empty and fewer run than may. On a closed
// server, which has only close frames to write, it writes on the caller's goroutine,
// which must hold no Session.mu.
func (f *flusher) wake() {
	f.mu.Lock()
	start := f.head != nil && f.running < f.limit
	if start {
		f.running++
	}
	f.mu.Unlock()
	if start && !f.spawn(f.work) {
		f.run()
	}
}

// run writes until the line is empty.
func (f *flusher) run() {
	var batch [8]*Session
	for {
		n := 0
		f.mu.Lock()
		for ; n < len(batch) && f.head != nil; n++ {
			s := f.head
			f.head, s.nextFlush = s.nextFlush, nil
			if f.head == nil {
				f.tail = nil
			}
			batch[n] = s
		}
		if n == 0 {
			f.running--
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		for i, s := range batch[:n] {
			s.flush(true)
			batch[i] = nil
		}
	}
}

// crowd counts a session whose queue is filling although its client takes what
// it is sent: the publisher is faster than the machine writes.
func (f *flusher) crowd(n int) {
	f.mu.Lock()
	f.crowded += n
	if f.crowded == 0 {
		f.relief.Broadcast()
	}
	f.mu.Unlock()
}

// wait holds a publisher up while sessions are crowded, so that a burst slows
// its sender down instead of running a fast client's queue over. It ends soon:
// a session counts only while a writer is writing to it and is not blocked.
func (f *flusher) wait() {
	f.mu.Lock()
	for f.crowded > 0 {
		f.relief.Wait()
	}
	f.mu.Unlock()
}
