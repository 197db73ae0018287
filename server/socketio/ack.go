package socketio

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// ackFunc gets a client's acknowledgement, or an error if there will be none.
// It is called once, without locks held, and must return soon.
type ackFunc func(adapter.Args, error)

// AckFunc gets a client's acknowledgement, or the error of [Socket.EmitWithAck] if
// there is none. It is called as a handler of the socket: in the order of arrival,
// one at a time, when the earlier handlers have returned. If the socket has
// disconnected, ctx is that of its disconnect handlers, which are called after it.
type AckFunc func(ctx context.Context, answer Args, err error)

// pendingAck says who gets an acknowledgement: take, if a goroutine waits for it, or
// then.
type pendingAck struct {
	take ackFunc

	event string
	then  AckFunc
	timer *time.Timer // ends the wait of then; nil: it has no limit
}

// awaitAck registers p for the acknowledgement of an event. It reports false if
// the socket is not connected. The wait of p.then ends after limit, unless that is
// 0 or less.
func (s *Socket) awaitAck(id uint64, p pendingAck, limit time.Duration) bool {
	s.mu.Lock()
	if s.state != connected {
		s.mu.Unlock()
		return false
	}
	if s.acks == nil {
		s.acks = make(map[uint64]pendingAck)
	}
	waits := p.then == nil
	switch {
	case waits:
		s.client.awaited.Add(1)
	case limit > 0:
		p.timer = time.AfterFunc(limit, func() { s.ackTimedOut(id) })
	}
	s.acks[id] = p
	s.mu.Unlock()
	if !waits {
		return true
	}
	if full := s.client.stopped.Load(); full != nil { // only MaxPendingBytes applies now
		full.mu.Lock()
		full.inbox.release()
		full.mu.Unlock()
	}
	return true
}

// takeAck removes and returns who gets the acknowledgement. s.mu is held.
func (s *Socket) takeAck(id uint64) (p pendingAck, ok bool) {
	if p, ok = s.acks[id]; !ok {
		return p, false
	}
	delete(s.acks, id)
	switch {
	case p.then == nil:
		s.client.awaited.Add(-1)
	case p.timer != nil:
		p.timer.Stop()
	}
	return p, true
}

// takeAcks is takeAck for all acknowledgements, in the order of the questions, or
// for those only that goroutines wait for. s.mu is held.
func (s *Socket) takeAcks(all bool) []pendingAck {
	var list []pendingAck
	for _, id := range slices.Sorted(maps.Keys(s.acks)) {
		if all || s.acks[id].then == nil {
			p, _ := s.takeAck(id)
			list = append(list, p)
		}
	}
	return list
}

// cancelAck stops waiting for an acknowledgement. It reports false if it has
// arrived, or the wait has ended.
func (s *Socket) cancelAck(id uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.takeAck(id)
	return ok
}

// ackTimedOut ends the wait of an AckFunc.
func (s *Socket) ackTimedOut(id uint64) {
	s.mu.Lock()
	p, ok := s.takeAck(id)
	if ok {
		s.inbox.events = append(s.inbox.events, s.answered(p, adapter.Args{}, errNoAck(p.event, ErrTimeout)))
	}
	s.mu.Unlock()
	s.work()
}

// errNoAck returns the error for an event that is not acknowledged because of err.
func errNoAck(event string, err error) error {
	return fmt.Errorf("socketio: no acknowledgement of %q: %w", event, err)
}

// answered returns the marker of an inbox that calls p.then.
func (s *Socket) answered(p pendingAck, a adapter.Args, err error) *Event {
	return &Event{mark: func() {
		ctx := context.Context(&s.ctx)
		if err == ErrDisconnected {
			ctx = s.lastContext()
		}
		if err := Guard(func() error { p.then(ctx, argsOf(a), err); return nil }); err != nil {
			s.client.server.failed(s, p.event, err)
		}
	}}
}

// failAcks ends all waits of goroutines for the client's acknowledgements with an
// error.
func (c *client) failAcks(err error) {
	c.mu.Lock()
	sockets := slices.Clone(c.sockets)
	c.mu.Unlock()
	for _, s := range sockets {
		s.mu.Lock()
		acks := s.takeAcks(false)
		s.mu.Unlock()
		for _, p := range acks {
			p.take(adapter.Args{}, err)
		}
	}
}

// acknowledged handles an ACK packet. An unexpected one is ignored. If an AckFunc
// gets it, it may block, as receive does.
func (s *Socket) acknowledged(p packet.Packet) {
	if !p.HasID {
		return
	}
	s.mu.Lock()
	pending, ok := s.takeAck(p.ID)
	s.mu.Unlock()
	if !ok {
		return
	}
	var answer adapter.Args
	var err error
	if p.Excess != nil {
		err = s.client.server.refusal(p.Excess)
	} else {
		answer = adapter.Args{List: inner(p.Data), Attachments: p.Attachments}
	}
	if pending.then == nil {
		pending.take(answer, err)
		return
	}
	s.admit(s.answered(pending, answer, err), sizeOf(&p))
	s.work()
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

// EmitWithAck is [Socket.EmitWithAck] with the operator's settings.
func (o SocketOperator) EmitWithAck(ctx context.Context, event string, args ...any) (Args, error) {
	s := o.socket
	if s == nil {
		return nil, errNoOperator
	}
	p, err := s.eventPacket(event, args)
	if err != nil {
		return nil, err
	}
	type answer struct {
		args adapter.Args
		err  error
	}
	ch := make(chan answer, 1)
	p.ID, p.HasID = s.ns.ids.Add(1)-1, true
	if !s.awaitAck(p.ID, pendingAck{take: func(a adapter.Args, err error) { ch <- answer{a, err} }}, 0) {
		return nil, ErrDisconnected
	}
	if err := o.send(ctx, p); err != nil {
		s.cancelAck(p.ID)
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
	s.cancelAck(p.ID)
	if !s.Connected() { // which also ends a handler's context
		return nil, ErrDisconnected
	}
	return nil, errNoAck(event, err)
}
