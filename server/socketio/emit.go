package socketio

import (
	"context"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio/packet"
)

// Emit sends an event to the client. The package documentation says how
// arguments are encoded. Emit queues the event and then, while the client reads
// or this process writes more slowly than events are sent, waits for a bounded
// time, at most until ctx ends; the event stays queued. Errors: ErrReserved,
// ErrDisconnected, and those that wrap ErrEncode or ErrAttachments.
func (s *Socket) Emit(ctx context.Context, event string, args ...any) error {
	p, err := s.eventPacket(event, args)
	if err != nil {
		return err
	}
	return s.sendEvent(ctx, p, false)
}

// EmitWithAck sends an event, waits for the client's acknowledgement and
// returns its arguments. Errors: those of Emit; ErrDisconnected if the client
// disconnects; ErrAttachments or ErrArguments if the acknowledgement exceeds a
// limit; an error that wraps that of ctx if ctx ends first; one that wraps
// ErrTimeout after Options.AckTimeout if ctx has no deadline; and ErrBacklog if
// the client meanwhile sends so many events that the acknowledgement after them
// cannot be read. A handler of the same client may call it: while it waits, only
// Options.MaxPendingBytes bounds the queued events.
func (s *Socket) EmitWithAck(ctx context.Context, event string, args ...any) (Args, error) {
	return SocketOperator{socket: s}.EmitWithAck(ctx, event, args...)
}

// Volatile returns an operator that drops an event, without an error, if the
// client cannot take it immediately.
func (s *Socket) Volatile() SocketOperator { return SocketOperator{socket: s}.Volatile() }

// Compress returns an operator that sets whether an event may be compressed: in a polling
// response, or on a WebSocket with engineio.Options.PerMessageDeflate. Default: true.
func (s *Socket) Compress(on bool) SocketOperator { return SocketOperator{socket: s}.Compress(on) }

// OnAck returns an operator whose Emit asks for an acknowledgement and does not
// wait for it: if Emit returns nil, then is called exactly once, as a handler of
// this socket, with what EmitWithAck would return. It is called with an error that
// wraps ErrTimeout after the operator's Timeout, by default Options.AckTimeout, and
// with ErrDisconnected if the socket disconnects before. An acknowledgement waits
// for then in the queue of the socket's events and counts against its limits.
func (s *Socket) OnAck(then AckFunc) SocketOperator { return SocketOperator{socket: s}.OnAck(then) }

// Timeout returns an operator that waits at most d for an acknowledgement.
func (s *Socket) Timeout(d time.Duration) SocketOperator { return SocketOperator{socket: s}.Timeout(d) }

// To returns an operator for the sockets in the rooms, except this one.
func (s *Socket) To(rooms ...string) Operator { return s.ns.Except(s.id).To(rooms...) }

// Broadcast returns an operator for all sockets of the namespace, except this
// one.
func (s *Socket) Broadcast() Operator { return s.ns.Except(s.id) }

// SocketOperator says how to send an event to one socket: see [Socket.Volatile],
// [Socket.Compress], [Socket.OnAck] and [Socket.Timeout]. It is a value: each of its methods
// that does not send returns a changed copy. It may be used many times and by
// many goroutines. The sending methods of the zero SocketOperator return an
// error.
type SocketOperator struct {
	socket                 *Socket
	volatile, uncompressed bool
	timeout                time.Duration
	then                   AckFunc
}

// Volatile is [Socket.Volatile]. An event that asks for an acknowledgement and is
// dropped ends with ErrTimeout.
func (o SocketOperator) Volatile() SocketOperator { o.volatile = true; return o }

// Compress is [Socket.Compress].
func (o SocketOperator) Compress(on bool) SocketOperator { o.uncompressed = !on; return o }

// Timeout sets how long EmitWithAck and OnAck wait, even if the deadline of their context
// is later; then their error wraps ErrTimeout. Negative: until ctx ends. 0, the
// default: until the deadline of ctx, or Options.AckTimeout if it has none.
func (o SocketOperator) Timeout(d time.Duration) SocketOperator { o.timeout = d; return o }

// OnAck is [Socket.OnAck].
func (o SocketOperator) OnAck(then AckFunc) SocketOperator { o.then = then; return o }

// Emit is [Socket.Emit] with the operator's settings.
func (o SocketOperator) Emit(ctx context.Context, event string, args ...any) error {
	s := o.socket
	if s == nil {
		return errNoOperator
	}
	p, err := s.eventPacket(event, args)
	switch {
	case err != nil:
		return err
	case o.then == nil:
		return o.send(ctx, p)
	}
	limit := o.timeout
	if limit == 0 {
		limit = s.client.server.opts.AckTimeout
	}
	p.ID, p.HasID = s.ns.ids.Add(1)-1, true
	if !s.awaitAck(p.ID, pendingAck{then: o.then, event: event}, limit) {
		return ErrDisconnected
	}
	if err := o.send(ctx, p); err != nil && s.cancelAck(p.ID) {
		return err
	}
	return nil // or o.then gets ErrDisconnected
}

// send sends an event with the operator's settings.
func (o SocketOperator) send(ctx context.Context, p packet.Packet) error {
	queued, err := o.socket.queueEvent(p, o.uncompressed, o.volatile)
	if o.volatile {
		queued.Settle()
		return err
	}
	queued.Wait(ctx, engineio.Patient)
	return err
}

// eventPacket encodes an event. The caller adds an id if it asks for an
// acknowledgement.
func (s *Socket) eventPacket(event string, args []any) (packet.Packet, error) {
	data, attachments, err := s.client.server.encodeEvent(event, args)
	if err == nil && !s.Connected() && !s.Away() {
		err = ErrDisconnected
	}
	return packet.Packet{Type: packet.Event, Namespace: s.nsName, Data: data, Attachments: attachments}, err
}

// sendEvent queues an event and waits as Emit does.
func (s *Socket) sendEvent(ctx context.Context, p packet.Packet, uncompressed bool) error {
	queued, err := s.queueEvent(p, uncompressed, false)
	queued.Wait(ctx, engineio.Patient)
	return err
}

// queueEvent queues an event for the client, and starts writing it. It does not wait. With
// recovery an event without an id is also kept, and it is no error if the client is away.
func (s *Socket) queueEvent(p packet.Packet, uncompressed, volatile bool) (queued engineio.Queued, err error) {
	if s.rec == nil || p.HasID {
		m, err := s.client.message(&p, uncompressed)
		if err != nil {
			return queued, err
		}
		s.sending(&p)
		if !volatile {
			return s.queue(m)
		}
		return s.client.server.engine.Batch(func(b *engineio.Batch) { b.AddVolatile(s.client.session, m) }), nil
	}
	s.sending(&p)
	queued = s.client.server.engine.Batch(func(b *engineio.Batch) { err = s.keepEvent(b, p, uncompressed, volatile) })
	return queued, err
}
