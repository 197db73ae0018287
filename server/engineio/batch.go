package engineio

import "context"

// Batch queues the same message, or several, to many sessions of a server, and
// then sees to it that they are written. Queueing touches only memory and may
// happen under locks; Flush may wait. A Batch belongs to one goroutine and is
// used once.
type Batch struct {
	// Haste says how little Flush may wait. Default: as [Session.Send].
	Haste Haste

	server           *Server
	crowded, overrun []*Session
}

// Haste says how little a publisher may wait for clients that are behind, since
// messages for others wait behind its own.
type Haste uint8

const (
	// Patient publishers wait as the page of the package says.
	Patient Haste = iota
	// Hurried ones wait only for a client that takes enough, when what is queued to
	// it is not far from ending it.
	Hurried
	// Pressed ones wait for no client. What they queue may end those that are behind.
	Pressed
)

// Batch returns an empty batch.
func (srv *Server) Batch() Batch { return Batch{server: srv} }

// Enqueue queues frames to a session, see [Session.Enqueue]. A session that it
// returns ErrSlowConsumer for is closed by Flush.
func (b *Batch) Enqueue(s *Session, frames ...Frame) error {
	wait, err := s.put(frames)
	switch {
	case err == ErrSlowConsumer:
		b.overrun = append(b.overrun, s)
	case wait:
		b.crowded = append(b.crowded, s)
	}
	return err
}

// Flush has the frames written, and waits, as [Session.Send] does, while sessions
// of the batch are behind, or less, in haste: until ctx ends or for
// [Options.SlowTimeout] at most.
// Everything is queued whether or not it has waited until the end.
func (b *Batch) Flush(ctx context.Context) {
	for _, s := range b.overrun {
		s.Overrun()
	}
	b.server.Flush()
	if len(b.crowded) > 0 {
		b.server.backlog.wait(ctx, b.Haste, b.crowded)
	}
}

// Wake is Flush that does not wait.
func (b *Batch) Wake() {
	for _, s := range b.overrun {
		s.Overrun()
	}
	b.server.flusher.wake()
}
