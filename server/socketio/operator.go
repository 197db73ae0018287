package socketio

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// Operator selects sockets of a namespace and says how to reach them. It is a
// value: each selecting method returns a changed copy. An operator may be used
// many times and by many goroutines. [Namespace.To], [Namespace.Except],
// [Namespace.All], [Socket.To] and [Socket.Broadcast] return one; the methods of
// the zero Operator that reach sockets return an error.
type Operator struct {
	ns    *Namespace
	sel   adapter.Selection
	flags adapter.Flags
	local bool
}

// To returns an operator for the sockets in the rooms.
func (ns *Namespace) To(rooms ...string) Operator { return Operator{ns: ns}.To(rooms...) }

// Except returns an operator for all sockets except those in the rooms.
func (ns *Namespace) Except(rooms ...string) Operator { return Operator{ns: ns}.Except(rooms...) }

// All returns an operator for all sockets of the namespace.
func (ns *Namespace) All() Operator { return Operator{ns: ns} }

// Emit sends an event to all sockets of the namespace, see [Operator.Emit].
func (ns *Namespace) Emit(ctx context.Context, event string, args ...any) error {
	return ns.All().Emit(ctx, event, args...)
}

// To adds rooms: the operator selects the sockets that are in at least one of
// all added rooms, each once. A socket's id is a room that only that socket is
// in.
func (o Operator) To(rooms ...string) Operator {
	o.sel.Rooms = append(slices.Clip(o.sel.Rooms), rooms...)
	return o
}

// Except excludes the sockets that are in at least one of the rooms.
func (o Operator) Except(rooms ...string) Operator {
	o.sel.Except = append(slices.Clip(o.sel.Except), rooms...)
	return o
}

// Local excludes the sockets of other servers.
func (o Operator) Local() Operator { o.local = true; return o }

// Foreign excludes the sockets of this package's servers: Emit reaches only
// those of other kinds of servers in the cluster, such as Node's.
func (o Operator) Foreign() Operator { o.flags.Foreign = true; return o }

// Volatile drops the event for a client that cannot take it immediately.
func (o Operator) Volatile() Operator { o.flags.Volatile = true; return o }

// Compress sets whether the event may be compressed: in polling responses, and on
// WebSockets with engineio.Options.PerMessageDeflate. Default: true.
func (o Operator) Compress(on bool) Operator { o.flags.Uncompressed = !on; return o }

// Timeout sets how long EmitWithAck waits. 0 or less: until the deadline of its
// context, or 5 s.
func (o Operator) Timeout(d time.Duration) Operator { o.flags.Timeout = max(d, 0); return o }

// check returns an error for the zero Operator.
func (o Operator) check() error {
	if o.ns == nil {
		return errNoOperator
	}
	return nil
}

func (o Operator) packet(event string, args []any) (*packet.Packet, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	data, attachments, err := o.ns.server.encodeEvent(event, args)
	if err == nil && !o.local {
		err = o.ns.server.checkDepth(data, 1) // deeper ones are dropped by other servers
	}
	if err != nil {
		return nil, err
	}
	return &packet.Packet{Type: packet.Event, Namespace: o.ns.name, Data: data, Attachments: attachments}, nil
}

// Emit sends an event to the selected sockets. When it returns nil, the event
// is queued to those on this server and is being sent to the other servers;
// OnAccepted reports when the cluster has it. Emit waits, for a bounded time and at most
// until ctx ends, while recipients read, or this process or the cluster writes, more
// slowly than events are sent: see package engineio. Errors: ErrReserved; those that
// wrap ErrEncode, ErrAttachments or ErrArguments; and the adapter's, after
// which this server's sockets still get the event.
func (o Operator) Emit(ctx context.Context, event string, args ...any) error {
	p, err := o.packet(event, args)
	if err != nil {
		return err
	}
	if !o.flags.Foreign {
		o.ns.deliver(ctx, p, o.sel, o.flags, nil)
	}
	if o.local {
		o.flags.Accepted.Resolve(nil)
		return nil
	}
	return o.ns.adapter.Broadcast(ctx, p, o.sel, o.flags)
}

// OnAccepted returns an operator whose Emit, if it returns nil, also calls done
// exactly once, soon and possibly before Emit returns: with nil when the
// cluster has accepted the event for the sockets of other servers, or with an
// error that wraps ErrUnavailable if no confirmation came in time. done is
// called in the order of the events, on a goroutine that calls those of other
// events too, so it must not block. Emit does not wait for it: many events share
// one round trip to the cluster.
func (o Operator) OnAccepted(done func(error)) Operator {
	o.flags.Accepted = adapter.OnAcceptance(done)
	return o
}

// EmitAccepted is Emit that also waits, one round trip, until the cluster has
// accepted the event or ctx ends.
func (o Operator) EmitAccepted(ctx context.Context, event string, args ...any) error {
	accepted := make(chan error, 1)
	if err := o.OnAccepted(func(err error) { accepted <- err }).Emit(ctx, event, args...); err != nil {
		return err
	}
	select {
	case err := <-accepted:
		return err
	case <-ctx.Done():
	}
	select { // both may have come: then it is accepted
	case err := <-accepted:
		return err
	default:
		return ctx.Err()
	}
}

// EmitWithAck sends an event to the selected sockets and returns the first
// argument of each acknowledgement, in the order of arrival. If some are missing
// at the end of the time it returns the others and ErrTimeout. The error also
// wraps ErrBacklog if a client of this server has meanwhile sent so many events
// that its acknowledgement cannot be read.
func (o Operator) EmitWithAck(ctx context.Context, event string, args ...any) (Args, error) {
	p, err := o.packet(event, args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := o.ns.server.bound(ctx, o.flags.Timeout)
	defer cancel()
	if deadline, ok := ctx.Deadline(); ok {
		o.flags.Timeout = max(time.Until(deadline), time.Millisecond)
	}
	c := newCollector()
	c.asked(o.ns.deliverWithAck(ctx, p, o.sel, o.flags, c.take))
	var remoteErr error
	var remote []adapter.Args
	if !o.local {
		remote, _, remoteErr = o.ns.adapter.BroadcastWithAck(ctx, p, o.sel, o.flags)
	}
	answers, err := c.wait(ctx)
	if err != nil && errors.Is(remoteErr, ErrTimeout) {
		remoteErr = nil // err reports it already
	}
	answers = append(answers, remote...)
	out := make(Args, len(answers))
	for i, a := range answers {
		out[i] = firstArg(a)
	}
	return out, errors.Join(err, remoteErr)
}

// FetchSockets describes the selected sockets of all servers, or of this one
// with Local. If ctx has no deadline it takes at most 5 s. With an error it
// returns the sockets received so far.
func (o Operator) FetchSockets(ctx context.Context) ([]RemoteSocket, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	infos := local{o.ns}.LocalSockets(o.sel)
	var err error
	if !o.local {
		ctx, cancel := o.ns.server.bound(ctx, o.flags.Timeout)
		defer cancel()
		var others []adapter.SocketInfo
		others, err = o.ns.adapter.FetchSockets(ctx, o.sel)
		infos = append(infos, others...)
	}
	list := make([]RemoteSocket, len(infos))
	for i, info := range infos {
		list[i] = RemoteSocket{SocketInfo: info, self: o.ns.To(info.ID)}
	}
	return list, err
}

// Join adds the selected sockets to rooms. It does not wait for other servers'
// sockets, which join soon after.
func (o Operator) Join(ctx context.Context, rooms ...string) error {
	if err := o.check(); err != nil {
		return err
	}
	local{o.ns}.JoinLocal(o.sel, rooms)
	if o.local {
		return nil
	}
	return o.ns.adapter.Join(ctx, o.sel, rooms)
}

// Leave removes the selected sockets from rooms. It does not wait for other
// servers' sockets, which leave soon after.
func (o Operator) Leave(ctx context.Context, rooms ...string) error {
	if err := o.check(); err != nil {
		return err
	}
	local{o.ns}.LeaveLocal(o.sel, rooms)
	if o.local {
		return nil
	}
	return o.ns.adapter.Leave(ctx, o.sel, rooms)
}

// Disconnect disconnects the selected sockets, see [Socket.Disconnect]. It does
// not wait for other servers' sockets, which are disconnected soon after.
func (o Operator) Disconnect(ctx context.Context, closeConn bool) error {
	if err := o.check(); err != nil {
		return err
	}
	local{o.ns}.DisconnectLocal(o.sel, closeConn)
	if o.local {
		return nil
	}
	return o.ns.adapter.Disconnect(ctx, o.sel, closeConn)
}
