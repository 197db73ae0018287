package redisadapter

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/health"
	"github.com/puente-io/puente/server/cluster/redisbus"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// Cluster connects one node with the others. Its methods are safe for concurrent use.
type Cluster struct {
	opts   Options
	bus    redisbus.Bus
	opened *redisbus.Redis // the bus, if New has opened it
	stats  counters

	mu    sync.Mutex
	nodes map[*node]struct{} // those that are open
}

// Stats counts since the start.
type Stats struct {
	// The messages of this node: Published, Dropped, Gaps, CutOff.
	redisbus.Stats
	Received  uint64 // messages of other nodes that concern this one
	Malformed uint64 // messages that could not be decoded
}

type counters struct{ received, malformed, unencoded atomic.Uint64 }

// New returns the connection of a server to its cluster. It does not wait for Redis: its
// errors are about the options.
func New(opts Options) (*Cluster, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Cluster{opts: opts, bus: opts.Bus, nodes: make(map[*node]struct{})}
	if c.bus == nil {
		if c.opened, err = redisbus.New(opts.bus(c.gap)); err != nil {
			return nil, err
		}
		c.bus = c.opened
	}
	return c, nil
}

// gap is called when messages of other nodes may be lost.
func (c *Cluster) gap(why error) {
	c.mu.Lock()
	nodes := slices.Collect(maps.Keys(c.nodes))
	c.mu.Unlock()
	for _, n := range nodes {
		n.local.EventsLost()
	}
	if f := c.opts.Hooks.Gap; f != nil {
		f(why)
	}
}

func (c *Cluster) add(n *node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[n] = struct{}{}
}

func (c *Cluster) remove(n *node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.nodes, n)
}

// Factory returns the factory of the adapters of a server's namespaces. A Cluster is for
// one server: servers that share it would be one node to the others.
func (c *Cluster) Factory() adapter.Factory {
	return func(local adapter.Local) adapter.Adapter {
		if c.opts.Mode == Sharded {
			return newShardedNode(c, local)
		}
		return newNode(c, local, newClassic(c.opts, local.Name()))
	}
}

// Client returns the client through which the cluster publishes, for other uses of the
// same Redis. It belongs to the cluster, which closes it. It is nil if Options.Bus was
// set.
func (c *Cluster) Client() redis.UniversalClient {
	if c.opened == nil {
		return nil
	}
	return c.opened.Client()
}

// Health returns the current health. A new Cluster is degraded until it has subscribed.
func (c *Cluster) Health() health.Health { return c.bus.Health() }

// Stats returns the counters.
func (c *Cluster) Stats() Stats {
	s := Stats{c.bus.Stats(), c.stats.received.Load(), c.stats.malformed.Load()}
	s.Dropped += c.stats.unencoded.Load()
	return s
}

// Close leaves the cluster. It sends what has been accepted, if Redis takes it within
// its timeouts, and waits for all goroutines. Adapters that are open return ErrClosed
// afterwards. If Options.Bus was set, Close leaves it open and does nothing.
func (c *Cluster) Close() error {
	if c.opened == nil {
		return nil
	}
	return c.opened.Close()
}

// unencodable counts an answer that could not be encoded.
func (c *Cluster) unencodable(err error) {
	c.stats.unencoded.Add(1)
	if f := c.opts.Hooks.Dropped; f != nil {
		f(1, err)
	}
}

func (c *Cluster) malformed(channel string, err error) {
	c.stats.malformed.Add(1)
	if f := c.opts.Hooks.Malformed; f != nil {
		f(channel, err)
	}
}
