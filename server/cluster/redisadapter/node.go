package redisadapter

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

// node is a namespace's place in the cluster, whatever the protocol.
type node struct {
	cluster *Cluster
	local   adapter.Local
	proto   protocol
	uid     string
	targets []target
	own     target // the channel that is this node's alone, one of targets

	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	requests requests
	fetches  chan struct{} // a slot for each goroutine that answers
	running  sync.WaitGroup

	mu     sync.Mutex
	closed bool // no new goroutines
}

var _ adapter.Adapter = (*node)(nil)

func newNode(c *Cluster, local adapter.Local, proto protocol) *node {
	n := &node{cluster: c, local: local, proto: proto, uid: proto.id(), fetches: make(chan struct{}, 4)}
	n.targets = proto.targets(n.uid)
	n.own = n.targets[len(n.targets)-1]
	n.requests.init(c.opts.MaxMessage)
	n.ctx, n.cancel = context.WithCancel(c.sub.ctx)
	c.sub.add(n, n.targets...)
	c.sub.enter(n)
	return n
}

// send publishes a message for the other nodes.
func (n *node) send(ctx context.Context, m *message) error {
	if n.ctx.Err() != nil {
		return adapter.ErrClosed
	}
	m.uid = n.uid
	o, err := n.proto.encode(m, "")
	if err != nil {
		return fmt.Errorf("redisadapter: %w", err)
	}
	o.accepted = m.flags.Accepted
	return n.cluster.pub.publish(ctx, o, true)
}

// foreignOnly is an exception that means nothing on Node, where it names a room
// that nobody is in. Here it excepts all sockets, see [adapter.Flags].
const foreignOnly = "puente:foreign"

func (n *node) Broadcast(ctx context.Context, p *packet.Packet, sel adapter.Selection, flags adapter.Flags) error {
	if flags.Foreign {
		sel.Except = append(slices.Clip(sel.Except), foreignOnly)
	}
	return n.send(ctx, &message{kind: broadcast, packet: p, sel: sel, flags: flags})
}

func (n *node) Join(ctx context.Context, sel adapter.Selection, rooms []string) error {
	return n.send(ctx, &message{kind: join, sel: sel, rooms: rooms})
}

func (n *node) Leave(ctx context.Context, sel adapter.Selection, rooms []string) error {
	return n.send(ctx, &message{kind: leave, sel: sel, rooms: rooms})
}

func (n *node) Disconnect(ctx context.Context, sel adapter.Selection, closeConn bool) error {
	return n.send(ctx, &message{kind: disconnect, sel: sel, closeConn: closeConn})
}

func (n *node) ServerSideEmit(ctx context.Context, event string, args adapter.Args) error {
	return n.send(ctx, &message{kind: serverSideEmit, event: event, args: args})
}

func (n *node) BroadcastWithAck(ctx context.Context, p *packet.Packet, sel adapter.Selection, flags adapter.Flags) ([]adapter.Args, int, error) {
	r, err := n.request(ctx, &message{kind: broadcast, packet: p, sel: sel, flags: flags})
	return r.answers, r.clients, err
}

func (n *node) FetchSockets(ctx context.Context, sel adapter.Selection) ([]adapter.SocketInfo, error) {
	r, err := n.request(ctx, &message{kind: fetch, sel: sel})
	return r.sockets, err
}

func (n *node) ServerSideEmitWithAck(ctx context.Context, event string, args adapter.Args) ([]adapter.Args, error) {
	r, err := n.request(ctx, &message{kind: serverSideEmit, event: event, args: args})
	return r.answers, err
}

func (n *node) AllRooms(ctx context.Context) ([]string, error) {
	r, err := n.request(ctx, &message{kind: allRooms})
	return r.allRooms(), err
}

func (n *node) ServerCount(ctx context.Context) (int, error) {
	ctx, cancel := n.deadline(ctx)
	defer cancel()
	return n.count(ctx)
}

// count asks Redis how many nodes there are, this one included.
func (n *node) count(ctx context.Context) (int, error) {
	if n.ctx.Err() != nil {
		return 1, adapter.ErrClosed
	}
	if err := n.cluster.sub.ready(ctx, n.targets...); err != nil {
		return 1, err
	}
	channel, sharded := n.proto.counted()
	if err := n.cluster.pub.isAway(ctx, channel); err != nil {
		return 1, err
	}
	count, err := n.cluster.subscribers(ctx, channel, sharded)
	switch {
	case err == nil:
		return max(count, 1), nil
	case n.ctx.Err() != nil:
		return 1, adapter.ErrClosed
	case errors.Is(err, context.DeadlineExceeded), expired(ctx):
		return 1, adapter.ErrTimeout
	}
	return 1, fmt.Errorf("%w: %w", adapter.ErrUnavailable, err)
}

// expired reports whether the deadline of ctx has passed, though ctx may not have
// ended yet: a connection that has the same deadline may be faster.
func expired(ctx context.Context) bool {
	d, ok := ctx.Deadline()
	return ok && !time.Now().Before(d)
}

// deadline gives a context without a deadline one, and ends it with the node.
func (n *node) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := func() {}
	if _, ok := ctx.Deadline(); !ok {
		ctx, timeout = context.WithTimeout(ctx, n.cluster.opts.RequestTimeout)
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(n.ctx, cancel)
	return ctx, func() { stop(); cancel(); timeout() }
}

// request sends a message that the other nodes answer, and returns what has been
// answered until all have, or ctx ends. It is registered before it is sent, and
// sent when answers can arrive.
func (n *node) request(ctx context.Context, m *message) (answers, error) {
	ctx, cancel := n.deadline(ctx)
	defer cancel()
	count, err := n.count(ctx)
	if err != nil || count <= 1 {
		return answers{}, err
	}
	m.requestID = n.proto.id()
	r := n.requests.register(m, count-1)
	defer n.requests.forget(m.requestID)
	if err := n.send(ctx, m); err != nil {
		return answers{}, err
	}
	select {
	case <-r.done:
		return r.result(), nil
	case <-ctx.Done():
	}
	if n.ctx.Err() != nil {
		return r.result(), adapter.ErrClosed
	}
	return r.result(), adapter.ErrTimeout
}

// The classic protocol subscribes to all rooms at once.
func (n *node) RoomCreated(string) {}
func (n *node) RoomDeleted(string) {}

func (n *node) AwaitRoom(context.Context, string) {}

func (n *node) Close() error {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.cancel()
	n.cluster.sub.leave(n)
	n.cluster.sub.remove(n, n.targets...)
	n.running.Wait()
	return nil
}
