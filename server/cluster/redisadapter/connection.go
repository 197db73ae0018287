package redisadapter

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

// A connection that has been silent for a look is pinged, and given up if it is
// silent for two more. Looks are counted rather than time: a process that was
// stopped, or starved, must not take its own pause for one of Redis.
const (
	lookEvery   = 500 * time.Millisecond
	silentLooks = 3
	retryLooks  = 4 // a subscription that was refused is tried again
)

// How long a connection to a former master is read beside the one to the new, and
// after how much of that messages of the new one are delivered: by then what was
// published before the change has come.
const (
	overlapFor = 3 * time.Second
	underWay   = 50 * time.Millisecond
)

// subscribeAtOnce bounds the channels of one command.
const subscribeAtOnce = 500

// command is what has been sent on a subscribed connection. Redis answers in the
// order of the commands: a confirmation for each name, or one error.
type command struct {
	kind  targetKind
	off   bool
	names []string
	ping  bool
	asked []chan struct{} // of a ping: closed when it has been answered
}

func (c command) targets() []target {
	list := make([]target, len(c.names))
	for i, name := range c.names {
		list[i] = target{c.kind, name}
	}
	return list
}

// done notes that the command has been answered.
func (c command) done() {
	for _, answered := range c.asked {
		close(answered)
	}
}

// text is the command's name.
func (c command) text() string {
	name := [...]string{channelTarget: "SUBSCRIBE", patternTarget: "PSUBSCRIBE", shardTarget: "SSUBSCRIBE"}[c.kind]
	switch {
	case c.ping:
		return "PING"
	case c.off && c.kind == channelTarget:
		return "UNSUBSCRIBE"
	case c.off:
		return name[:1] + "UN" + name[1:]
	}
	return name
}

// connection is one connection that is subscribed. It is used once: after an
// error, another takes its place.
type connection struct {
	sub     *subscriber
	ctx     context.Context // ends with the subscriber; one connection is dialed in it
	address string          // "" where there is only one
	pubsub  *redis.PubSub
	wake    chan struct{}
	failed  chan error   // by the reader
	heard   atomic.Bool  // something since the last look
	held    atomic.Bool  // the reader waits for room in the queue
	waited  atomic.Int64 // when it last had to, in ns since 1970
	single  atomic.Bool  // one shard channel a command

	inbound   *inbound
	before    <-chan struct{} // closed when the connection before this one has delivered all; nil if there is none
	delivered chan struct{}   // closed when all that was read has been delivered
	retired   chan error      // has an element if another connection takes the place of this one
	settled   chan struct{}   // closed when a retired connection has brought what was under way

	overlapped bool      // retired, and read until its successor has subscribed; guarded by sub.mu
	slotGapAt  time.Time // of the reader: when Redis Cluster last took a subscription away

	mu      sync.Mutex
	changes map[target]struct{}
	active  map[target]bool // subscribed; true once that is confirmed
	leaving map[target]int  // unsubscribed, not confirmed yet
	asked   []chan struct{} // by ask, for the next ping
	sent    []command       // that have not been answered
	denied  []target        // that Redis has refused to subscribe
}

// pubsubber is the part of the library's clients that makes a subscription.
type pubsubber interface {
	Subscribe(ctx context.Context, channels ...string) *redis.PubSub
}

func newConnection(s *subscriber, address string, client pubsubber, before <-chan struct{}) *connection {
	c := &connection{
		sub: s, address: address, wake: make(chan struct{}, 1), failed: make(chan error, 1),
		inbound: newInbound(s.cluster.opts.ReceiveBytes), before: before, delivered: make(chan struct{}),
		retired: make(chan error, 1), settled: make(chan struct{}),
		changes: make(map[target]struct{}), active: make(map[target]bool), leaving: make(map[target]int),
	}
	c.ctx = redislink.Heard(redislink.Once(s.ctx), func() { c.heard.Store(true) })
	c.pubsub = client.Subscribe(c.ctx)
	return c
}

// change has the subscriptions looked at.
func (c *connection) change(targets []target) {
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

// retire ends the connection: at once, or after it has been read beside its
// successor for a while.
func (c *connection) retire(why error, overlap bool) {
	if overlap {
		why = nil
	}
	select {
	case c.retired <- why:
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
	return append(list, c.denied...)
}

// run serves the connection until it fails or the subscriber is closed.
func (c *connection) run() {
	err := c.serve()
	c.pubsub.Close()
	gap := c.gap(err)
	c.sub.fail(c, err)
	if gap != nil {
		c.sub.cluster.gap(gap)
	}
}

func (c *connection) serve() error {
	defer c.inbound.close() // when the reader has ended; what it has read is delivered still
	var reader sync.WaitGroup
	defer reader.Wait()
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()         // ends a reader that waits for room
	defer c.pubsub.Close() // ends one that waits for Redis
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	reading, silent, looks := false, 0, 0
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
				time.AfterFunc(underWay, settle)
			}
		case <-end:
			return redislink.ErrMoving
		case err := <-c.failed:
			return err
		case <-c.wake:
			if err := c.apply(); err != nil {
				return err
			}
			if err := c.pingAsked(); err != nil {
				return err
			}
			if !reading {
				reading = true
				reader.Go(func() { c.read(ctx) })
			}
		case <-ticker.C:
			c.sub.cluster.health.refresh()
			if looks++; looks%retryLooks == 0 {
				c.retry()
			}
			if !reading || c.held.Load() || c.heard.Swap(false) { // what waits to be read may well be there
				silent = 0
				continue
			}
			if silent++; silent >= silentLooks {
				return redislink.ErrSilent
			}
			if err := c.ping(nil); err != nil {
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
		c.sub.confirm(c, t)
	}

	ps := c.pubsub
	for _, step := range []struct {
		command
		do func(context.Context, ...string) error
	}{
		// Patterns come before the channels by which nodes are counted.
		{command{kind: patternTarget, names: on[patternTarget]}, ps.PSubscribe},
		{command{kind: channelTarget, names: on[channelTarget]}, ps.Subscribe},
		{command{kind: shardTarget, names: on[shardTarget]}, ps.SSubscribe},
		{command{kind: channelTarget, names: off[channelTarget], off: true}, ps.Unsubscribe},
		{command{kind: patternTarget, names: off[patternTarget], off: true}, ps.PUnsubscribe},
		{command{kind: shardTarget, names: off[shardTarget], off: true}, ps.SUnsubscribe},
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

func (c *connection) ping(asked []chan struct{}) error {
	c.expect(command{ping: true, asked: asked})
	return c.pubsub.Ping(c.ctx)
}

// ask sends a PING, soon, and returns what is closed when Redis has answered it:
// whatever else Redis had sent before has been read then. It is never closed if the
// connection ends first.
func (c *connection) ask() <-chan struct{} {
	answered := make(chan struct{})
	c.mu.Lock()
	c.asked = append(c.asked, answered)
	c.mu.Unlock()
	c.signal()
	return answered
}

func (c *connection) pingAsked() error {
	c.mu.Lock()
	asked := c.asked
	c.asked = nil
	c.mu.Unlock()
	if len(asked) == 0 {
		return nil
	}
	return c.ping(asked)
}

// expect notes a command before it is sent.
func (c *connection) expect(cmd command) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = append(c.sent, cmd)
}

// answered notes that Redis has confirmed a subscription, or its end, or
// answered a ping. It reports false if no command asked for that: Redis Cluster
// says by itself that a slot has left.
func (c *connection) answered(t target, off, ping bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sent) == 0 {
		return false
	}
	cmd := &c.sent[0]
	if ping != cmd.ping {
		return false
	}
	if !ping {
		i := slices.Index(cmd.names, t.name)
		if cmd.kind != t.kind || cmd.off != off || i < 0 {
			return false
		}
		cmd.names = slices.Delete(cmd.names, i, i+1)
	}
	if len(cmd.names) == 0 {
		cmd.done()
		c.sent = c.sent[1:]
	}
	return true
}

// refused handles an error that Redis answered with: Redis is there, and the
// connection serves whatever else it does.
func (c *connection) refused(err error) {
	c.mu.Lock()
	if len(c.sent) == 0 {
		c.mu.Unlock()
		return
	}
	cmd := c.sent[0]
	c.sent = c.sent[1:]
	cmd.done()
	if !cmd.ping && !cmd.off {
		for _, t := range cmd.targets() {
			delete(c.active, t)
			if c.address == "" || !redis.HasErrorPrefix(err, "MOVED") {
				c.denied = append(c.denied, t)
			}
		}
	}
	c.mu.Unlock()
	switch {
	case cmd.ping: // any answer will do
	case cmd.off:
		for _, t := range cmd.targets() {
			c.left(t) // what still comes is for nobody
		}
	default:
		if c.address != "" && redis.HasErrorPrefix(err, "MOVED") {
			c.forget(cmd.targets())
			c.sub.moved(cmd.targets())
			return
		}
		if redislink.IsDenied(err) {
			err = &redislink.Denied{Command: cmd.text(), Channel: cmd.names[0], Err: err}
		}
		c.sub.refuse(cmd.targets(), err)
		if redis.HasErrorPrefix(err, "CROSSSLOT") { // a Redis Cluster: it says more if it is asked for one
			c.single.Store(true)
			c.retry()
		}
	}
}

// forget notes that targets are no longer the connection's: Redis Cluster has moved
// them.
func (c *connection) forget(targets []target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range targets {
		delete(c.active, t)
		delete(c.changes, t)
	}
}

// retry tries again what Redis has refused: its rules may have changed.
func (c *connection) retry() {
	c.mu.Lock()
	denied := c.denied
	c.denied = nil
	c.mu.Unlock()
	if len(denied) > 0 {
		c.change(denied)
	}
}

// parts splits names into those of one command each. In a Redis Cluster the
// channels of one SSUBSCRIBE must share a slot.
func (c *connection) parts(kind targetKind, names []string) func(func([]string) bool) {
	if kind == shardTarget && (c.address != "" || c.single.Load()) {
		return slices.Chunk(names, 1)
	}
	return slices.Chunk(names, subscribeAtOnce)
}

// read takes what comes from Redis. It never waits for those that it is for, but
// only for room in the queue.
func (c *connection) read(ctx context.Context) {
	for {
		m, err := c.pubsub.Receive(ctx)
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

// endsConnection reports whether nothing follows an answer of Redis: it closes
// the connection after some, and the library after others.
// With Redis Cluster a slot that has moved concerns one channel.
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
			c.sub.dispatch(d.to, d.channel, d.payload, c.inbound.haste())
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
		c.answered(target{}, false, true)
	case *redis.Subscription:
		kind := channelTarget
		switch m.Kind[0] {
		case 'p':
			kind = patternTarget
		case 's':
			if m.Kind == "ssubscribe" || m.Kind == "sunsubscribe" {
				kind = shardTarget
			}
		}
		t, off := target{kind, m.Channel}, strings.HasSuffix(m.Kind, "unsubscribe")
		asked := c.answered(t, off, false)
		switch {
		case !off:
			c.came(t)
		case asked:
			c.left(t)
		default:
			c.slotGap(t)
			c.forget([]target{t})
			c.sub.moved([]target{t})
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
		c.sub.confirm(c, t)
	}
}

// left notes the end of a subscription.
func (c *connection) left(t target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving[t]--; c.leaving[t] <= 0 {
		delete(c.leaving, t)
	}
}
