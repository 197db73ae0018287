package engineio

import (
	"sync"
	"time"
)

// deadlines is a queue of sessions that all wait for the same length of time,
// so that the one that was put in last is due last: adding, removing and
// finding the next are list operations, and one timer serves all sessions.
// A session waits in at most one queue.
type deadlines struct {
	wait   time.Duration
	expire func(*Session) // called without locks, in order

	mu         sync.Mutex
	head, tail *Session
	timer      *time.Timer
	stopped    bool
	busy       sync.WaitGroup // expiries under way
}

// waiting is a session's place in a queue. The queue's lock guards all fields
// but in, which Session.mu guards.
type waiting struct {
	in         *deadlines
	prev, next *Session
	due        time.Time
}

func newDeadlines(wait time.Duration, expire func(*Session)) *deadlines {
	return &deadlines{wait: wait, expire: expire}
}

// waitIn moves a session to the end of q, out of the queue that it is in.
// q nil takes it out. Session.mu is held.
func (s *Session) waitIn(q *deadlines) {
	if old := s.waiting.in; old != nil {
		old.remove(s)
	}
	s.waiting.in = q
	if q != nil {
		q.add(s)
	}
}

func (q *deadlines) add(s *Session) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.waiting.due = time.Now().Add(q.wait)
	s.waiting.prev, s.waiting.next = q.tail, nil
	if q.tail != nil {
		q.tail.waiting.next = s
	} else {
		q.head = s
		q.arm()
	}
	q.tail = s
}

func (q *deadlines) remove(s *Session) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.unlink(s)
}

// has reports whether the session waits in q, and has not expired.
func (q *deadlines) has(s *Session) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return s.waiting.prev != nil || q.head == s
}

func (q *deadlines) unlink(s *Session) {
	w := &s.waiting
	switch {
	case w.prev != nil:
		w.prev.waiting.next = w.next
	case q.head == s:
		q.head = w.next
	default:
		return // has expired already
	}
	if w.next != nil {
		w.next.waiting.prev = w.prev
	} else {
		q.tail = w.prev
	}
	w.prev, w.next = nil, nil
}

// arm sets the timer for the head. It never asks for less than a millisecond,
// so that sessions that came together are served together.
func (q *deadlines) arm() {
	if q.head == nil || q.stopped {
		return
	}
	d := max(time.Until(q.head.waiting.due), time.Millisecond)
	if q.timer == nil {
		q.timer = time.AfterFunc(d, q.fire)
	} else {
		q.timer.Reset(d)
	}
}

func (q *deadlines) fire() {
	q.mu.Lock()
	if q.stopped {
		q.mu.Unlock()
		return
	}
	q.busy.Add(1)
	defer q.busy.Done()
	now := time.Now()
	var due []*Session
	for q.head != nil && !q.head.waiting.due.After(now) {
		due = append(due, q.head)
		q.unlink(q.head)
	}
	q.arm()
	q.mu.Unlock()
	for _, s := range due {
		q.expire(s)
	}
}

// stop ends the queue. An expiry that is under way counts in q.busy.
func (q *deadlines) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	if q.timer != nil {
		q.timer.Stop()
	}
}
