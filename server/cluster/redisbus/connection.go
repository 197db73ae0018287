package redisbus

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// A connection that was silent for one check is pinged, and closed if it is silent for
// two more. Checks are counted instead of time: a process that was stopped, or starved,
// must not mistake its own pause for one of Redis.
const (
	checkEvery   = 500 * time.Millisecond
	silentChecks = 3
	retryChecks  = 4 // refused subscriptions are sent again after so many
)

// overlapFor is how long a connection to a former master is read beside the one to the
// new master. Messages of the new one are delivered after settleAfter: by then those
// that were published before the change have arrived.
const (
	overlapFor  = 3 * time.Second
	settleAfter = 50 * time.Millisecond
)

// maxChannels bounds the channels of one command.
const maxChannels = 500

// connection is a subscribed connection. It is used once: after an error, another
// replaces it.
type connection struct {
	sub     *subscriber
	ctx     context.Context // ends with the subscriber; one connection is dialed in it
	address string          // "" if there is only one
	pubsub  *redis.PubSub
	wake    chan struct{}
	failed  chan error   // from the reader
	heard   atomic.Bool  // something has arrived since the last check
	held    atomic.Bool  // the reader waits for room in the queue
	waited  atomic.Int64 // when it last waited, in ns since 1970
	single  atomic.Bool  // one shard channel per command

	inbound   *inbound
	before    <-chan struct{} // closed when the previous connection has delivered everything; nil if there is none
	delivered chan struct{}   // closed when everything that was read has been delivered
	retired   chan error      // has an element if another connection replaces this one
	settled   chan struct{}   // closed when a retired connection has delivered what was in flight

	overlapped bool      // retired, and read until its successor has subscribed; guarded by sub.mu
	slotGapAt  time.Time // of the reader: when Redis Cluster last ended a subscription

	mu      sync.Mutex
	changes map[Target]struct{}
	active  map[Target]bool // subscribed; true once that is confirmed
	leaving map[Target]int  // unsubscribed, not confirmed yet
	waiting []chan struct{} // for the reply to the next ping
	sent    []command       // without a reply yet
	denied  []Target        // refused by Redis, to be tried again
	missed  map[Target]bool // not permitted when first requested, and not subscribed since
}

// pubsubber is the part of go-redis's clients that makes a subscription.
type pubsubber interface {
	Subscribe(ctx context.Context, channels ...string) *redis.PubSub
}

func newConnection(s *subscriber, address string, client pubsubber, before <-chan struct{}) *connection {
	c := &connection{
		sub: s, address: address, wake: make(chan struct{}, 1), failed: make(chan error, 1),
		inbound: newInbound(s.bus.opts.ReceiveBytes), before: before, delivered: make(chan struct{}),
		retired: make(chan error, 1), settled: make(chan struct{}),
		changes: make(map[Target]struct{}), active: make(map[Target]bool), leaving: make(map[Target]int),
	}
	c.ctx = redislink.Heard(redislink.Once(s.ctx), func() { c.heard.Store(true) })
	c.pubsub = client.Subscribe(c.ctx)
	return c
}

// change makes run compare the subscriptions to the targets with the wanted ones.
func (c *connection) change(targets []Target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range targets {
		c.changes[t] = struct{}{}
	}
	c.signal()
}

func (c *connection) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// retire ends the connection: at once, or after it has been read beside its successor
// for a while.
func (c *connection) retire(why error, overlap bool) {
	if overlap {
		why = nil
	}
	select {
	case c.retired <- why:
	default:
	}
}

// targets returns all targets that the connection serves or should serve.
func (c *connection) targets() []Target {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Target, 0, len(c.active)+len(c.changes))
	for t := range c.active {
		list = append(list, t)
	}
	for t := range c.changes {
		list = append(list, t)
	}
	return append(list, c.denied...)
}

// run serves the connection until it fails or the subscriber is closed.
func (c *connection) run() {
	err := c.serve()
	c.pubsub.Close()
	gap := c.gap(err)
	c.sub.fail(c, err)
	if gap != nil {
		c.sub.bus.gap(gap)
	}
}

func (c *connection) serve() error {
	defer c.inbound.close() // after the reader has ended; what it has read is still delivered
	var reader sync.WaitGroup
	defer reader.Wait()
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()         // ends a reader that waits for room
	defer c.pubsub.Close() // ends one that waits for Redis
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	reading, silent, checks := false, 0, 0
	var end <-chan time.Time
	settle := sync.OnceFunc(func() { close(c.settled) })
	defer settle()
	for {
		select {
		case <-c.sub.ctx.Done():
			return c.sub.ctx.Err()
		case why := <-c.retired:
			if why != nil {
				return why
			}
			if end == nil {
				end = time.After(overlapFor)
				time.AfterFunc(settleAfter, settle)
			}
		case <-end:
			return redislink.ErrMoving
		case err := <-c.failed:
			return err
		case <-c.wake:
			if err := c.apply(); err != nil {
				return err
			}
			if err := c.sendPing(); err != nil {
				return err
			}
			if !reading {
				reading = true
				reader.Go(func() { c.read(ctx) })
			}
		case <-ticker.C:
			c.sub.bus.health.Refresh()
			if checks++; checks%retryChecks == 0 {
				c.retry()
			}
			if !reading || c.held.Load() || c.heard.Swap(false) { // a reader that waits does not see what has arrived
				silent = 0
				continue
			}
			if silent++; silent >= silentChecks {
				return redislink.ErrSilent
			}
			if err := c.ping(nil); err != nil {
				return err
			}
		}
	}
}

// apply subscribes to what is wanted and is not subscribed yet, and unsubscribes from
// the rest.
func (c *connection) apply() error {
	var on, off [Shard + 1][]string
	var kept []Target // dropped and wanted again before anything was done
	c.sub.mu.Lock()
	c.mu.Lock()
	for t := range c.changes {
		confirmed, active := c.active[t]
		switch wanted := c.sub.routes[t] != nil; {
		case wanted && !active:
			c.active[t] = false
			on[t.Kind] = append(on[t.Kind], t.Name)
		case !wanted && active:
			delete(c.active, t)
			c.leaving[t]++
			off[t.Kind] = append(off[t.Kind], t.Name)
		case confirmed:
			kept = append(kept, t)
		}
	}
	clear(c.changes)
	c.mu.Unlock()
	c.sub.mu.Unlock()
	for _, t := range kept {
		c.sub.confirm(c, t)
	}

	ps := c.pubsub
	for _, step := range []struct {
		command
		do func(context.Context, ...string) error
	}{
		// Patterns come before the channels by which nodes are counted.
		{command{kind: Pattern, names: on[Pattern]}, ps.PSubscribe},
		{command{kind: Channel, names: on[Channel]}, ps.Subscribe},
		{command{kind: Shard, names: on[Shard]}, ps.SSubscribe},
		{command{kind: Channel, names: off[Channel], off: true}, ps.Unsubscribe},
		{command{kind: Pattern, names: off[Pattern], off: true}, ps.PUnsubscribe},
		{command{kind: Shard, names: off[Shard], off: true}, ps.SUnsubscribe},
	} {
		for part := range c.parts(step.kind, step.names) {
			c.expect(command{kind: step.kind, off: step.off, names: slices.Clone(part)})
			if err := step.do(c.ctx, part...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *connection) ping(waiting []chan struct{}) error {
	c.expect(command{ping: true, waiting: waiting})
	return c.pubsub.Ping(c.ctx)
}

// requestPing makes run send a PING, and returns a channel that is closed at the reply:
// everything that Redis had sent before has been read then. It is never closed if the
// connection ends first.
func (c *connection) requestPing() <-chan struct{} {
	replied := make(chan struct{})
	c.mu.Lock()
	c.waiting = append(c.waiting, replied)
	c.mu.Unlock()
	c.signal()
	return replied
}

// sendPing sends a PING if one was requested.
func (c *connection) sendPing() error {
	c.mu.Lock()
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	if len(waiting) == 0 {
		return nil
	}
	return c.ping(waiting)
}

// forget removes targets that Redis Cluster has moved to another connection.
func (c *connection) forget(targets []Target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range targets {
		delete(c.active, t)
		delete(c.changes, t)
	}
}

// read reads from Redis until an error. It never waits for receivers, only for room in
// the queue.
func (c *connection) read(ctx context.Context) {
	for {
		m, err := redislink.Receive(ctx, c.pubsub, 0)
		c.heard.Store(true)
		if redislink.IsAnswer(err) && !endsConnection(err, c.address != "") {
			c.refused(err)
			continue
		}
		if err != nil {
			c.failed <- err
			return
		}
		if err := c.handle(ctx, m); err != nil {
			c.failed <- err
			return
		}
	}
}

// endsConnection reports whether an error reply is the last thing on the connection:
// Redis closes it after some, and go-redis after others. With Redis Cluster, MOVED
// concerns one channel.
func endsConnection(err error, cluster bool) bool {
	for _, prefix := range []string{"READONLY", "Protocol error", "MOVED"} {
		if cluster && prefix == "MOVED" {
			continue
		}
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	return false
}

// deliver passes what the reader has queued to the receivers, after everything of the
// previous connection, until the queue is closed.
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
			c.sub.dispatch(d.to, d.channel, d.payload, c.inbound.backlog())
			c.inbound.done(d)
		}
	}
}

func (c *connection) handle(ctx context.Context, m any) error {
	switch m := m.(type) {
	case *redis.Message:
		t := Target{Channel, m.Channel}
		switch {
		case m.Pattern != "":
			t = Target{Pattern, m.Pattern}
		case c.sub.bus.opts.Sharded: // go-redis does not say which kind it is
			t.Kind = Shard
		}
		if n, ok := echoNumber(m.Payload); ok {
			c.sub.echo(n)
			return nil
		}
		if !c.inbound.put(ctx, delivery{t, m.Channel, m.Payload}, func() { c.held.Store(true) }) {
			return ctx.Err()
		}
		if c.held.Load() {
			c.waited.Store(time.Now().UnixNano())
			c.held.Store(false)
		}
	case *redis.Pong:
		c.replied(Target{}, false, true)
	case *redis.Subscription:
		kind := Channel
		switch m.Kind[0] {
		case 'p':
			kind = Pattern
		case 's':
			if m.Kind == "ssubscribe" || m.Kind == "sunsubscribe" {
				kind = Shard
			}
		}
		t, off := Target{kind, m.Channel}, strings.HasSuffix(m.Kind, "unsubscribe")
		requested := c.replied(t, off, false)
		switch {
		case !off:
			c.onSubscribed(t)
		case requested:
			c.onUnsubscribed(t)
		default:
			c.slotGap(t)
			c.forget([]Target{t})
			c.sub.moved([]Target{t})
		}
	}
	return nil
}

// onSubscribed records that a subscription has begun. It ignores one whose end was
// requested meanwhile, even if another to the same target follows.
func (c *connection) onSubscribed(t Target) {
	c.mu.Lock()
	_, active := c.active[t]
	active = active && c.leaving[t] == 0
	if active {
		c.active[t] = true
	}
	missed := active && c.missed[t]
	if missed {
		clear(c.missed) // rights come back together: one gap
	}
	c.mu.Unlock()
	if missed {
		c.sub.bus.gap(errRefused)
	}
	if active {
		c.sub.confirm(c, t)
	}
}

// onUnsubscribed records that a subscription has ended.
func (c *connection) onUnsubscribed(t Target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving[t]--; c.leaving[t] <= 0 {
		delete(c.leaving, t)
	}
}
