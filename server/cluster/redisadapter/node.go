package redisadapter

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/puente-io/puente/server/cluster/redisbus"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// node implements [adapter.Adapter] for one namespace, with either protocol.
type node struct {
	cluster  *Cluster
	local    adapter.Local
	proto    protocol
	uid      string
	use      use
	targets  []redisbus.Target
	landmark *redisbus.Landmark

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
	n.landmark = &redisbus.Landmark{Shared: proto.shared(), Own: n.targets[len(n.targets)-1]}
	n.requests.init(c.opts.MaxMessage)
	n.use = use{uid: n.uid, interested: n.interested, awaits: n.requests.awaits, maxAnswer: c.opts.MaxMessage}
	n.ctx, n.cancel = context.WithCancel(c.bus.Context())
	c.add(n)
	c.bus.Subscribe(n, n.targets...)
	c.bus.Watch(n.landmark)
	return n
}

// send publishes a message to the other nodes.
func (n *node) send(ctx context.Context, m *message) error {
	if n.ctx.Err() != nil {
		return adapter.ErrClosed
	}
	m.uid = n.uid
	out, err := n.proto.encode(m, "")
	if err != nil {
		return fmt.Errorf("redisadapter: %w", err)
	}
	if a := m.flags.Accepted; a != nil {
		out.Outcome = (*outcome)(a)
	}
	if err := n.cluster.bus.Publish(ctx, out, true); err != nil {
		return adapterError(err)
	}
	return nil
}

// foreignOnly is a name in the list of excepted rooms. Node's servers have no room of this
// name, so for them it excepts nobody; this package excepts all sockets, see
// [adapter.Flags].
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

// count returns the number of nodes, including this one.
func (n *node) count(ctx context.Context) (int, error) {
	if n.ctx.Err() != nil {
		return 1, adapter.ErrClosed
	}
	bus, shared := n.cluster.bus, n.landmark.Shared
	err := bus.Ready(ctx, n.targets...)
	if err == nil {
		err = bus.Away(ctx, shared.Name)
	}
	count := 1
	if err == nil {
		count, err = bus.Subscribers(ctx, shared)
	}
	switch {
	case err == nil:
		return max(count, 1), nil
	case n.ctx.Err() != nil:
		return 1, adapter.ErrClosed
	}
	return 1, adapterError(err)
}

// deadline gives a context a deadline if it has none, and ends it with the node.
func (n *node) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := func() {}
	if _, ok := ctx.Deadline(); !ok {
		ctx, timeout = context.WithTimeout(ctx, n.cluster.opts.RequestTimeout)
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(n.ctx, cancel)
	return ctx, func() { stop(); cancel(); timeout() }
}

// request sends a message that the other nodes answer, and returns the answers when all
// have arrived or ctx ends. It is registered before it is sent, and sent when answers
// can arrive.
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
	n.cluster.remove(n)
	n.cluster.bus.Unwatch(n.landmark)
	n.cluster.bus.Unsubscribe(n, n.targets...)
	n.running.Wait()
	return nil
}
