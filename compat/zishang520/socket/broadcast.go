package socket

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/puente-io/puente/compat/zishang520/types"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// BroadcastOperator selects sockets of a namespace, on all servers, and says how to
// reach them. Its methods return changed copies.
type BroadcastOperator struct {
	nsp           *namespace
	rooms, except []string
	flags         flags
	single        bool // of a RemoteSocket: an Ack gets the arguments of one client
}

func (b BroadcastOperator) with(change func(*BroadcastOperator)) *BroadcastOperator {
	change(&b)
	return &b
}

// To adds rooms: the operator selects the sockets that are in at least one of all
// added rooms.
func (b *BroadcastOperator) To(rooms ...Room) *BroadcastOperator {
	return b.with(func(o *BroadcastOperator) { o.rooms = append(slices.Clip(o.rooms), names(rooms)...) })
}

// In is To.
func (b *BroadcastOperator) In(rooms ...Room) *BroadcastOperator { return b.To(rooms...) }

// Except excludes the sockets that are in at least one of the rooms.
func (b *BroadcastOperator) Except(rooms ...Room) *BroadcastOperator {
	return b.with(func(o *BroadcastOperator) { o.except = append(slices.Clip(o.except), names(rooms)...) })
}

// Local excludes the sockets of other servers.
func (b *BroadcastOperator) Local() *BroadcastOperator {
	return b.with(func(o *BroadcastOperator) { o.flags.local = true })
}

// Volatile drops an event for a client that cannot take it immediately.
func (b *BroadcastOperator) Volatile() *BroadcastOperator {
	return b.with(func(o *BroadcastOperator) { o.flags.volatile = true })
}

// Compress sets whether the event may be compressed. Default: true.
func (b *BroadcastOperator) Compress(on bool) *BroadcastOperator {
	return b.with(func(o *BroadcastOperator) { o.flags.uncompressed = !on })
}

// Timeout sets how long an Ack waits. Default: 5 s.
func (b *BroadcastOperator) Timeout(d time.Duration) *BroadcastOperator {
	return b.with(func(o *BroadcastOperator) { o.flags.timeout = d })
}

func (b *BroadcastOperator) selection() adapter.Selection {
	return adapter.Selection{Rooms: b.rooms, Except: b.except}
}

// operator returns the operator of package socketio for a namespace.
func (b *BroadcastOperator) operator(n *namespace) socketio.Operator {
	o := n.live().All().To(b.rooms...).Except(b.except...).Compress(!b.flags.uncompressed)
	if b.flags.local {
		o = o.Local()
	}
	if b.flags.volatile {
		o = o.Volatile()
	}
	return o
}

// Emit sends an event to the selected sockets. If the last argument is an Ack, it gets
// the first argument of each acknowledgement, with an error if some did not come in
// time. Emit returns an error if the name is reserved, an argument cannot be encoded,
// or the cluster has not taken the event for the other servers.
func (b *BroadcastOperator) Emit(event string, args ...any) error {
	plain, ack := splitAck(args)
	list, err := encode(plain)
	if err != nil {
		return err
	}
	for _, n := range b.nsp.children() {
		if ack != nil {
			b.ask(n, event, list, ack)
			continue
		}
		err = errors.Join(err, b.operator(n).Emit(context.Background(), event, list...))
	}
	return err
}

// broadcastTimeout is how long an Ack waits for the acknowledgements of a broadcast
// without a Timeout.
const broadcastTimeout = 5 * time.Second

func (b *BroadcastOperator) ask(n *namespace, event string, args []any, ack Ack) {
	timeout := b.flags.timeout
	if timeout <= 0 {
		timeout = broadcastTimeout
	}
	o := b.operator(n)
	await(timeout, func(ctx context.Context) {
		values, err := o.EmitWithAck(ctx, event, args...)
		answers, decodeErr := appendDecoded([]any{}, values)
		if errors.Is(err, socketio.ErrTimeout) {
			err = errTimeout
		}
		if err = errors.Join(err, decodeErr); err == nil && b.single && len(answers) == 0 {
			err = errTimeout // the socket has disconnected
		}
		n.server.guard(event, func() { ack(answers, err) })
	})
}

// EmitWithAck returns a function that sends the event and calls its argument with the
// acknowledgements, see Emit.
func (b *BroadcastOperator) EmitWithAck(event string, args ...any) func(Ack) {
	return func(ack Ack) { b.Emit(event, append(args[:len(args):len(args)], ack)...) }
}

// AllSockets returns the ids of this server's selected sockets.
//
// Deprecated: use FetchSockets, which also finds the sockets of other servers.
func (b *BroadcastOperator) AllSockets() (*types.Set[SocketId], error) {
	ids := types.NewSet[SocketId]()
	for _, n := range b.nsp.children() {
		for _, s := range n.selected(b.selection()) {
			ids.Add(SocketId(s.ID()))
		}
	}
	return ids, nil
}

// errParent: which namespaces of a pattern there are differs from server to server.
var errParent = errors.New("FetchSockets() is not supported on parent namespaces")

// FetchSockets returns a function that passes the selected sockets of all servers to
// its argument, which it calls before it returns: within 5 s, with an error if some
// servers have not answered.
func (b *BroadcastOperator) FetchSockets() func(func([]*RemoteSocket, error)) {
	return func(found func([]*RemoteSocket, error)) {
		if b.nsp.pattern != nil {
			found(nil, errParent)
			return
		}
		list, err := b.operator(b.nsp).FetchSockets(context.Background())
		sockets := make([]*RemoteSocket, len(list))
		for i, r := range list {
			sockets[i] = newRemoteSocket(b.nsp, r.SocketInfo)
		}
		found(sockets, err)
	}
}

// SocketsJoin adds the selected sockets to rooms.
func (b *BroadcastOperator) SocketsJoin(rooms ...Room) {
	for _, n := range b.nsp.children() {
		n.server.report("", b.operator(n).Join(context.Background(), names(rooms)...))
	}
}

// SocketsLeave removes the selected sockets from rooms.
func (b *BroadcastOperator) SocketsLeave(rooms ...Room) {
	for _, n := range b.nsp.children() {
		n.server.report("", b.operator(n).Leave(context.Background(), names(rooms)...))
	}
}

// DisconnectSockets disconnects the selected sockets, or closes the whole connections
// of their clients.
func (b *BroadcastOperator) DisconnectSockets(closeConnections bool) {
	for _, n := range b.nsp.children() {
		n.server.report("", b.operator(n).Disconnect(context.Background(), closeConnections))
	}
}
