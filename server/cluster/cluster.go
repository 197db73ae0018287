// Package cluster connects the nodes of a cluster through Redis. With one Redis client it
// runs the adapter, which makes rooms span the nodes, and the presence, which knows the
// users of all nodes.
//
//	c, err := cluster.Open(cluster.Options{URL: "redis://127.0.0.1:6379"})
//	io := socketio.New(socketio.Options{Adapter: c.Adapter()})
//	svc, err := realtime.New(realtime.Options{Namespace: io.Namespace("/"), Cluster: c})
//
// Node servers with @socket.io/redis-adapter may be in the same cluster.
//
// # Packages
//
//	redisadapter   the adapter, in the bytes of Node's
//	redispresence  who is connected and in which rooms
//	redisbus       connections, subscriptions, publishing, failover
//	redislink      what redisbus and redispresence share: cutting connections, Sentinel,
//	               texts of errors
//	health         derives a node's health from the state of all that it depends on
package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/puente-io/puente/server/cluster/health"
	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redispresence"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// Cluster is one node's connection to the others. Its methods are safe for concurrent
// use.
type Cluster struct {
	adapter  adapter.Factory
	presence presence.Presence
	health   *health.Monitor
	stats    func() redisadapter.Stats
	ignored  func() uint64 // messages of presence that were malformed
	close    func() error

	mu      sync.Mutex
	changed chan struct{} // closed at the next change of health
	closing sync.Once
	closed  chan struct{} // closed when both parts are
	err     error         // of closing
}

// The parts of the health, in the order in which they are shown.
const (
	messages health.Kind = iota // the adapter is not connected
	users                       // presence is not connected
	missed                      // the adapter is connected but degraded
)

// newCluster returns a Cluster without parts. onHealth may be nil.
func newCluster(onHealth func(Health)) *Cluster {
	c := &Cluster{changed: make(chan struct{}), closed: make(chan struct{})}
	const connecting = "connecting to Redis"
	c.health = health.NewMonitor(health.Source{Kind: messages}, connecting, missed, both(c.wake, onHealth))
	c.health.Set(health.Source{Kind: users}, connecting)
	return c
}

// Open connects in the background. It does not wait for Redis: its errors are about the
// options.
func Open(opts Options) (*Cluster, error) {
	c := newCluster(opts.Hooks.Health)
	var view atomic.Pointer[presence.View] // set below: presence needs the adapter's client
	a := opts.adapter()
	a.Hooks.Health = both(c.setAdapter, opts.Hooks.Adapter.Health)
	a.Peers = func() int {
		if v := view.Load(); v != nil {
			return v.Nodes() - 1
		}
		return 0
	}
	nodes, err := redisadapter.New(a)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	hooks := opts.Hooks.Presence
	hooks.Health = both(c.setPresence, opts.Hooks.Presence.Health)
	devices, err := redispresence.New(redispresence.Options{Redis: nodes.Client(), Prefix: opts.Prefix, Hooks: hooks})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cluster: %w", err), nodes.Close())
	}
	view.Store(devices.View())
	c.adapter, c.presence, c.stats = nodes.Factory(), devices, nodes.Stats
	c.ignored = func() uint64 { return devices.Stats().Malformed }
	// Presence first: it publishes through the adapter's client that the users have left.
	c.close = func() error { return errors.Join(devices.Close(), nodes.Close()) }
	return c, nil
}

// both returns a function that calls f and, if it is not nil, g.
func both(f, g func(Health)) func(Health) {
	if g == nil {
		return f
	}
	return func(h Health) { f(h); g(h) }
}

func (c *Cluster) setAdapter(h Health) {
	c.health.Update(func(r health.Reasons) {
		connected, disconnected := h.Reason, ""
		if !h.Connected {
			connected, disconnected = disconnected, connected
		}
		r.Set(health.Source{Kind: messages}, disconnected)
		r.Set(health.Source{Kind: missed}, connected)
	})
}

func (c *Cluster) setPresence(h Health) { c.health.Set(health.Source{Kind: users}, h.Reason) }

// wake wakes those in Ready.
func (c *Cluster) wake(Health) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.changed)
	c.changed = make(chan struct{})
}

// Adapter returns the factory of the adapters of a server's namespaces, for
// socketio.Options.Adapter. A Cluster is for one server: servers that share it would be
// one node to the others.
func (c *Cluster) Adapter() adapter.Factory { return c.adapter }

// Presence returns the presence of the cluster's users.
func (c *Cluster) Presence() presence.Presence { return c.presence }

// Health returns the current health, of messages and of presence. It is degraded until
// the server's namespaces and presence are connected.
func (c *Cluster) Health() Health { return c.health.Health() }

// Stats returns the counters of the adapter.
func (c *Cluster) Stats() redisadapter.Stats { return c.stats() }

// Gaps returns how often a subscription of this node ended before another took its place,
// so that messages of other nodes may have been lost, and how many of these gaps occurred
// because this node took messages too slowly.
func (c *Cluster) Gaps() (all, cutOff int64) {
	s := c.stats()
	return int64(s.Gaps), int64(s.CutOff)
}

// Malformed returns how many messages from Redis, of the adapter and of presence, were
// ignored because they could not be decoded, were out of sequence, or exceeded a bound.
func (c *Cluster) Malformed() int64 { return int64(c.stats().Malformed + c.ignored()) }

// Ready waits until the node is connected and knows the users of the other nodes. A
// server must use the adapter meanwhile: without a namespace there is nothing to
// subscribe to. It returns an error with the reason if ctx ends first.
func (c *Cluster) Ready(ctx context.Context) error {
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		h := c.health.Health()
		known := c.presence.Ready()
		if h.Degraded && !h.Connected {
			known = nil
		}
		select {
		case <-known:
			return nil
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("cluster: not ready (%s): %w", h.Reason, context.Cause(ctx))
		}
	}
}

// Close leaves the cluster: the other nodes drop this node's users, messages that were
// accepted are sent if Redis takes them, and all goroutines end. Close it after the
// server, which uses the adapter until then. If ctx ends first, Close returns its error
// and closing goes on in the background.
func (c *Cluster) Close(ctx context.Context) error {
	c.closing.Do(func() {
		go func() {
			defer close(c.closed)
			c.err = c.close()
		}()
	})
	select {
	case <-c.closed:
		return c.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
