package redisadapter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redislink"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// Bounds of one pipeline. Redis answers it within the library's timeouts.
const (
	batchMessages = 512
	batchBytes    = 1 << 20
)

// How long the publisher waits between two attempts to reach Redis.
const (
	firstRetry = 25 * time.Millisecond
	lastRetry  = 400 * time.Millisecond
)

// How long messages are held while the connections are made again, and how long
// the other nodes may take for that before they are taken for gone: each of them
// finds out by itself, within a second.
const (
	holdFor    = 400 * time.Millisecond
	othersFor  = 1500 * time.Millisecond
	settleWait = 5 * time.Millisecond // between two looks
)

// outgoing is a message on its way to Redis.
type outgoing struct {
	channel  string
	payload  []byte
	accepted *adapter.Acceptance // nil if nobody waits
	expires  time.Time           // after which the one that waits has been answered
}

// size is what the message counts for in the queue, its bookkeeping included.
func (o outgoing) size() int { return len(o.channel) + len(o.payload) + 128 }

// publisher hands messages to Redis in the order in which it got them. Nothing
// is sent twice: whether Redis has taken what it did not answer is unknown.
//
// A message is accepted once Redis has published it and a proof behind it, on the
// same connection, has shown that this is the master and that nodes subscribe
// there. While the connections are made again, messages are held for a moment;
// then Redis is away, and they are dropped at once.
type publisher struct {
	cluster *Cluster
	sharded bool
	shard   string        // address of the shard's master when this began, with Redis Cluster and the sharded protocol
	channel string        // one of the shard
	probe   *probe        // nil with Redis Cluster, whose servers pass on to each other
	done    chan struct{} // the goroutines have ended
	results results

	mu     sync.Mutex
	queue  []outgoing
	bytes  int           // of the queue and of what is under way
	space  chan struct{} // closed when bytes have become fewer, or the state has changed
	away   error         // Redis is away: what publish returns
	closed bool
	wake   chan struct{} // has an element when there is something to do

	scouted chan error // where the address leads by now is not where the connections lead

	stop context.CancelFunc // ends waiting between attempts

	// Of the goroutine.
	denied   error     // the first message that Redis refused, if the right to publish is in doubt
	deniedAt time.Time // the last one
	alone    error     // no other node is there
	cutAt    time.Time
	failures int    // which master of a Redis Cluster publishes to all
	epoch    uint64 // of the links, when publishing began or settled
}

// deniedFor is how long health speaks of a message that Redis refused because of its
// channel, if it takes others.
const deniedFor = 5 * time.Second

// newPublisher starts a publisher, of one shard if shard is not "": then channel
// is one of the shard's.
func newPublisher(c *Cluster, shard, channel string) *publisher {
	ctx, cancel := context.WithCancel(context.Background())
	p := &publisher{
		cluster: c, sharded: c.opts.Mode == Sharded, shard: shard, channel: channel, done: make(chan struct{}),
		space: make(chan struct{}), wake: make(chan struct{}, 1), stop: cancel,
		scouted: make(chan error, 1),
	}
	if _, ok := c.client.(*redis.ClusterClient); !ok {
		p.probe = &probe{sub: c.sub, links: &c.links, peers: c.opts.Peers}
	}
	p.results.init(c.opts.Hooks.Failed)
	go func() {
		defer close(p.done)
		var running sync.WaitGroup
		running.Go(p.results.run)
		if c.fresh != nil {
			running.Go(func() { p.scout(ctx) })
		}
		p.run(ctx)
		p.results.close()
		running.Wait()
	}()
	return p
}

// publish queues a message. Where the queue is full it waits up to PublishWait,
// or not at all. Errors are ErrUnavailable, ErrAway and ErrClosed.
func (p *publisher) publish(ctx context.Context, o outgoing, wait bool) error {
	if o.accepted != nil {
		o.expires = time.Now().Add(acceptedWithin)
	}
	var patience <-chan time.Time
	for {
		space, err := p.enqueue(o)
		if space == nil {
			if err != nil && !errors.Is(err, adapter.ErrClosed) {
				p.cluster.dropped(1, err)
			}
			return err
		}
		if wait && patience == nil {
			timer := time.NewTimer(p.cluster.opts.PublishWait)
			defer timer.Stop()
			patience = timer.C
		}
		if wait {
			select {
			case <-space:
				continue
			case <-patience:
			case <-ctx.Done():
			}
		}
		p.cluster.dropped(1, errFull)
		return errFull
	}
}

// acceptedWithin is how long a message may wait for its proof. A node that is short
// of CPU needs seconds in which Redis is not at fault, and a refusal makes its
// clients send more.
const acceptedWithin = 5 * time.Second

var (
	errFull = fmt.Errorf("%w: Redis takes messages too slowly", adapter.ErrUnavailable)
	errLate = fmt.Errorf("%w: Redis did not take the message in time", adapter.ErrUnavailable)
)

// enqueue adds a message, or returns what to wait for before the next attempt.
func (p *publisher) enqueue(o outgoing) (space <-chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, adapter.ErrClosed
	case p.away != nil:
		return nil, p.away
	case p.bytes > 0 && p.bytes+o.size() > p.cluster.opts.QueueBytes:
		return p.space, nil
	}
	p.queue = append(p.queue, o)
	p.bytes += o.size()
	p.signal()
	return nil, nil
}

func (p *publisher) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// take returns the queue.
func (p *publisher) take() (queue []outgoing, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	queue, p.queue = p.queue, nil
	return queue, p.closed
}

// release says that messages are no longer under way.
func (p *publisher) release(messages []outgoing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range messages {
		p.bytes -= o.size()
	}
	p.news()
}

func (p *publisher) news() {
	close(p.space)
	p.space = make(chan struct{})
}

func (p *publisher) run(ctx context.Context) {
	looks := time.NewTicker(lookEvery)
	defer looks.Stop()
	for {
		look := false
		select {
		case <-p.wake:
		case <-looks.C:
			look = true
		case <-p.doubted():
			look = true
		case err := <-p.scouted:
			p.follow(ctx, nil, err)
			continue
		}
		queue, closed := p.take()
		if look && len(queue) == 0 && !closed {
			if err := p.look(); err != nil {
				p.follow(ctx, nil, err)
			}
			continue
		}
		for len(queue) > 0 {
			if p.probe != nil && p.probe.links.Epoch() != p.epoch {
				queue = p.follow(ctx, queue, errMoving)
				continue
			}
			n := batchLen(queue)
			err := p.send(queue[:n], look)
			look = false
			p.release(queue[:n])
			queue = queue[n:]
			if err != nil {
				queue = p.follow(ctx, queue, err)
			}
		}
		if closed {
			return
		}
	}
}

// doubted is closed when a doubt about where the connections lead can be settled.
func (p *publisher) doubted() <-chan struct{} {
	if p.probe == nil {
		return nil
	}
	return p.probe.astray.answered
}

func batchLen(queue []outgoing) int {
	n, bytes := 0, 0
	for n < len(queue) && n < batchMessages && (n == 0 || bytes+queue[n].size() <= batchBytes) {
		bytes += queue[n].size()
		n++
	}
	return n
}

// look finds out where the connection leads, and whether what was published comes
// back, while there is nothing to publish.
func (p *publisher) look() error {
	if p.probe == nil {
		p.rights(nil, false)
		return nil
	}
	if p.probe.links.Epoch() != p.epoch {
		return errMoving
	}
	at, epoch, err := p.prove(context.Background(), true)
	if err != nil {
		return err
	}
	p.rights(at.denied, at.echo != 0)
	if err := p.probe.judge(at, epoch); err != nil {
		return err
	}
	return p.looked(at)
}

// looked does what is to be done at each look if the proof is good.
func (p *publisher) looked(at place) error {
	p.meet(at)
	return p.probe.hear(at)
}

// meet sets the health by who else is there.
func (p *publisher) meet(at place) {
	if err := p.probe.company(at); err != p.alone {
		p.alone = err
		p.reportOf(company, err)
	}
}

// prove asks for a proof alone.
func (p *publisher) prove(ctx context.Context, echo bool) (place, uint64, error) {
	epoch := p.cluster.links.Epoch()
	pipe := p.cluster.client.Pipeline()
	a := p.probe.ask(ctx, pipe, echo)
	if pipe.Len() == 0 {
		return place{own: true, nodes: -1}, epoch, nil
	}
	if _, err := exec(ctx, pipe); err != nil {
		return place{}, epoch, err
	}
	return a.read(), epoch, nil
}

// exec runs a pipeline. Its error is that of the whole: the connection has failed, or
// Redis has refused it (WRONGPASS), which is the error of no command. What Redis has
// answered to a command is the command's.
func exec(ctx context.Context, pipe redis.Pipeliner) ([]redis.Cmder, error) {
	cmds, err := pipe.Exec(ctx)
	if redislink.IsAnswer(err) && slices.ContainsFunc(cmds, func(c redis.Cmder) bool { return c.Err() != nil }) {
		err = nil
	}
	return cmds, err
}

// send publishes a batch, counts, and answers those that wait. It returns ErrAway
// if Redis is away, or another one.
func (p *publisher) send(batch []outgoing, look bool) error {
	ctx := context.Background() // the library's timeouts bound it
	batch = p.inTime(batch)
	if len(batch) == 0 {
		return nil
	}
	target, err := p.target(ctx)
	if err != nil {
		p.lost(batch, err)
		return err
	}
	epoch := p.cluster.links.Epoch()
	pipe := target.Pipeline()
	for _, o := range batch {
		if p.sharded {
			pipe.SPublish(ctx, o.channel, o.payload)
		} else {
			pipe.Publish(ctx, o.channel, o.payload)
		}
	}
	var a proof
	if p.probe != nil {
		a = p.probe.ask(ctx, pipe, look)
	}
	cmds, away := exec(ctx, pipe)
	if len(cmds) < len(batch) {
		p.lost(batch, away)
		return away
	}
	var at place
	if p.probe != nil && away == nil {
		at = a.read()
		away = p.probe.judge(at, epoch)
	}
	failed, denied := 0, error(nil)
	for i, o := range batch {
		fate := away
		switch cmdErr := cmds[i].Err(); {
		case redislink.IsDenied(cmdErr): // Redis is there
			denied = &redislink.Denied{Command: strings.ToUpper(cmds[i].Name()), Channel: o.channel, Err: cmdErr}
			fate = denied
		case cmdErr != nil:
			away, fate = cmdErr, cmdErr
		}
		if fate != nil {
			failed++
			fate = publicError(fate)
		}
		p.results.put(o.accepted, fate)
	}
	p.cluster.stats.published.Add(uint64(len(batch) - failed))
	if failed > 0 {
		p.cluster.dropped(failed, unavailable(cmp.Or(away, denied)))
	}
	p.rights(cmp.Or(denied, at.denied), at.echo != 0)
	if away == nil && look && p.probe != nil {
		away = p.looked(at)
	}
	return away
}

func away(err error) error { return fmt.Errorf("%w: %w", adapter.ErrAway, err) }

// report sets the health of the publisher's connection, or of its shard's.
func (p *publisher) report(err error) { p.reportOf(publishing, err) }

func (p *publisher) reportOf(s side, err error) {
	p.cluster.health.set(source{s, p.shard}, p.cluster.shards.name(p.shard, p.channel, err))
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", adapter.ErrUnavailable, err) }

// inTime returns the messages whose senders have not given up.
func (p *publisher) inTime(batch []outgoing) []outgoing {
	now := time.Now()
	late := func(o outgoing) bool { return o.accepted != nil && now.After(o.expires) }
	kept := batch
	for i, o := range batch {
		if !late(o) {
			continue
		}
		kept = append([]outgoing(nil), batch[:i]...)
		for _, o := range batch[i:] {
			if late(o) {
				p.lost([]outgoing{o}, errLate)
			} else {
				kept = append(kept, o)
			}
		}
		break
	}
	return kept
}

// lost answers those that wait, and counts.
func (p *publisher) lost(messages []outgoing, err error) {
	if len(messages) == 0 {
		return
	}
	err = publicError(err)
	for _, o := range messages {
		p.results.put(o.accepted, err)
	}
	p.cluster.dropped(len(messages), err)
}

// publicError is the error that senders get: that Redis is away, if it could not be
// reached, or has gone; that the message may not have been taken in time or by the
// right server, if something was there.
func publicError(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, adapter.ErrUnavailable):
		return err
	case moving(err), redislink.IsDenied(err), errors.As(err, &timeout) && timeout.Timeout():
		return unavailable(err)
	}
	return away(err)
}

// rights sets the health by what Redis has said of the right to publish: denied if it
// has refused a message, taken if it has taken one of this node to itself.
func (p *publisher) rights(denied error, taken bool) {
	switch {
	case denied != nil:
		p.deniedAt = time.Now()
		if p.denied == nil { // the first is named, as long as others follow
			p.denied = denied
			p.reportOf(mayPublish, denied)
		}
	case p.denied != nil && (taken && redislink.IsCommandDenied(p.denied) || time.Since(p.deniedAt) > deniedFor):
		p.denied = nil
		p.reportOf(mayPublish, nil)
	}
}

// pipeliner is the part of the library's clients that send needs.
type pipeliner interface{ Pipeline() redis.Pipeliner }

// target is where messages go. The library sends PUBLISH, which has no key, to
// any node of a Redis Cluster; for the order all go to the same, until that fails.
// SPUBLISH goes where the slot is, and is redirected if that has moved.
func (p *publisher) target(ctx context.Context) (pipeliner, error) {
	cluster, ok := p.cluster.client.(*redis.ClusterClient)
	if !ok || p.sharded {
		return p.cluster.client, nil
	}
	return redislink.AnyMaster(ctx, cluster, p.failures)
}

// follow gets publishing back to the master, after an error. It holds messages
// for a moment, in which a planned change of masters is over; if that does not
// do, Redis is away. It returns what is to be sent then.
func (p *publisher) follow(ctx context.Context, held []outgoing, why error) []outgoing {
	p.report(why)
	began := time.Now()
	for delay := settleWait; ctx.Err() == nil; delay = min(2*delay, lastRetry) {
		p.cut(why)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return p.giveUp(held, why)
		}
		if why = p.settled(ctx, began); why == nil {
			p.mu.Lock()
			p.away = nil
			p.mu.Unlock()
			p.report(nil)
			return held
		}
		p.report(why)
		if time.Since(began) > holdFor || !moving(why) {
			held = p.giveUp(held, why)
		}
	}
	return p.giveUp(held, why)
}

// moving reports whether an error is one of connections that are being made.
func moving(err error) bool {
	return errors.Is(err, errMoving) || errors.Is(err, errDivided) || errors.Is(err, errCutOff) || errors.Is(err, errNotThere) || errors.Is(err, errOthers) || errors.Is(err, errReplica)
}

// cutEvery is how often all connections are cut at most.
const cutEvery = time.Second

// cut makes all connections be made again, if they lead to the wrong place.
func (p *publisher) cut(why error) {
	wrong := errors.Is(why, errReplica) || errors.Is(why, errDivided) || errors.Is(why, errCutOff) || errors.Is(why, errNoEcho)
	if wrong && time.Since(p.cutAt) > cutEvery {
		p.cutAt = time.Now()
		p.cluster.cut(why)
	}
}

// answers finds out whether a Redis Cluster takes messages. PING would be refused
// if Redis cannot save.
func (p *publisher) answers(ctx context.Context) error {
	cluster, ok := p.cluster.client.(*redis.ClusterClient)
	if !ok {
		return p.cluster.client.PubSubNumSub(ctx).Err()
	}
	cluster.ReloadState(ctx)
	if p.shard != "" {
		node, err := cluster.MasterForKey(ctx, p.channel)
		if err != nil {
			return err
		}
		return node.PubSubShardNumSub(ctx).Err()
	}
	p.failures++
	node, err := redislink.AnyMaster(ctx, cluster, p.failures)
	if err != nil {
		return err
	}
	return node.PubSubNumSub(ctx).Err()
}

// settled finds out whether messages may be published (again).
func (p *publisher) settled(ctx context.Context, since time.Time) error {
	if p.probe == nil {
		err := p.answers(ctx)
		if redislink.IsDenied(err) { // a refusal is an answer, too
			return nil
		}
		return err
	}
	at, epoch, err := p.prove(ctx, false)
	if err != nil {
		return err
	}
	if err := p.probe.settled(at, epoch, time.Since(since) < othersFor); err != nil {
		return err
	}
	p.epoch = epoch
	p.meet(at) // before health says that all is well
	return nil
}

// giveUp drops what is queued: it would be late when Redis is back. From now on
// publish returns an error at once.
func (p *publisher) giveUp(rest []outgoing, err error) []outgoing {
	reason := away(err)
	if moving(err) {
		reason = unavailable(err) // something is there, and may be the wrong server
	}
	p.mu.Lock()
	p.away = reason
	rest = append(rest, p.queue...)
	p.queue = nil
	p.mu.Unlock()
	p.release(rest)
	p.lost(rest, err)
	return nil
}

func (p *publisher) isAway() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.away
}

func (p *publisher) close() {
	p.mu.Lock()
	p.closed = true
	p.news()
	p.signal()
	p.mu.Unlock()
	p.stop()
	<-p.done
}
