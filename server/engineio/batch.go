package engineio

import "context"

// Batch queues the same message, or several, to many sessions of a server, and
// then sees to it that they are written. Queueing touches only memory and may
// happen under locks; Flush may wait. A Batch belongs to one goroutine and is
// used once.
type Batch struct {
	server           *Server
	crowded, overrun []*Session
}

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
// of the batch are behind: until ctx ends or for [Options.SlowTimeout] at most.
// Everything is queued whether or not it has waited until the end.
func (b *Batch) Flush(ctx context.Context) {
	for _, s := range b.overrun {
		s.Overrun()
	}
	b.server.Flush()
	if len(b.crowded) > 0 {
		b.server.backlog.wait(ctx, b.crowded)
	}
}

// Wake is Flush that does not wait.
func (b *Batch) Wake() {
	for _, s := range b.overrun {
		s.Overrun()
	}
	b.server.flusher.wake()
}
