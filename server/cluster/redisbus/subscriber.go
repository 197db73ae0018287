package redisbus

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// route is a wanted subscription.
type route struct {
	to        Receiver
	confirmed bool
	address   string        // of the connection that has it, or had it last
	changed   chan struct{} // closed when ready must check again; nil if nobody waits
}

func (rt *route) wake() {
	if rt.changed != nil {
		close(rt.changed)
		rt.changed = nil
	}
}

// subscriber keeps the wanted subscriptions. One goroutine passes each change to the
// connection that serves the target: there is one connection, or with Redis Cluster
// and shard channels one per shard. A connection that fails is given up, and its
// targets count as changed.
type subscriber struct {
	bus     *Redis
	ctx     context.Context // ends with close
	wake    chan struct{}
	running sync.WaitGroup

	mu        sync.Mutex
	routes    map[Target]*route
	landmarks []*Landmark      // in the order of Watch
	confirmed int              // number of routes that are
	refused   map[Target]error // routes that Redis refuses, and its replies
	dirty     map[Target]struct{}
	conns     map[string]*connection
	ended     map[string]<-chan struct{} // by address: closed when the last connection that failed has delivered everything
	away      map[string]error           // by address: why the last connection failed
	retries   map[string]retry           // by address
	later     map[Target]struct{}        // to be placed again after a while

	echoes atomic.Uint64 // number of the last message of this node to itself that has arrived
}

func newSubscriber(b *Redis) *subscriber {
	s := &subscriber{
		bus: b, ctx: redislink.Managed(b.ctx), wake: make(chan struct{}, 1),
		routes: make(map[Target]*route), refused: make(map[Target]error), dirty: make(map[Target]struct{}), conns: make(map[string]*connection),
		ended: make(map[string]<-chan struct{}), away: make(map[string]error), retries: make(map[string]retry), later: make(map[Target]struct{}),
	}
	s.running.Go(s.run)
	return s
}

// add sets the receiver of the targets that have none.
func (s *subscriber) add(r Receiver, targets ...Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !r.Active() {
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

// remove ends the subscriptions of r to the targets.
func (s *subscriber) remove(r Receiver, targets ...Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range targets {
		s.drop(r, t)
	}
	s.signal()
}

// removeAll ends all subscriptions of r.
func (s *subscriber) removeAll(r Receiver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.routes {
		s.drop(r, t)
	}
	s.signal()
}

// drop removes a route to r. s.mu must be held.
func (s *subscriber) drop(r Receiver, t Target) {
	rt := s.routes[t]
	if rt == nil || rt.to != r {
		return
	}
	if rt.confirmed {
		s.confirmed--
	}
	rt.wake()
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

// ready waits until Redis has confirmed the subscriptions to those of the targets that
// are wanted.
func (s *subscriber) ready(ctx context.Context, targets ...Target) error {
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
		if rt.changed == nil {
			rt.changed = make(chan struct{})
		}
		changed := rt.changed
		s.mu.Unlock()
		switch {
		case s.ctx.Err() != nil:
			return ErrClosed
		case away != nil:
			return fmt.Errorf("%w: %w", ErrUnavailable, away)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ErrTimeout
		}
	}
	return nil
}

// wakeAll wakes those in ready. s.mu must be held.
func (s *subscriber) wakeAll() {
	for _, rt := range s.routes {
		rt.wake()
	}
}

// retry delays the connection that replaces one that failed, the longer the more have
// failed in a row.
type retry struct {
	failures int
	at       time.Time
}

// movedWait is how long the subscription to a channel is delayed after Redis Cluster has
// moved it, so that go-redis learns the new server first.
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
		s.dirty = make(map[Target]struct{})
		s.mu.Unlock()
		if wait := s.place(changed); wait > 0 {
			timer.Reset(wait)
		}
		s.settle() // refused targets may not be wanted any more
	}
}

// place passes changes to the connections that serve the targets. It returns the time
// after which the targets are to be placed that must wait, 0 if there are none.
func (s *subscriber) place(changed map[Target]struct{}) time.Duration {
	cluster, _ := s.bus.client.(*redis.ClusterClient)
	clients := map[string]pubsubber{"": s.bus.client}
	targets := make(map[string][]Target)
	for t := range changed {
		address := ""
		if cluster != nil && t.Kind == Shard {
			node, err := cluster.MasterForKey(s.ctx, t.Name)
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
			if cluster != nil && address == "" { // go-redis would choose the same server, which may be away
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

// moved subscribes to channels that Redis Cluster has moved at their new place. The
// other channels of the connection stay.
func (s *subscriber) moved(targets []Target) {
	redislink.Reload(s.ctx, s.bus.client)
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

// fail gives up a connection and places its targets again. If c is nil, the given
// targets have no connection, because it is not known where they belong.
func (s *subscriber) fail(c *connection, err error, targets ...Target) {
	redislink.Reload(s.ctx, s.bus.client)
	s.mu.Lock()
	address := ""
	if c != nil {
		if s.conns[c.address] != c { // another has replaced it
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
	if c == nil {
		for _, t := range targets {
			delete(s.dirty, t)
			s.later[t] = struct{}{}
		}
	}
	s.wakeAll()
	s.signal()
	closing := s.ctx.Err() != nil
	s.mu.Unlock()
	if closing {
		return
	}
	if address != "" {
		if len(targets) > 0 {
			err = s.bus.shards.name(address, targets[0].Name, err)
		}
		s.bus.health.set(source{Kind: receiving}, nil)
	}
	s.bus.health.set(source{Kind: receiving, Shard: address}, err)
}

// replace marks targets to be subscribed again. s.mu must be held.
func (s *subscriber) replace(targets []Target) {
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

// move replaces all connections, because they lead to the wrong server. With overlap
// the old ones are read for a while longer: other nodes may publish there until they
// notice the change.
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
	s.wakeAll()
	s.signal()
	s.mu.Unlock()
	s.bus.health.set(source{Kind: receiving}, why)
}

// watch and unwatch keep the landmarks.
func (s *subscriber) watch(l *Landmark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.landmarks = append(s.landmarks, l)
}

func (s *subscriber) unwatch(l *Landmark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.landmarks = slices.DeleteFunc(s.landmarks, func(o *Landmark) bool { return o == l })
}

// landmark returns the landmark that proofs use. It is zero if there is none.
func (s *subscriber) landmark() Landmark {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.landmarks) == 0 {
		return Landmark{}
	}
	return *s.landmarks[0]
}

// holder returns the connection that has the subscription to this node's own target
// confirmed, nil if none has, and whether the target is wanted and not refused.
func (s *subscriber) holder(own Target) (c *connection, wanted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rt := s.routes[own]
	if rt == nil {
		return nil, false
	}
	if rt.confirmed {
		c = s.conns[rt.address]
	}
	return c, s.refused[own] == nil
}

// echo records that a message of this node to itself has come back.
func (s *subscriber) echo(n uint64) {
	for {
		last := s.echoes.Load()
		if n <= last || s.echoes.CompareAndSwap(last, n) {
			return
		}
	}
}

// echoed reports whether a message of this node to itself has come back, or is held up
// on this node.
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

// confirm records that a subscription of a connection is active.
func (s *subscriber) confirm(c *connection, t Target) {
	s.mu.Lock()
	rt := s.routes[t]
	if rt == nil || rt.confirmed || s.conns[c.address] != c {
		s.mu.Unlock()
		return
	}
	rt.confirmed = true
	delete(s.refused, t)
	s.confirmed++
	back := s.away[c.address] != nil
	delete(s.away, c.address)
	delete(s.retries, c.address)
	rt.wake()
	s.mu.Unlock()
	if back && c.address != "" { // the shard is back, whatever others do
		s.bus.health.set(source{Kind: receiving, Shard: c.address}, nil)
	}
	s.settle()
}

// refuse records that Redis has refused subscriptions. The connection retries them.
func (s *subscriber) refuse(targets []Target, err error) {
	s.mu.Lock()
	for _, t := range targets {
		if rt := s.routes[t]; rt != nil && !rt.confirmed {
			s.refused[t] = err
			rt.wake()
		}
	}
	s.mu.Unlock()
	s.settle()
}

// settle updates health if all wanted subscriptions are confirmed or refused.
func (s *subscriber) settle() {
	s.mu.Lock()
	settled := len(s.routes) > 0 && s.confirmed+len(s.refused) == len(s.routes)
	var refused error
	if settled {
		clear(s.away)
		var first Target
		for t, err := range s.refused { // the same one as long as it is refused
			if refused == nil || t.Name < first.Name {
				first, refused = t, err
			}
		}
	}
	s.mu.Unlock()
	if settled {
		s.bus.health.received(refused)
	}
}

// dispatch passes a message to its receiver.
func (s *subscriber) dispatch(t Target, channel, payload string, b Backlog) {
	s.mu.Lock()
	rt := s.routes[t]
	s.mu.Unlock()
	if rt != nil {
		rt.to.Receive(channel, payload, b)
	}
}

// close waits for all goroutines. The bus's context must have ended.
func (s *subscriber) close() {
	s.mu.Lock()
	s.wakeAll()
	s.mu.Unlock()
	s.running.Wait()
}
