package socketio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// Operator selects sockets of a namespace and says how to reach them. It is a
// value: each selecting method returns a changed copy. An operator may be used
// many times and by many goroutines.
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

// Compress sets whether polling responses with the event may be compressed.
// Default: true.
func (o Operator) Compress(on bool) Operator { o.flags.Uncompressed = !on; return o }

// Timeout sets how long EmitWithAck waits. Default: until the deadline of its
// context, or 5 s.
func (o Operator) Timeout(d time.Duration) Operator { o.flags.Timeout = d; return o }

func (o Operator) packet(event string, args []any) (*packet.Packet, error) {
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
// OnAccepted reports when the cluster has it. Emit waits, for a bounded time
// and until ctx ends, while recipients, this machine or the cluster are behind:
// see the documentation of package engineio. Errors: ErrReserved; those that
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
// called in the order of the events, on a goroutine that other events depend
// on, so it must not block. Emit does not wait for it: many events share one
// round trip to the cluster.
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
		return ctx.Err()
	}
}

// EmitWithAck sends an event to the selected sockets and returns the first
// argument of each acknowledgement as a [Value], in the order of arrival. If
// some are missing at the end of the time it returns the others and ErrTimeout.
// The error also wraps ErrBacklog if a client of this server has meanwhile sent
// so many events that its acknowledgement cannot be read.
func (o Operator) EmitWithAck(ctx context.Context, event string, args ...any) ([]any, error) {
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
	out := make([]any, len(answers))
	for i, a := range answers {
		out[i] = firstValue(a)
	}
	return out, errors.Join(err, remoteErr)
}

// collector collects the acknowledgements of this server's sockets.
type collector struct {
	mu      sync.Mutex
	answers []adapter.Args
	done    int // answered or disconnected
	missing bool
	backlog bool
	want    int
	full    chan struct{}
}

func newCollector() *collector { return &collector{want: -1, full: make(chan struct{})} }

func (c *collector) take(a adapter.Args, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
	if err == nil {
		c.answers = append(c.answers, a)
	} else {
		c.missing = true
		c.backlog = c.backlog || errors.Is(err, ErrBacklog)
	}
	c.check()
}

func (c *collector) asked(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.want = n
	c.check()
}

func (c *collector) check() {
	if c.done == c.want {
		close(c.full)
		c.want = -1
	}
}

func (c *collector) wait(ctx context.Context) ([]adapter.Args, error) {
	var err error
	select {
	case <-c.full:
	case <-ctx.Done():
		err = adapter.ErrTimeout
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.missing {
		err = adapter.ErrTimeout
	}
	if c.backlog {
		err = fmt.Errorf("%w: %w", ErrBacklog, adapter.ErrTimeout)
	}
	return slices.Clone(c.answers), err
}

// FetchSockets describes the selected sockets of all servers, or of this one
// with Local. If ctx has no deadline it takes at most 5 s. With an error it
// returns the sockets received so far.
func (o Operator) FetchSockets(ctx context.Context) ([]RemoteSocket, error) {
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

// RemoteSocket is a socket of any server: its description at the time of the
// fetch, and methods that affect only this socket. It is a value and may be
// kept. After the socket has disconnected the methods do nothing, without an
// error.
type RemoteSocket struct {
	adapter.SocketInfo
	self Operator
}

// Emit sends an event to the socket, see [Operator.Emit].
func (r RemoteSocket) Emit(ctx context.Context, event string, args ...any) error {
	return r.self.Emit(ctx, event, args...)
}

// EmitWithAck sends an event to the socket and returns the first argument of
// its acknowledgement, or nothing if it has disconnected; see
// [Operator.EmitWithAck].
func (r RemoteSocket) EmitWithAck(ctx context.Context, event string, args ...any) ([]any, error) {
	return r.self.EmitWithAck(ctx, event, args...)
}

// Join adds the socket to rooms, see [Operator.Join].
func (r RemoteSocket) Join(ctx context.Context, rooms ...string) error {
	return r.self.Join(ctx, rooms...)
}

// Leave removes the socket from rooms, see [Operator.Leave].
func (r RemoteSocket) Leave(ctx context.Context, rooms ...string) error {
	return r.self.Leave(ctx, rooms...)
}

// Disconnect disconnects the socket, see [Operator.Disconnect].
func (r RemoteSocket) Disconnect(ctx context.Context, closeConn bool) error {
	return r.self.Disconnect(ctx, closeConn)
}

// Join adds the selected sockets to rooms. It does not wait for other servers'
// sockets, which join soon after.
func (o Operator) Join(ctx context.Context, rooms ...string) error {
	local{o.ns}.JoinLocal(o.sel, rooms)
	if o.local {
		return nil
	}
	return o.ns.adapter.Join(ctx, o.sel, rooms)
}

// Leave removes the selected sockets from rooms. It does not wait for other
// servers' sockets, which leave soon after.
func (o Operator) Leave(ctx context.Context, rooms ...string) error {
	local{o.ns}.LeaveLocal(o.sel, rooms)
	if o.local {
		return nil
	}
	return o.ns.adapter.Leave(ctx, o.sel, rooms)
}

// Disconnect disconnects the selected sockets, see [Socket.Disconnect]. It does
// not wait for other servers' sockets, which are disconnected soon after.
func (o Operator) Disconnect(ctx context.Context, closeConn bool) error {
	local{o.ns}.DisconnectLocal(o.sel, closeConn)
	if o.local {
		return nil
	}
	return o.ns.adapter.Disconnect(ctx, o.sel, closeConn)
}
