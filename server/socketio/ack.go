package socketio

import (
	"context"
	"fmt"

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
	defer s.mu.Unlock()
	if s.state != connected {
		return false
	}
	if s.acks == nil {
		s.acks = make(map[uint64]ackFunc)
	}
	s.acks[id] = f
	return true
}

// unexpect gives up waiting for an acknowledgement.
func (s *Socket) unexpect(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.acks, id)
}

// acknowledged handles an ACK. One that nobody waits for is ignored.
func (s *Socket) acknowledged(p packet.Packet) {
	s.mu.Lock()
	f := s.acks[p.ID]
	if !p.HasID {
		f = nil
	}
	delete(s.acks, p.ID)
	s.mu.Unlock()
	if f != nil {
		f(adapter.Args{List: inner(p.Data), Attachments: p.Attachments}, nil)
	}
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
// wraps ErrEncode, and waits only, for a moment, while more is being sent than
// the machine can write.
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
	s.client.session.EnqueueVolatile(fs...)
	s.client.server.engine.Flush()
	return nil
}

// eventFrames encodes an event without an acknowledgement for the engine.
func (s *Socket) eventFrames(event string, args []any) ([]engineio.Frame, error) {
	data, attachments, err := encodeEvent(event, args)
	if err != nil {
		return nil, err
	}
	if !s.Connected() {
		return nil, ErrDisconnected
	}
	return frames(&packet.Packet{Type: packet.Event, Namespace: s.nsName, Data: data, Attachments: attachments}, false), nil
}

// EmitWithAck sends an event and waits for the client's acknowledgement, whose
// arguments it returns, each of them a [Value]. It returns the error of ctx
// when that ends before, and ErrDisconnected where the client goes away.
func (s *Socket) EmitWithAck(ctx context.Context, event string, args ...any) ([]any, error) {
	data, attachments, err := encodeEvent(event, args)
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
	select {
	case a := <-ch:
		if a.err != nil {
			return nil, a.err
		}
		return values(a.args), nil
	case <-ctx.Done():
		s.unexpect(id)
		return nil, fmt.Errorf("socketio: no acknowledgement of %q: %w", event, ctx.Err())
	}
}

// To returns an operator for the sockets in the rooms, but for this one.
func (s *Socket) To(rooms ...string) Operator { return s.ns.Except(s.id).To(rooms...) }

// Broadcast returns an operator for all sockets of the namespace, but for this
// one.
func (s *Socket) Broadcast() Operator { return s.ns.Except(s.id) }
