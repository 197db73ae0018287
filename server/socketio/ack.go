package socketio

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// ackFunc gets a client's acknowledgement, or an error if there will be none.
// It is called once, without locks held, and must return soon.
type ackFunc func(adapter.Args, error)

// awaitAck registers f for the acknowledgement of an event. It reports false if
// the socket is not connected.
func (s *Socket) awaitAck(id uint64, f ackFunc) bool {
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
	if full := s.client.stopped.Load(); full != nil { // only MaxPendingBytes applies now
		full.mu.Lock()
		full.inbox.release()
		full.mu.Unlock()
	}
	return true
}

// takeAck removes and returns the function that awaits the acknowledgement, or
// nil. s.mu is held.
func (s *Socket) takeAck(id uint64) ackFunc {
	f := s.acks[id]
	if f != nil {
		delete(s.acks, id)
		s.client.awaited.Add(-1)
	}
	return f
}

// takeAcks removes and returns all functions that await acknowledgements. s.mu
// is held.
func (s *Socket) takeAcks() map[uint64]ackFunc {
	acks := s.acks
	s.acks = nil
	s.client.awaited.Add(-int64(len(acks)))
	return acks
}

// cancelAck stops waiting for an acknowledgement.
func (s *Socket) cancelAck(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takeAck(id)
}

// failAcks ends all waits for the client's acknowledgements with an error.
func (c *client) failAcks(err error) {
	c.mu.Lock()
	sockets := slices.Clone(c.sockets)
	c.mu.Unlock()
	for _, s := range sockets {
		s.mu.Lock()
		acks := s.takeAcks()
		s.mu.Unlock()
		for _, f := range acks {
			f(adapter.Args{}, err)
		}
	}
}

// acknowledged handles an ACK packet. An unexpected one is ignored.
func (s *Socket) acknowledged(p packet.Packet) {
	if !p.HasID {
		return
	}
	s.mu.Lock()
	f := s.takeAck(p.ID)
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

// inner returns the text of a JSON array without its brackets.
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

// EmitWithAck is [Socket.EmitWithAck] as the operator says.
func (o SocketOperator) EmitWithAck(ctx context.Context, event string, args ...any) (Args, error) {
	s := o.socket
	if s == nil {
		return nil, errNoOperator
	}
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
	if !s.awaitAck(id, func(a adapter.Args, err error) { ch <- answer{a, err} }) {
		return nil, ErrDisconnected
	}
	p := packet.Packet{Type: packet.Event, Namespace: s.nsName, ID: id, HasID: true, Data: data, Attachments: attachments}
	if err := s.sendEvent(ctx, p, o.uncompressed); err != nil {
		s.cancelAck(id)
		return nil, err
	}
	limit := o.timeout
	if _, has := ctx.Deadline(); limit == 0 && !has {
		limit = s.client.server.opts.AckTimeout
	}
	var late <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		late = t.C
	}
	select {
	case a := <-ch:
		if a.err != nil {
			return nil, a.err
		}
		return argsOf(a.args), nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-late:
		err = ErrTimeout
	}
	s.cancelAck(id)
	if !s.Connected() { // which also ends a handler's context
		return nil, ErrDisconnected
	}
	return nil, fmt.Errorf("socketio: no acknowledgement of %q: %w", event, err)
}
