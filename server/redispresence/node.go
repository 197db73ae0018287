package redispresence

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
)

// Node is the presence of one node. It implements [presence.Presence].
type Node struct {
	opts     Options
	times    times
	name     string
	channels channels
	bus      bus
	view     *presence.View
	health   *health
	stats    stats
	told     atomic.Pointer[func([]presence.Change)]

	mu     sync.Mutex // guards part's writing and all below
	part   *presence.Part
	outbox outbox
	closed bool

	wake     chan struct{} // has an element when the outbox has something new
	incoming chan event
	stopping chan struct{} // closed by Close
	cancel   context.CancelFunc
	joined   sync.WaitGroup
}

var _ presence.Presence = (*Node)(nil)

// event is what comes from the subscription: a message, or its beginning or end.
type event struct {
	channel, payload string
	up               bool
	err              error
}

// errNoRedis: Options.Redis is required.
var errNoRedis = errors.New("redispresence: no Redis client")

// New joins the cluster. It does not wait for Redis: while that is away the node
// is alone.
func New(opts Options) (*Node, error) {
	if opts.Redis == nil {
		return nil, errNoRedis
	}
	return start(opts, redisBus{opts.Redis}), nil
}

func start(opts Options, b bus) *Node {
	opts = opts.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	n := &Node{
		opts: opts, times: newTimes(opts.Interval), name: rand.Text(), channels: newChannels(opts.Prefix), bus: b,
		view: presence.NewView(), health: newHealth(opts.Hooks.Health),
		wake: make(chan struct{}, 1), incoming: make(chan event, 256), stopping: make(chan struct{}), cancel: cancel,
	}
	n.part = n.view.Part(n.name)
	n.outbox = newOutbox(n.name, n.channels, n.times.retry)
	n.joined.Go(func() { n.send(ctx) })
	n.joined.Go(func() { n.receive(ctx) })
	n.joined.Go(func() { n.apply(ctx) })
	return n
}

// View implements [presence.Presence].
func (n *Node) View() *presence.View { return n.view }

// Watch implements [presence.Presence].
func (n *Node) Watch(told func([]presence.Change)) { n.told.Store(&told) }

// Health returns the present health. A new node is degraded until it has heard
// itself through Redis.
func (n *Node) Health() Health { return n.health.get() }

// Connect implements [presence.Presence].
func (n *Node) Connect(device string, user ident.ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed && n.part.Connect(device, user) {
		n.record(op{connect, device, user})
	}
}

// Disconnect implements [presence.Presence].
func (n *Node) Disconnect(device string) []presence.Departure {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || !n.part.Has(device) {
		return nil
	}
	gone := n.part.Disconnect(device)
	for _, d := range gone {
		n.record(op{leaving(d.Last), device, d.Room})
	}
	n.record(op{code: disconnect, device: device})
	return gone
}

// Join implements [presence.Presence].
func (n *Node) Join(device string, room ident.ID) (joined, first bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false, false
	}
	joined, first = n.part.Join(device, room)
	switch {
	case first:
		n.record(op{joinFirst, device, room})
	case joined:
		n.record(op{join, device, room})
	}
	return joined, first
}

// Leave implements [presence.Presence].
func (n *Node) Leave(device string, room ident.ID) (left, last bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false, false
	}
	if left, last = n.part.Leave(device, room); left {
		n.record(op{leaving(last), device, room})
	}
	return left, last
}

func leaving(last bool) code {
	if last {
		return leaveLast
	}
	return leave
}

// record takes note of an operation. n.mu is held.
func (n *Node) record(o op) {
	n.outbox.record(o, n.part)
	n.signal()
}

func (n *Node) signal() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// post changes the outbox.
func (n *Node) post(change func(*outbox)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(&n.outbox)
	n.signal()
}

// Close leaves the cluster: the others drop this node's devices at once. It
// waits for all goroutines, and where Redis does not answer for an interval and
// the client's timeouts.
func (n *Node) Close() error {
	n.mu.Lock()
	closed := n.closed
	n.closed = true
	n.mu.Unlock()
	if !closed {
		close(n.stopping)
	}
	n.joined.Wait()
	return nil
}
