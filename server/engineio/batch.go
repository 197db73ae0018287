package engineio

import (
	"context"
	"sync"
)

// Batch queues messages to sessions, within [Server.Batch]. It belongs to the
// goroutine that runs the function passed to Server.Batch, and must not be used after
// that function has returned.
type Batch struct {
	server  *Server
	behind  []*Session // the publisher has to wait for these
	overrun []*Session
}

// Queued lets a publisher wait for the sessions that a [Server.Batch] queued to.
type Queued struct {
	server *Server
	behind []*Session
}

// Haste says how long a publisher may wait for clients that are behind while messages for
// others wait behind its own.
type Haste uint8

const (
	// Patient publishers wait as the package documentation says.
	Patient Haste = iota
	// Hurried publishers wait only for clients that take enough and would otherwise soon
	// be disconnected.
	Hurried
	// Pressed publishers wait for no client. Clients that are behind may be disconnected
	// because of what they queue.
	Pressed
)

var batches = sync.Pool{New: func() any { return new(Batch) }}

// Batch calls f. When f has returned, Batch starts writing what f added, and closes
// sessions with more than MaxBacklogBytes queued. It does not wait: to do so, call
// [Queued.Wait] or [Queued.Settle]. The caller must hold no lock that a [Handler] takes;
// f may take locks.
func (srv *Server) Batch(f func(*Batch)) (queued Queued) {
	b := batches.Get().(*Batch)
	b.server = srv
	defer func() { queued = b.end() }()
	f(b)
	return queued
}

// Add queues a message to a session. It only touches memory, so it may be called under
// locks; see [Server.Build]. It returns ErrClosed for a session that is not open, and
// ErrSlowConsumer if more than MaxBacklogBytes were queued to it already, which closes
// the session when the function of Server.Batch has returned.
func (b *Batch) Add(s *Session, m *Message) error {
	wait, err := s.put(m.in(s.form(), s.server))
	switch {
	case err == ErrSlowConsumer:
		b.overrun = append(b.overrun, s)
	case wait:
		b.behind = append(b.behind, s)
	}
	return err
}

// AddVolatile is Add for a message that may be lost: if the session cannot take it
// now it drops it and reports false.
func (b *Batch) AddVolatile(s *Session, m *Message) bool {
	return s.putVolatile(m.in(s.form(), s.server))
}

// end closes the sessions whose queues ran over, starts the flusher, and returns the
// batch to the pool.
func (b *Batch) end() Queued {
	for _, s := range b.overrun {
		s.overrun()
	}
	b.server.flusher.wake()
	queued := Queued{b.server, b.behind}
	clear(b.overrun)
	*b = Batch{overrun: b.overrun[:0]}
	batches.Put(b)
	return queued
}

// Settle waits for a moment if messages are queued faster than the machine writes them.
// It does not wait for clients that are behind.
func (q Queued) Settle() {
	if q.server != nil {
		q.server.flusher.wait()
	}
}

// Wait waits as Settle does, and then for the clients of the batch that are behind, as h
// says: until ctx ends, and for [Options.SlowTimeout] at most. All messages stay queued
// even if the wait is cut short.
func (q Queued) Wait(ctx context.Context, h Haste) {
	q.Settle()
	if len(q.behind) > 0 {
		q.server.backlog.wait(ctx, h, q.behind)
	}
}
