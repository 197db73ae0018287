package redispresence

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"

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

	mu     sync.Mutex // guards part's writing and all below
	part   *presence.Part
	outbox outbox
	order  order
	closed bool

	ready     chan struct{} // closed by setReady
	readyOnce sync.Once
	wake      chan struct{} // has an element when the outbox has something new
	incoming  chan event
	stopping  chan struct{} // closed by Close
	cancel    context.CancelFunc
	joined    sync.WaitGroup
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
func (n *Node) Disconnect(device string) {
	n.write(func() {
		user, ok := n.view.User(device)
		if _, own := n.part.Device(device); n.closed || !ok || !own {
			return
		}
		gone := n.part.BeginDisconnect(device)
		for _, d := range gone {
			n.record(op{n.leaving(user, d.Room()), device, d.Room()})
		}
		n.record(op{code: disconnect, device: device})
		for _, d := range gone {
			n.place(ownOp{code: leave, departure: d})
		}
	})
}

// Join implements [presence.Presence].
func (n *Node) Join(device string, room ident.ID, placed func(presence.Placement)) {
	n.write(func() {
		d, ok := n.part.Device(device)
		if ok && !n.closed && !n.part.In(d, room) {
			c := join
			if user, _ := n.view.User(device); !n.view.In(user.Key(), room.Key()) {
				c = joinFirst
			}
			n.record(op{c, device, room})
		}
		n.place(ownOp{code: join, name: device, device: d, room: room, placed: placed})
	})
}

// Leave implements [presence.Presence].
func (n *Node) Leave(device string, room ident.ID, left func()) {
	n.write(func() {
		o := ownOp{code: leave, name: device, room: room, left: left}
		o.device, _ = n.part.Device(device)
		user, _ := n.view.User(device)
		there := false
		if o.departure, there = n.part.BeginLeave(device, room); !n.closed && (there || n.order.joining(o.device, room)) {
			n.record(op{n.leaving(user, room), device, room})
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

// leaving is how the others know whether the user has left, of those versions
// that go by it.
func (n *Node) leaving(user, room ident.ID) code {
	if n.view.In(user.Key(), room.Key()) {
		return leave
	}
	return leaveLast
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
	n.alone()
	n.setReady()
	if !closed {
		close(n.stopping)
	}
	n.joined.Wait()
	return nil
}
