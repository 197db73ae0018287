package redisadapter

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redislink"

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
	receive(channel, payload string, h adapter.Haste)
}

// route is a wanted subscription.
type route struct {
	to        receiver
	confirmed bool
	address   string        // of the connection that has it, or had
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
	away      map[string]error           // by address, why the last connection failed
	retries   map[string]retry           // by address
	later     map[target]struct{}        // that are placed again after a while

	echoes atomic.Uint64 // number of the last message of this node to itself that has come
}

func newSubscriber(c *Cluster) *subscriber {
	ctx, cancel := context.WithCancel(redislink.Managed(context.Background()))
	s := &subscriber{
		cluster: c, ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1),
		routes: make(map[target]*route), refused: make(map[target]error), dirty: make(map[target]struct{}), conns: make(map[string]*connection),
		ended: make(map[string]<-chan struct{}), away: make(map[string]error), retries: make(map[string]retry), later: make(map[target]struct{}),
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
		rt := s.routes[targets[0]]
		if rt == nil || rt.confirmed {
			s.mu.Unlock()
			targets = targets[1:]
			continue
		}
		away := s.away[rt.address]
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

// retry is how long a connection waits that is to take the place of one that
// failed, the longer the more have failed in a row.
type retry struct {
	failures int
	at       time.Time
}

// movedWait is how long a channel waits that Redis Cluster has moved, so that the
// library learns where.
const movedWait = 30 * time.Millisecond

func (s *subscriber) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.wake:
		case <-timer.C:
			s.mu.Lock()
			for t := range s.later {
				s.dirty[t] = struct{}{}
			}
			clear(s.later)
			s.mu.Unlock()
		case <-s.ctx.Done():
			return
		}
		s.mu.Lock()
		changed := s.dirty
		s.dirty = make(map[target]struct{})
		s.mu.Unlock()
		if wait := s.place(changed); wait > 0 {
			timer.Reset(wait)
		}
		s.settle() // what was refused may not be wanted any more
	}
}

// place gives changes to the connections that serve the targets. It returns after
// which time those are to be placed that must wait, 0 if there are none.
func (s *subscriber) place(changed map[target]struct{}) time.Duration {
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
		return 0
	}
	now, wait := time.Now(), time.Duration(0)
	postpone := func(d time.Duration) {
		if d = max(d, time.Millisecond); wait == 0 || d < wait {
			wait = d
		}
	}
	if len(s.later) > 0 {
		postpone(movedWait)
	}
	for address, list := range targets {
		for _, t := range list {
			if rt := s.routes[t]; rt != nil {
				rt.address = address
			}
		}
		for _, c := range s.conns { // a channel that has moved
			if c.address != address {
				c.forget(list)
			}
		}
		c := s.conns[address]
		if c == nil {
			if left := s.retries[address].at.Sub(now); left > 0 {
				for _, t := range list {
					s.later[t] = struct{}{}
				}
				postpone(left)
				continue
			}
			client := clients[address]
			if cluster != nil && address == "" { // the library would go to the same server, which may be away
				if node, err := redislink.AnyMaster(s.ctx, cluster, s.retries[address].failures); err == nil {
					client = node
				}
			}
			c = newConnection(s, address, client, s.ended[address])
			s.conns[address] = c
			delete(s.ended, address)
			s.running.Go(c.run)
			s.running.Go(c.deliver)
		}
		c.change(list)
	}
	return wait
}

// moved has a channel, that Redis Cluster has moved, be subscribed to at its new
// place; all the others of the connection stay.
func (s *subscriber) moved(targets []target) {
	s.cluster.reload(s.ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range targets {
		if rt := s.routes[t]; rt != nil {
			if rt.confirmed {
				rt.confirmed = false
				s.confirmed--
			}
			s.later[t] = struct{}{}
		}
	}
	s.signal()
}

// fail gives up a connection, where there is one, and has its targets, or the
// given ones, placed again.
func (s *subscriber) fail(c *connection, err error, targets ...target) {
	s.cluster.reload(s.ctx)
	s.mu.Lock()
	address := ""
	if c != nil {
		if s.conns[c.address] != c { // another has taken its place
			s.mu.Unlock()
			return
		}
		delete(s.conns, c.address)
		s.ended[c.address] = c.delivered
		targets = c.targets()
		address = c.address
	}
	s.replace(targets)
	n := s.retries[address].failures
	s.retries[address] = retry{n + 1, time.Now().Add(min(firstRetry<<min(n, 10), lastRetry))}
	s.away[address] = err
	if c == nil { // where it should go is not known
		for _, t := range targets {
			delete(s.dirty, t)
			s.later[t] = struct{}{}
		}
	}
	s.tell()
	s.signal()
	closing := s.ctx.Err() != nil
	s.mu.Unlock()
	if closing {
		return
	}
	if address != "" {
		if len(targets) > 0 {
			err = s.cluster.shards.name(address, targets[0].name, err)
		}
		s.cluster.health.set(source{side: receiving}, nil)
	}
	s.cluster.health.set(source{receiving, address}, err)
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
		c.overlapped = overlap
		delete(s.conns, address)
		s.ended[address] = c.delivered
		if overlap {
			s.ended[address] = c.settled
		}
		s.replace(c.targets())
	}
	s.away[""] = why
	s.tell()
	s.signal()
	s.mu.Unlock()
	s.cluster.health.set(source{side: receiving}, why)
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

// holder returns the connection that has the subscription to a node's own channel
// confirmed, nil if none has, and whether the channel is wanted at all, and not
// refused.
func (s *subscriber) holder(own string) (c *connection, wanted bool) {
	kind := channelTarget
	if s.cluster.opts.Mode == Sharded {
		kind = shardTarget
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := target{kind, own}
	rt := s.routes[t]
	if rt == nil {
		return nil, false
	}
	if rt.confirmed {
		c = s.conns[rt.address]
	}
	return c, s.refused[t] == nil
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
	well := s.away[c.address] != nil
	delete(s.away, c.address)
	delete(s.retries, c.address)
	rt.tell()
	s.mu.Unlock()
	if well && c.address != "" { // the shard is there, whatever others do
		s.cluster.health.set(source{receiving, c.address}, nil)
	}
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
	s.mu.Unlock()
	s.settle()
}

// settle sets the health if all that is wanted is there, or has been refused.
func (s *subscriber) settle() {
	s.mu.Lock()
	settled := len(s.routes) > 0 && s.confirmed+len(s.refused) == len(s.routes)
	var refused error
	if settled {
		clear(s.away)
		var first target
		for t, err := range s.refused { // the same as long as it is refused
			if refused == nil || t.name < first.name {
				first, refused = t, err
			}
		}
	}
	s.mu.Unlock()
	if settled {
		s.cluster.health.received(refused)
	}
}

// dispatch gives a message to the one that wants it.
func (s *subscriber) dispatch(t target, channel, payload string, h adapter.Haste) {
	s.mu.Lock()
	rt := s.routes[t]
	s.mu.Unlock()
	if rt != nil {
		rt.to.receive(channel, payload, h)
	}
}

func (s *subscriber) close() {
	s.cancel()
	s.mu.Lock()
	s.tell()
	s.mu.Unlock()
	s.running.Wait()
}
