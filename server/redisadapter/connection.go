package redisadapter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// A connection that has been silent for a look is pinged, and given up if it is
// silent for two more. Looks are counted rather than time: a process that was
// stopped, or starved, must not take its own pause for one of Redis.
const (
	lookEvery   = 500 * time.Millisecond
	silentLooks = 3
)

// subscribeAtOnce bounds the channels of one command.
const subscribeAtOnce = 500

var (
	errSilent = errors.New("redisadapter: Redis does not answer")
	errMoved  = errors.New("redisadapter: shard channel has moved")
)

// connection is one connection that is subscribed. It is used once: after an
// error, another takes its place.
type connection struct {
	sub     *subscriber
	address string // "" where there is only one
	pubsub  *redis.PubSub
	wake    chan struct{}
	failed  chan error  // by the reader
	heard   atomic.Bool // something since the last look
	held    atomic.Bool // the reader waits for room in the queue

	inbound   *inbound
	before    <-chan struct{} // closed when the connection before this one has delivered all; nil if there is none
	delivered chan struct{}   // closed when all that was read has been delivered

	mu      sync.Mutex
	changes map[target]struct{}
	active  map[target]bool // subscribed; true once that is confirmed
	leaving map[target]int  // unsubscribed, not confirmed yet
}

// pubsubber is the part of the library's clients that makes a subscription.
type pubsubber interface {
	Subscribe(ctx context.Context, channels ...string) *redis.PubSub
}

func newConnection(s *subscriber, address string, client pubsubber, before <-chan struct{}) *connection {
	return &connection{
		sub: s, address: address, pubsub: client.Subscribe(s.ctx), wake: make(chan struct{}, 1), failed: make(chan error, 1),
		inbound: newInbound(s.cluster.opts.ReceiveBytes), before: before, delivered: make(chan struct{}),
		changes: make(map[target]struct{}), active: make(map[target]bool), leaving: make(map[target]int),
	}
}

// change has the subscriptions looked at.
func (c *connection) change(targets []target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range targets {
		c.changes[t] = struct{}{}
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// targets returns all that the connection serves or should.
func (c *connection) targets() []target {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]target, 0, len(c.active)+len(c.changes))
	for t := range c.active {
		list = append(list, t)
	}
	for t := range c.changes {
		list = append(list, t)
	}
	return list
}

// run serves the connection until it fails or the subscriber is closed.
func (c *connection) run() {
	err := c.serve()
	c.pubsub.Close()
	c.sub.fail(c, err)
}

func (c *connection) serve() error {
	defer c.inbound.close() // when the reader has ended; what it has read is delivered still
	var reader sync.WaitGroup
	defer reader.Wait()
	ctx, cancel := context.WithCancel(c.sub.ctx)
	defer cancel()         // ends a reader that waits for room
	defer c.pubsub.Close() // ends one that waits for Redis
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	reading, silent := false, 0
	for {
		select {
		case <-c.sub.ctx.Done():
			return c.sub.ctx.Err()
		case err := <-c.failed:
			return err
		case <-c.wake:
			if err := c.apply(); err != nil {
				return err
			}
			if !reading {
				reading = true
				reader.Go(func() { c.read(ctx) })
			}
		case <-ticker.C:
			if !reading || c.held.Load() || c.heard.Swap(false) { // what waits to be read may well be there
				silent = 0
				continue
			}
			if silent++; silent >= silentLooks {
				return errSilent
			}
			if err := c.pubsub.Ping(c.sub.ctx); err != nil {
				return err
			}
		}
	}
}

// apply makes what is subscribed what is wanted.
func (c *connection) apply() error {
	var on, off [shardTarget + 1][]string
	var kept []target // given up and wanted again before anything was done
	c.sub.mu.Lock()
	c.mu.Lock()
	for t := range c.changes {
		confirmed, active := c.active[t]
		switch wanted := c.sub.routes[t] != nil; {
		case wanted && !active:
			c.active[t] = false
			on[t.kind] = append(on[t.kind], t.name)
		case !wanted && active:
			delete(c.active, t)
			c.leaving[t]++
			off[t.kind] = append(off[t.kind], t.name)
		case confirmed:
			kept = append(kept, t)
		}
	}
	clear(c.changes)
	c.mu.Unlock()
	c.sub.mu.Unlock()
	for _, t := range kept {
		c.sub.confirm(t)
	}

	ps := c.pubsub
	for _, step := range []struct {
		kind  targetKind
		names []string
		do    func(context.Context, ...string) error
	}{
		{patternTarget, on[patternTarget], ps.PSubscribe}, // before the channels by which nodes are counted
		{channelTarget, on[channelTarget], ps.Subscribe},
		{shardTarget, on[shardTarget], ps.SSubscribe},
		{channelTarget, off[channelTarget], ps.Unsubscribe},
		{patternTarget, off[patternTarget], ps.PUnsubscribe},
		{shardTarget, off[shardTarget], ps.SUnsubscribe},
	} {
		for part := range c.parts(step.kind, step.names) {
			if err := step.do(c.sub.ctx, part...); err != nil {
				return err
			}
		}
	}
	return nil
}

// parts splits names into those of one command each. In a Redis Cluster the
// channels of one SSUBSCRIBE must share a slot.
func (c *connection) parts(kind targetKind, names []string) func(func([]string) bool) {
	if kind == shardTarget && c.address != "" {
		return slices.Chunk(names, 1)
	}
	return slices.Chunk(names, subscribeAtOnce)
}

// read takes what comes from Redis. It never waits for those that it is for, but
// only for room in the queue.
func (c *connection) read(ctx context.Context) {
	for {
		m, err := c.pubsub.Receive(ctx)
		// Where Redis cannot save it refuses PING, and goes on to deliver.
		if err != nil && !redis.HasErrorPrefix(err, "MISCONF") {
			c.failed <- err
			return
		}
		c.heard.Store(true)
		if err := c.handle(ctx, m); err != nil {
			c.failed <- err
			return
		}
	}
}

// deliver gives what the reader has queued to those that it is for, after all of
// the connection before, until the queue is closed.
func (c *connection) deliver() {
	defer close(c.delivered)
	ctx := c.sub.ctx
	if c.before != nil {
		select {
		case <-c.before:
		case <-ctx.Done():
			return
		}
	}
	for list := c.inbound.take(ctx); len(list) > 0; list = c.inbound.take(ctx) {
		for i, d := range list {
			list[i] = delivery{}
			c.sub.dispatch(d.to, d.channel, d.payload)
			c.inbound.done(d)
		}
	}
}

func (c *connection) handle(ctx context.Context, m any) error {
	switch m := m.(type) {
	case *redis.Message:
		t := target{channelTarget, m.Channel}
		switch {
		case m.Pattern != "":
			t = target{patternTarget, m.Pattern}
		case c.sub.cluster.opts.Mode == Sharded:
			t.kind = shardTarget
		}
		if !c.inbound.put(ctx, delivery{t, m.Channel, m.Payload}, func() { c.held.Store(true) }) {
			return ctx.Err()
		}
		if c.held.Load() {
			c.held.Store(false)
		}
	case *redis.Subscription:
		switch m.Kind {
		case "subscribe":
			c.came(target{channelTarget, m.Channel})
		case "psubscribe":
			c.came(target{patternTarget, m.Channel})
		case "ssubscribe":
			c.came(target{shardTarget, m.Channel})
		case "unsubscribe":
			c.left(target{channelTarget, m.Channel})
		case "punsubscribe":
			c.left(target{patternTarget, m.Channel})
		case "sunsubscribe":
			// Redis Cluster says so unasked when a slot leaves the node.
			if !c.left(target{shardTarget, m.Channel}) {
				return fmt.Errorf("%w: %s", errMoved, m.Channel)
			}
		}
	}
	return nil
}

// came notes that a subscription has begun. One whose end has been asked for
// since is not what is wanted now, even where another of the same follows.
func (c *connection) came(t target) {
	c.mu.Lock()
	_, active := c.active[t]
	active = active && c.leaving[t] == 0
	if active {
		c.active[t] = true
	}
	c.mu.Unlock()
	if active {
		c.sub.confirm(t)
	}
}

// left notes the end of a subscription. It reports false where nobody asked.
func (c *connection) left(t target) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.leaving[t]
	if n <= 1 {
		delete(c.leaving, t)
	} else {
		c.leaving[t] = n - 1
	}
	return n > 0
}
