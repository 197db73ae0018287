package redispresence

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"

	"github.com/puente-io/puente/server/cluster/health"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
)

// Node implements [presence.Presence] for one node of a cluster.
type Node struct {
	opts     Options
	times    times
	name     string
	channels channels
	bus      bus
	view     *presence.View
	health   *health.Monitor
	stats    stats

	wasHealthy bool // at least once; of apply

	mu     sync.Mutex // guards writes to part and the fields below, up to closed
	part   *presence.Part
	outbox outbox
	order  order
	closed bool

	ready     chan struct{} // closed by setReady
	readyOnce sync.Once
	wake      chan struct{} // signals that the outbox has changed
	incoming  chan event
	stopping  chan struct{} // closed by Close
	cancel    context.CancelFunc
	joined    sync.WaitGroup
}

var _ presence.Presence = (*Node)(nil)

// event is an event of the subscription: a message, or its start or its end.
type event struct {
	channel, payload string // of a message
	up               bool   // the subscription has started
	err              error  // why it has ended
}

var errNoRedis = errors.New("redispresence: Options.Redis is nil")

// New returns a Node and joins the cluster in the background. It does not wait for
// Redis. It fails only if opts.Redis is nil.
func New(opts Options) (*Node, error) {
	if opts.Redis == nil {
		return nil, errNoRedis
	}
	opts = opts.withDefaults()
	return start(opts, newRedisBus(opts.Redis, newChannels(opts.Prefix).all, newTimes(opts.Interval))), nil
}

func start(opts Options, b bus) *Node {
	opts = opts.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	n := &Node{
		ready: make(chan struct{}), opts: opts, times: newTimes(opts.Interval), name: rand.Text(), channels: newChannels(opts.Prefix), bus: b,
		view: presence.NewView(), health: newHealth(opts.Hooks.Health),
		wake: make(chan struct{}, 1), incoming: make(chan event, 256), stopping: make(chan struct{}), cancel: cancel,
	}
	n.part = n.view.OwnPart(n.name)
	n.outbox = newOutbox(n.name, n.channels, n.times.retry)
	n.joined.Go(func() { n.send(ctx) })
	n.joined.Go(func() { n.receive(ctx) })
	n.joined.Go(func() { n.apply(ctx) })
	return n
}

// View implements [presence.Presence].
func (n *Node) View() *presence.View { return n.view }

// Watch implements [presence.Presence].
func (n *Node) Watch(w presence.Watch) { n.view.Watch(w) }

// Ready implements [presence.Presence].
func (n *Node) Ready() <-chan struct{} { return n.ready }

func (n *Node) setReady() { n.readyOnce.Do(func() { close(n.ready) }) }

// Health returns the current health. A new node is degraded until the first echo of
// its messages arrives from Redis.
func (n *Node) Health() Health { return n.health.Health() }

// Connect implements [presence.Presence].
func (n *Node) Connect(device string, user ident.ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed && n.part.Connect(device, user) {
		n.record(op{connect, device, user})
	}
}

// Disconnect implements [presence.Presence].
func (n *Node) Disconnect(device string) {
	n.write(func() {
		if _, own := n.part.Device(device); n.closed || !own {
			return
		}
		departures := n.part.BeginDisconnect(device)
		for _, d := range departures {
			n.record(op{leave, device, d.Room()})
		}
		n.record(op{code: disconnect, device: device})
		for _, d := range departures {
			n.place(ownOp{code: leave, departure: d})
		}
	})
}

// Join implements [presence.Presence].
func (n *Node) Join(device string, room ident.ID, placed func(presence.Placement)) {
	n.write(func() {
		d, ok := n.part.Device(device)
		if ok && !n.closed && !n.part.In(d, room) {
			n.record(op{join, device, room})
		}
		n.place(ownOp{code: join, name: device, device: d, room: room, placed: placed})
	})
}

// Leave implements [presence.Presence].
func (n *Node) Leave(device string, room ident.ID, left func()) {
	n.write(func() {
		o := ownOp{code: leave, name: device, room: room, left: left}
		o.device, _ = n.part.Device(device)
		left := false
		if o.departure, left = n.part.BeginLeave(device, room); !n.closed && (left || n.order.joining(o.device, room)) {
			n.record(op{leave, device, room})
		}
		n.place(o)
	})
}

// Sync implements [presence.Presence].
func (n *Node) Sync(ctx context.Context) {
	done := make(chan struct{})
	n.write(func() { n.place(ownOp{code: leave, left: func() { close(done) }}) })
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// record adds an operation to the outbox. n.mu must be held.
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

// post changes the outbox and wakes send.
func (n *Node) post(change func(*outbox)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(&n.outbox)
	n.signal()
}

// Close leaves the cluster. The other nodes drop this node's devices at once. Close
// waits for all goroutines: if Redis does not answer, for an interval plus the
// client's timeouts.
func (n *Node) Close() error {
	n.mu.Lock()
	closed := n.closed
	n.closed = true
	n.mu.Unlock()
	n.echoLost()
	n.setReady()
	if !closed {
		close(n.stopping)
	}
	n.joined.Wait()
	return nil
}
