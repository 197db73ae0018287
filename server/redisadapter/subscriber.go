package redisadapter

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/redislink"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// targetKind is a way to subscribe.
type targetKind uint8

const (
	channelTarget targetKind = iota // SUBSCRIBE
	patternTarget                   // PSUBSCRIBE
	shardTarget                     // SSUBSCRIBE
)

// target is what one subscribes to.
type target struct {
	kind targetKind
	name string
}

// receiver takes messages, one at a time per connection, and may wait: see
// inbound.
type receiver interface {
	// active reports whether it still may be added; once false, it stays so.
	active() bool
	receive(channel, payload string)
}

// route is a wanted subscription.
type route struct {
	to        receiver
	confirmed bool
	news      chan struct{} // closed when ready has to look again; nil where nobody waits
}

func (rt *route) tell() {
	if rt.news != nil {
		close(rt.news)
		rt.news = nil
	}
}

// subscriber keeps the subscriptions that are wanted. Changes are noted and
// worked off by one goroutine, which gives each to the connection that serves
// it: there is one, with Redis Cluster and shard channels one per shard. A
// connection that fails is given up; what it served is noted as a change.
type subscriber struct {
	cluster *Cluster
	ctx     context.Context // ends with close
	cancel  context.CancelFunc
	wake    chan struct{}
	running sync.WaitGroup

	mu        sync.Mutex
	routes    map[target]*route
	nodes     []*node          // of the namespaces that are open, in the order in which they came
	confirmed int              // of routes
	refused   map[target]error // routes that Redis refuses, and its answers
	dirty     map[target]struct{}
	conns     map[string]*connection
	ended     map[string]<-chan struct{} // by address: the last connection that failed has delivered all
	away      error                      // Redis cannot be reached; nil before the first attempt has failed
	failures  int                        // of connections since the last confirmation

	echoes atomic.Uint64 // number of the last message of this node to itself that has come
}

func newSubscriber(c *Cluster) *subscriber {
	ctx, cancel := context.WithCancel(redislink.Managed(context.Background()))
	s := &subscriber{
		cluster: c, ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1),
		routes: make(map[target]*route), refused: make(map[target]error), dirty: make(map[target]struct{}), conns: make(map[string]*connection),
		ended: make(map[string]<-chan struct{}),
	}
	s.running.Go(s.run)
	return s
}

// add notes that r wants messages. It does not wait.
func (s *subscriber) add(r receiver, targets ...target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !r.active() {
		return
	}
	for _, t := range targets {
		if s.routes[t] == nil {
			s.routes[t] = &route{to: r}
			s.dirty[t] = struct{}{}
		}
	}
	s.signal()
}

// remove notes that r no longer wants messages.
func (s *subscriber) remove(r receiver, targets ...target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range targets {
		s.drop(r, t)
	}
	s.signal()
}

// removeAll notes that r no longer wants anything.
func (s *subscriber) removeAll(r receiver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.routes {
		s.drop(r, t)
	}
	s.signal()
}

// drop takes r off a route. s.mu is held.
func (s *subscriber) drop(r receiver, t target) {
	rt := s.routes[t]
	if rt == nil || rt.to != r {
		return
	}
	if rt.confirmed {
		s.confirmed--
	}
	rt.tell()
	delete(s.routes, t)
	delete(s.refused, t)
	s.dirty[t] = struct{}{}
}

func (s *subscriber) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// ready waits until Redis has confirmed those of the subscriptions that are
// wanted. It returns ErrUnavailable where Redis is away and ErrTimeout at the end
// of ctx.
func (s *subscriber) ready(ctx context.Context, targets ...target) error {
	for len(targets) > 0 {
		s.mu.Lock()
		rt, away := s.routes[targets[0]], s.away
		if rt == nil || rt.confirmed {
			s.mu.Unlock()
			targets = targets[1:]
			continue
		}
		if err := s.refused[targets[0]]; err != nil {
			away = err
		}
		if rt.news == nil {
			rt.news = make(chan struct{})
		}
		news := rt.news
		s.mu.Unlock()
		switch {
		case s.ctx.Err() != nil:
			return adapter.ErrClosed
		case away != nil:
			return fmt.Errorf("%w: %w", adapter.ErrUnavailable, away)
		}
		select {
		case <-news:
		case <-ctx.Done():
			return adapter.ErrTimeout
		}
	}
	return nil
}

// tell wakes those in ready. s.mu is held.
func (s *subscriber) tell() {
	for _, rt := range s.routes {
		rt.tell()
	}
}

func (s *subscriber) run() {
	for {
		select {
		case <-s.wake:
		case <-s.ctx.Done():
			return
		}
		if !s.pause() {
			return
		}
		s.mu.Lock()
		changed := s.dirty
		s.dirty = make(map[target]struct{})
		s.mu.Unlock()
		s.place(changed)
	}
}

// pause waits after failures, the longer the more there were in a row.
func (s *subscriber) pause() bool {
	s.mu.Lock()
	n := s.failures
	s.mu.Unlock()
	if n == 0 {
		return true
	}
	select {
	case <-time.After(min(firstRetry<<min(n-1, 10), lastRetry)):
		return true
	case <-s.ctx.Done():
		return false
	}
}

// place gives changes to the connections that serve the targets.
func (s *subscriber) place(changed map[target]struct{}) {
	cluster, _ := s.cluster.client.(*redis.ClusterClient)
	clients := map[string]pubsubber{"": s.cluster.client}
	targets := make(map[string][]target)
	for t := range changed {
		address := ""
		if cluster != nil && t.kind == shardTarget {
			node, err := cluster.MasterForKey(s.ctx, t.name)
			if err != nil {
				s.fail(nil, err, t)
				continue
			}
			address = node.Options().Addr
			clients[address] = node
		}
		targets[address] = append(targets[address], t)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	for address, list := range targets {
		c := s.conns[address]
		if c == nil {
			c = newConnection(s, address, clients[address], s.ended[address])
			s.conns[address] = c
			delete(s.ended, address)
			s.running.Go(c.run)
			s.running.Go(c.deliver)
		}
		c.change(list)
	}
}

// fail gives up a connection, where there is one, and has its targets, or the
// given ones, placed again.
func (s *subscriber) fail(c *connection, err error, targets ...target) {
	if cluster, ok := s.cluster.client.(*redis.ClusterClient); ok {
		cluster.ReloadState(s.ctx)
	}
	s.mu.Lock()
	if c != nil {
		if s.conns[c.address] != c { // another has taken its place
			s.mu.Unlock()
			return
		}
		delete(s.conns, c.address)
		s.ended[c.address] = c.delivered
		targets = c.targets()
	}
	s.replace(targets)
	s.failures++
	s.away = err
	s.tell()
	s.signal()
	closing := s.ctx.Err() != nil
	s.mu.Unlock()
	if !closing {
		s.cluster.health.set(receiving, err)
	}
}

// replace makes targets be subscribed to again. s.mu is held.
func (s *subscriber) replace(targets []target) {
	for _, t := range targets {
		if rt := s.routes[t]; rt != nil {
			if rt.confirmed {
				rt.confirmed = false
				s.confirmed--
			}
			s.dirty[t] = struct{}{}
		}
		delete(s.refused, t)
	}
}

// move makes all connections be made again, since they lead to the wrong server.
// With overlap the old ones are read for a while longer: other nodes may publish
// there until they know.
func (s *subscriber) move(why error, overlap bool) {
	s.mu.Lock()
	for address, c := range s.conns {
		c.retire(why, overlap)
		delete(s.conns, address)
		s.ended[address] = c.delivered
		if overlap {
			s.ended[address] = c.settled
		}
		s.replace(c.targets())
	}
	s.away = why
	s.tell()
	s.signal()
	s.mu.Unlock()
	s.cluster.health.set(receiving, why)
}

// own returns the channels by which a publisher finds out where its connection
// leads: one that all nodes have subscribed to, and one that is this node's alone.
// Both are "" while no namespace is open.
func (s *subscriber) own() (counted, own string, sharded bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.nodes) == 0 {
		return "", "", false
	}
	n := s.nodes[0]
	counted, sharded = n.proto.counted()
	return counted, n.own.name, sharded
}

// subscribed reports whether the connection for a node's own channel believes that
// it is subscribed, and whether the channel is wanted at all, and not refused.
func (s *subscriber) subscribed(own string) (subscribed, wanted bool) {
	kind := channelTarget
	if s.cluster.opts.Mode == Sharded {
		kind = shardTarget
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := target{kind, own}
	rt := s.routes[t]
	return rt != nil && rt.confirmed, rt != nil && s.refused[t] == nil
}

// enter and leave note the namespaces that are open.
func (s *subscriber) enter(n *node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes = append(s.nodes, n)
}

func (s *subscriber) leave(n *node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes = slices.DeleteFunc(s.nodes, func(o *node) bool { return o == n })
}

// echo notes that a message of this node to itself has come back.
func (s *subscriber) echo(n uint64) {
	for {
		last := s.echoes.Load()
		if n <= last || s.echoes.CompareAndSwap(last, n) {
			return
		}
	}
}

// echoed reports whether a message of this node to itself has come back, or is
// held up on this node.
func (s *subscriber) echoed(n uint64) bool {
	if s.echoes.Load() >= n {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if c.held.Load() {
			return true
		}
	}
	return false
}

// confirm notes that a subscription of a connection is active.
func (s *subscriber) confirm(c *connection, t target) {
	s.mu.Lock()
	rt := s.routes[t]
	if rt == nil || rt.confirmed || s.conns[c.address] != c {
		s.mu.Unlock()
		return
	}
	rt.confirmed = true
	delete(s.refused, t)
	s.confirmed++
	s.failures = 0
	rt.tell()
	s.mu.Unlock()
	s.settle()
}

// refuse notes that Redis refused subscriptions. The connection tries them again.
func (s *subscriber) refuse(targets []target, err error) {
	s.mu.Lock()
	for _, t := range targets {
		if rt := s.routes[t]; rt != nil && !rt.confirmed {
			s.refused[t] = err
			rt.tell()
		}
	}
	s.failures = 0
	s.mu.Unlock()
	s.settle()
}

// settle sets the health if all that is wanted is there, or has been refused.
func (s *subscriber) settle() {
	s.mu.Lock()
	settled := s.confirmed+len(s.refused) == len(s.routes)
	var refused error
	if settled {
		s.away = nil
		for _, err := range s.refused {
			refused = err
			break
		}
	}
	s.mu.Unlock()
	if settled {
		s.cluster.health.set(receiving, refused)
	}
}

// dispatch gives a message to the one that wants it.
func (s *subscriber) dispatch(t target, channel, payload string) {
	s.mu.Lock()
	rt := s.routes[t]
	s.mu.Unlock()
	if rt != nil {
		rt.to.receive(channel, payload)
	}
}

func (s *subscriber) close() {
	s.cancel()
	s.mu.Lock()
	s.tell()
	s.mu.Unlock()
	s.running.Wait()
}
