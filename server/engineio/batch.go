package engineio

import (
	"context"
	"sync"
)

// Batch queues messages to sessions, within [Server.Batch]. It belongs to the
// goroutine that f runs on, and must not be used after f has returned.
type Batch struct {
	server  *Server
	behind  []*Session // that a publisher has to wait for
	overrun []*Session
}

// Queued is what a [Server.Batch] has queued.
type Queued struct {
	server *Server
	behind []*Session
}

// Haste says how little a publisher may wait for clients that are behind, because
// messages for others wait behind its own.
type Haste uint8

const (
	// Patient publishers wait as the page of the package says.
	Patient Haste = iota
	// Hurried publishers wait only for a client that takes enough, when what is queued
	// to it is not far from ending it.
	Hurried
	// Pressed publishers wait for no client. What they queue may end those that are
	// behind.
	Pressed
)

var batches = sync.Pool{New: func() any { return new(Batch) }}

// Batch calls f, and when f has returned sees to it that what f has added is written,
// and that sessions are closed to which more than MaxBacklogBytes were queued. It
// does not wait: to do so, call [Queued.Wait] or [Queued.Settle]. The caller must hold
// no lock that a [Handler] takes; f may take locks.
func (srv *Server) Batch(f func(*Batch)) (queued Queued) {
	b := batches.Get().(*Batch)
	b.server = srv
	defer func() { queued = b.end() }()
	f(b)
	return queued
}

// Add queues frames to a session, in order and with no other frame between them. It
// only touches memory, so it may be called under locks. It returns ErrClosed for a
// session that is not open, and ErrSlowConsumer if more than MaxBacklogBytes were
// queued to it already, which closes the session when f has returned.
func (b *Batch) Add(s *Session, frames ...Frame) error {
	wait, err := s.put(frames)
	switch {
	case err == ErrSlowConsumer:
		b.overrun = append(b.overrun, s)
	case wait:
		b.behind = append(b.behind, s)
	}
	return err
}

// AddVolatile is Add for frames that may be lost: if the session cannot take them
// now it drops them and reports false.
func (b *Batch) AddVolatile(s *Session, frames ...Frame) bool { return s.putVolatile(frames) }

// end closes what ran over, starts the flusher, and gives the batch back.
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

// Settle waits, for a moment, while more is queued than the machine can write. It does
// not wait for clients that are behind.
func (q Queued) Settle() {
	if q.server != nil {
		q.server.flusher.wait()
	}
}

// Wait waits as Settle does, and then, as [Session.Send] does, or less, in haste,
// while sessions of the batch are behind: until ctx ends or for [Options.SlowTimeout]
// at most. Everything is queued whether or not it has waited until the end.
func (q Queued) Wait(ctx context.Context, h Haste) {
	q.Settle()
	if len(q.behind) > 0 {
		q.server.backlog.wait(ctx, h, q.behind)
	}
}
