package socketio

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// ackFunc takes a client's acknowledgement, or the news that none will come. It
// is called once, without locks, and must return soon.
type ackFunc func(adapter.Args, error)

// expect has f called with the acknowledgement of an event. It reports false
// on a socket that is not connected.
func (s *Socket) expect(id uint64, f ackFunc) bool {
	s.mu.Lock()
	if s.state != connected {
		s.mu.Unlock()
		return false
	}
	if s.acks == nil {
		s.acks = make(map[uint64]ackFunc)
	}
	s.acks[id] = f
	s.client.awaited.Add(1)
	s.mu.Unlock()
	if full := s.client.stopped.Load(); full != nil { // the reading may go on now
		full.mu.Lock()
		full.inbox.release()
		full.mu.Unlock()
	}
	return true
}

// answered takes what was expected with an id, or returns nil. s.mu is held.
func (s *Socket) answered(id uint64) ackFunc {
	f := s.acks[id]
	if f != nil {
		delete(s.acks, id)
		s.client.awaited.Add(-1)
	}
	return f
}

// unanswered takes all that is expected. s.mu is held.
func (s *Socket) unanswered() map[uint64]ackFunc {
	acks := s.acks
	s.acks = nil
	s.client.awaited.Add(-int64(len(acks)))
	return acks
}

// unexpect gives up waiting for an acknowledgement.
func (s *Socket) unexpect(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered(id)
}

// giveUp ends all waiting for acknowledgements of the client's with an error.
func (c *client) giveUp(err error) {
	c.mu.Lock()
	sockets := slices.Clone(c.sockets)
	c.mu.Unlock()
	for _, s := range sockets {
		s.mu.Lock()
		acks := s.unanswered()
		s.mu.Unlock()
		for _, f := range acks {
			f(adapter.Args{}, err)
		}
	}
}

// acknowledged handles an ACK. One that nobody waits for is ignored.
func (s *Socket) acknowledged(p packet.Packet) {
	if !p.HasID {
		return
	}
	s.mu.Lock()
	f := s.answered(p.ID)
	s.mu.Unlock()
	if f == nil {
		return
	}
	if p.Excess != nil {
		f(adapter.Args{}, s.client.server.refusal(p.Excess))
		return
	}
	f(adapter.Args{List: inner(p.Data), Attachments: p.Attachments}, nil)
}

// inner is a JSON array's text without its brackets.
func inner(array []byte) []byte {
	start, end := 0, len(array)-1
	for start < len(array) && array[start] != '[' {
		start++
	}
	for end > start && array[end] != ']' {
		end--
	}
	if start >= end {
		return nil
	}
	return array[start+1 : end]
}

// Emit sends an event to the client. The arguments are encoded as the package
// documentation says. It returns ErrReserved, ErrDisconnected, or an error that
// wraps ErrEncode or ErrAttachments, and waits, within bounds, while more is being sent than
// the client takes or the machine writes.
func (s *Socket) Emit(event string, args ...any) error {
	fs, err := s.eventFrames(event, args)
	if err != nil {
		return err
	}
	return s.send(fs)
}

// EmitVolatile is Emit for events that may be lost: they are, without an error,
// where the client cannot take them now.
func (s *Socket) EmitVolatile(event string, args ...any) error {
	fs, err := s.eventFrames(event, args)
	if err != nil {
		return err
	}
	s.client.server.engine.Batch(func(b *engineio.Batch) { b.AddVolatile(s.client.session, fs...) }).Settle()
	return nil
}

// eventFrames encodes an event without an acknowledgement for the engine.
func (s *Socket) eventFrames(event string, args []any) ([]engineio.Frame, error) {
	data, attachments, err := s.client.server.encodeEvent(event, args)
	if err != nil {
		return nil, err
	}
	if !s.Connected() {
		return nil, ErrDisconnected
	}
	return frames(&packet.Packet{Type: packet.Event, Namespace: s.nsName, Data: data, Attachments: attachments}, false), nil
}

// EmitWithAck sends an event and waits for the client's acknowledgement, whose
// arguments it returns, each of them a [Value]. Errors: those of Emit;
// ErrDisconnected if the client goes away; ErrAttachments or ErrArguments if the
// acknowledgement has more than it may have; an error that wraps that of ctx if ctx
// ends before, or ErrTimeout after Options.AckTimeout if ctx has no deadline; and
// ErrBacklog if the client sends so much meanwhile that the acknowledgement behind
// it cannot be read. A handler of the same client may call it: the events that
// come while it waits are bounded by Options.MaxPendingBytes alone.
func (s *Socket) EmitWithAck(ctx context.Context, event string, args ...any) ([]any, error) {
	data, attachments, err := s.client.server.encodeEvent(event, args)
	if err != nil {
		return nil, err
	}
	type answer struct {
		args adapter.Args
		err  error
	}
	ch := make(chan answer, 1)
	id := s.ns.ids.Add(1) - 1
	if !s.expect(id, func(a adapter.Args, err error) { ch <- answer{a, err} }) {
		return nil, ErrDisconnected
	}
	p := packet.Packet{Type: packet.Event, Namespace: s.nsName, ID: id, HasID: true, Data: data, Attachments: attachments}
	if err := s.send(frames(&p, false)); err != nil {
		s.unexpect(id)
		return nil, err
	}
	var late <-chan time.Time
	if _, has := ctx.Deadline(); !has && s.client.server.opts.AckTimeout > 0 {
		t := time.NewTimer(s.client.server.opts.AckTimeout)
		defer t.Stop()
		late = t.C
	}
	select {
	case a := <-ch:
		if a.err != nil {
			return nil, a.err
		}
		return values(a.args), nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-late:
		err = ErrTimeout
	}
	s.unexpect(id)
	if !s.Connected() { // which ends the context of a handler, too
		return nil, ErrDisconnected
	}
	return nil, fmt.Errorf("socketio: no acknowledgement of %q: %w", event, err)
}

// To returns an operator for the sockets in the rooms, but for this one.
func (s *Socket) To(rooms ...string) Operator { return s.ns.Except(s.id).To(rooms...) }

// Broadcast returns an operator for all sockets of the namespace, but for this
// one.
func (s *Socket) Broadcast() Operator { return s.ns.Except(s.id) }
