// Package redisbustest has an in-memory twin of Redis for tests, and the tests that
// every [redisbus.Bus] must pass.
//
//	cluster := redisbustest.New()
//	a, b := cluster.Node(), cluster.Node()
//
// The twin delivers like one Redis server that never fails, at once, and in one order
// for all nodes. Away makes it unreachable.
package redisbustest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/puente-io/puente/server/cluster/health"
	"github.com/puente-io/puente/server/cluster/redisbus"
)

// Memory connects the nodes of one process. It is safe for concurrent use.
type Memory struct {
	mu    sync.Mutex
	nodes []*Node
	away  bool
}

// New returns a Memory without nodes.
func New() *Memory { return &Memory{} }

// receiveBytes is redisbus.Options.ReceiveBytes of the nodes.
const receiveBytes = 32 << 20

// Node is a node's [redisbus.Bus]. Publish delivers to the queue of each subscribed
// node; one goroutine per node passes its messages on.
type Node struct {
	memory  *Memory
	limit   int
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	// Guarded by memory.mu.
	routes map[redisbus.Target]redisbus.Receiver
	queue  []delivery
	bytes  int // of the queue and of what is being delivered
	more   chan struct{}
	room   chan struct{} // closed when the queue has become shorter
	stats  redisbus.Stats
	since  time.Time // when Redis went away
	closed bool
}

var _ redisbus.Bus = (*Node)(nil)

// delivery is a message on its way to a receiver, or the outcome of one.
type delivery struct {
	to               redisbus.Receiver
	channel, payload string
	outcome          redisbus.Outcome
}

func (d delivery) size() int { return len(d.channel) + len(d.payload) + 128 }

// Node adds a node.
func (m *Memory) Node() *Node { return m.NodeWith(receiveBytes) }

// NodeWith adds a node that keeps receiveBytes of what waits for its receivers. If there
// is more, publishers wait: the twin loses nothing.
func (m *Memory) NodeWith(receiveBytes int) *Node {
	n := &Node{
		memory: m, limit: receiveBytes, routes: make(map[redisbus.Target]redisbus.Receiver),
		more: make(chan struct{}, 1), room: make(chan struct{}), since: time.Now(),
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	m.mu.Lock()
	m.nodes = append(m.nodes, n)
	m.mu.Unlock()
	n.running.Go(n.deliver)
	return n
}

// Away makes Redis unreachable for all nodes, or reachable again. While it is away,
// publishing fails and no subscription is confirmed; when it is back, each node that had
// one has a gap.
func (m *Memory) Away(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away == away {
		return
	}
	m.away = away
	for _, n := range m.nodes {
		if n.since = time.Now(); !away && len(n.routes) > 0 {
			n.stats.Gaps++
		}
	}
}

// Channels returns the channels and shard channels that nodes have subscribed to and
// whose names match a pattern, sorted.
func (m *Memory) Channels(pattern string) (names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.nodes {
		for t := range n.routes {
			if t.Kind != redisbus.Pattern && matches(pattern, t.Name) {
				names = append(names, t.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Publish implements [redisbus.Bus].
func (n *Node) Publish(ctx context.Context, msg redisbus.Message, wait bool) error {
	payload := string(msg.Payload)
	for {
		full, err := n.publish(msg, payload)
		if full == nil {
			return err
		}
		if !wait {
			n.drop()
			return redisbus.ErrUnavailable
		}
		select {
		case <-full:
		case <-ctx.Done():
			n.drop()
			return redisbus.ErrUnavailable
		}
	}
}

func (n *Node) drop() {
	n.memory.mu.Lock()
	defer n.memory.mu.Unlock()
	n.stats.Dropped++
}

// publish queues the message at its receivers. If one has no room, it does nothing and
// returns what is closed when there may be.
func (n *Node) publish(msg redisbus.Message, payload string) (full <-chan struct{}, err error) {
	m := n.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case n.closed:
		return nil, redisbus.ErrClosed
	case m.away:
		n.stats.Dropped++
		return nil, redisbus.ErrAway
	}
	for _, o := range m.nodes {
		if o != n && o.bytes > o.limit { // a node that waits for itself would wait forever
			return o.room, nil
		}
	}
	for _, o := range m.nodes {
		for t, r := range o.routes {
			if t.Name == msg.Channel && t.Kind != redisbus.Pattern || t.Kind == redisbus.Pattern && matches(t.Name, msg.Channel) {
				o.push(delivery{to: r, channel: msg.Channel, payload: payload})
			}
		}
	}
	n.stats.Published++
	if msg.Outcome != nil {
		n.push(delivery{outcome: msg.Outcome})
	}
	return nil, nil
}

// push queues a delivery. memory.mu must be held.
func (n *Node) push(d delivery) {
	if n.closed {
		return
	}
	n.queue = append(n.queue, d)
	n.bytes += d.size()
	select {
	case n.more <- struct{}{}:
	default:
	}
}

// deliver passes the queue to the receivers until the node is closed.
func (n *Node) deliver() {
	m := n.memory
	for {
		select {
		case <-n.more:
		case <-n.ctx.Done():
			return
		}
		m.mu.Lock()
		queue := n.queue
		n.queue = nil
		m.mu.Unlock()
		for _, d := range queue {
			m.mu.Lock()
			backlog := redisbus.BacklogOf(n.bytes, n.limit)
			m.mu.Unlock()
			switch {
			case d.outcome != nil:
				d.outcome.Resolve(nil)
			case n.ctx.Err() == nil:
				d.to.Receive(d.channel, d.payload, backlog)
			}
			m.mu.Lock()
			n.bytes -= d.size()
			close(n.room)
			n.room = make(chan struct{})
			m.mu.Unlock()
		}
	}
}

// Away implements [redisbus.Bus].
func (n *Node) Away(context.Context, string) error {
	n.memory.mu.Lock()
	defer n.memory.mu.Unlock()
	return n.unusable()
}

// unusable returns why nothing can be published. memory.mu must be held.
func (n *Node) unusable() error {
	switch {
	case n.closed:
		return redisbus.ErrClosed
	case n.memory.away:
		return redisbus.ErrAway
	}
	return nil
}

// Subscribe implements [redisbus.Bus]. Subscriptions are confirmed at once.
func (n *Node) Subscribe(r redisbus.Receiver, targets ...redisbus.Target) {
	n.memory.mu.Lock()
	defer n.memory.mu.Unlock()
	if n.closed || !r.Active() {
		return
	}
	for _, t := range targets {
		if n.routes[t] == nil {
			n.routes[t] = r
		}
	}
}

// Unsubscribe implements [redisbus.Bus].
func (n *Node) Unsubscribe(r redisbus.Receiver, targets ...redisbus.Target) {
	n.memory.mu.Lock()
	defer n.memory.mu.Unlock()
	for _, t := range targets {
		if n.routes[t] == r {
			delete(n.routes, t)
		}
	}
}

// UnsubscribeAll implements [redisbus.Bus].
func (n *Node) UnsubscribeAll(r redisbus.Receiver) {
	n.memory.mu.Lock()
	defer n.memory.mu.Unlock()
	for t, o := range n.routes {
		if o == r {
			delete(n.routes, t)
		}
	}
}

// Ready implements [redisbus.Bus].
func (n *Node) Ready(_ context.Context, targets ...redisbus.Target) error {
	n.memory.mu.Lock()
	defer n.memory.mu.Unlock()
	for _, t := range targets {
		if n.routes[t] != nil {
			return n.unusable()
		}
	}
	return nil
}

// Subscribers implements [redisbus.Bus].
func (n *Node) Subscribers(_ context.Context, t redisbus.Target) (count int, err error) {
	n.memory.mu.Lock()
	defer n.memory.mu.Unlock()
	for _, o := range n.memory.nodes {
		if o.routes[t] != nil {
			count++
		}
	}
	return count, n.unusable()
}

// Watch implements [redisbus.Bus]. It does nothing: all nodes of a twin have the same
// server.
func (n *Node) Watch(*redisbus.Landmark) {}

// Unwatch implements [redisbus.Bus].
func (n *Node) Unwatch(*redisbus.Landmark) {}

// Health implements [redisbus.Bus].
func (n *Node) Health() health.Health {
	n.memory.mu.Lock()
	defer n.memory.mu.Unlock()
	switch {
	case n.memory.away:
		return health.Health{Degraded: true, Reason: "Redis does not answer", Since: n.since}
	case len(n.routes) == 0:
		return health.Health{Degraded: true, Reason: "connecting to Redis", Since: n.since}
	}
	return health.Health{}
}

// Stats implements [redisbus.Bus].
func (n *Node) Stats() redisbus.Stats {
	n.memory.mu.Lock()
	defer n.memory.mu.Unlock()
	return n.stats
}

// Context implements [redisbus.Bus].
func (n *Node) Context() context.Context { return n.ctx }

// Close implements [redisbus.Bus].
func (n *Node) Close() error {
	m := n.memory
	m.mu.Lock()
	n.closed = true
	clear(n.routes)
	m.nodes = slices.DeleteFunc(m.nodes, func(o *Node) bool { return o == n })
	m.mu.Unlock()
	n.cancel()
	n.running.Wait()
	m.mu.Lock()
	rest := n.queue // outcomes are resolved also after Close has begun
	n.queue, n.bytes = nil, 0
	close(n.room)
	n.room = make(chan struct{})
	m.mu.Unlock()
	for _, d := range rest {
		if d.outcome != nil {
			d.outcome.Resolve(nil)
		}
	}
	return nil
}

// matches reports whether a name matches a pattern of Redis with * and escapes, the only
// ones that packages of this module use.
func matches(pattern, name string) bool {
	for pattern != "" {
		switch c := pattern[0]; {
		case c == '*':
			for i := range len(name) + 1 {
				if matches(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		case c == '\\' && len(pattern) > 1:
			pattern = pattern[1:]
			fallthrough
		default:
			if !strings.HasPrefix(name, pattern[:1]) {
				return false
			}
			pattern, name = pattern[1:], name[1:]
		}
	}
	return name == ""
}
