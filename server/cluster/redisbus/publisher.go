package redisbus

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// Bounds of one pipeline. Redis replies to it within go-redis's timeouts.
const (
	batchMessages = 512
	batchBytes    = 1 << 20
)

// acceptedWithin is how long a message may wait for its proof. A node that is short of
// CPU needs seconds in which Redis is not at fault, and a refusal makes its clients send
// more.
const acceptedWithin = 5 * time.Second

// publisher sends messages to Redis in the order in which it got them. It sends nothing
// twice: if Redis has not replied to a message, it is unknown whether Redis has it.
//
// A message is accepted once Redis has published it and a proof after it, on the same
// connection, has shown that this is the master and that nodes subscribe there. While
// the connections are replaced, messages are held for a moment; then Redis is away, and
// they are dropped at once.
type publisher struct {
	bus      *Redis
	shard    string        // address of the shard's master when this began, with Redis Cluster and shard channels
	channel  string        // one of the shard
	probe    *probe        // nil with Redis Cluster, whose servers forward to each other
	done     chan struct{} // closed when the goroutines have ended
	outcomes outcomes
	outbound outbound

	astray chan error         // from the scout: the address leads to another server than the connections
	stop   context.CancelFunc // ends waiting between attempts

	// Of the goroutine.
	fates    []error   // of the messages of a batch, kept to be used again
	denied   error     // the first message that Redis refused, if the right to publish is in doubt
	deniedAt time.Time // the last one
	alone    error     // no other node is there
	cutAt    time.Time
	failures int    // selects the master of a Redis Cluster that publishes everything
	epoch    uint64 // of the links, when publishing began or was settled
}

// newPublisher starts a publisher: of one shard if shard is not "". Then channel is one
// of the shard's.
func newPublisher(b *Redis, shard, channel string) *publisher {
	ctx, cancel := context.WithCancel(context.Background())
	p := &publisher{bus: b, shard: shard, channel: channel, done: make(chan struct{}), stop: cancel, astray: make(chan error, 1)}
	if _, ok := b.client.(*redis.ClusterClient); !ok {
		p.probe = &probe{sub: b.sub, links: &b.links, peers: b.opts.Peers}
	}
	p.outbound.init(b.opts.QueueBytes)
	p.outcomes.init(b.opts.Hooks.Failed)
	go func() {
		defer close(p.done)
		var running sync.WaitGroup
		running.Go(p.outcomes.run)
		if b.fresh != nil {
			running.Go(func() { p.scout(ctx) })
		}
		p.run(ctx)
		p.outcomes.close()
		running.Wait()
	}()
	return p
}

// publish queues a message, see [Bus].
func (p *publisher) publish(ctx context.Context, m Message, wait bool) error {
	q := queued{Message: m}
	if m.Outcome != nil {
		q.expires = time.Now().Add(acceptedWithin)
	}
	err := p.outbound.put(ctx, q, wait, p.bus.opts.PublishWait)
	if err != nil && !errors.Is(err, ErrClosed) {
		p.bus.dropped(1, err)
	}
	return err
}

func (p *publisher) run(ctx context.Context) {
	checks := time.NewTicker(checkEvery)
	defer checks.Stop()
	for {
		check := false
		select {
		case <-p.outbound.wake:
		case <-checks.C:
			check = true
		case <-p.doubted():
			check = true
		case err := <-p.astray:
			p.follow(ctx, nil, err)
			continue
		}
		queue, closed := p.outbound.take()
		if check && len(queue) == 0 && !closed {
			if err := p.check(); err != nil {
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
			err := p.send(queue[:n], check)
			check = false
			p.outbound.release(queue[:n])
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

// doubted returns a channel that is closed when it can be decided whether the
// connections lead to different servers, if that is in doubt.
func (p *publisher) doubted() <-chan struct{} {
	if p.probe == nil {
		return nil
	}
	return p.probe.astray.replied
}

func batchLen(queue []queued) int {
	n, bytes := 0, 0
	for n < len(queue) && n < batchMessages && (n == 0 || bytes+queue[n].size() <= batchBytes) {
		bytes += queue[n].size()
		n++
	}
	return n
}

// check asks for a proof, with an echo, while there is nothing to publish.
func (p *publisher) check() error {
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
	return p.checked(at)
}

// checked does what each check does if the proof is good.
func (p *publisher) checked(at place) error {
	p.meet(at)
	return p.probe.hear(at)
}

// meet updates health by who else is there.
func (p *publisher) meet(at place) {
	if err := p.probe.company(at); err != p.alone {
		p.alone = err
		p.reportOf(company, err)
	}
}

// prove asks for a proof alone.
func (p *publisher) prove(ctx context.Context, echo bool) (place, uint64, error) {
	epoch := p.bus.links.Epoch()
	pipe := p.bus.client.Pipeline()
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
// Redis has refused it (WRONGPASS), which is the error of no command. An error reply to
// one command is the command's.
func exec(ctx context.Context, pipe redis.Pipeliner) ([]redis.Cmder, error) {
	cmds, err := pipe.Exec(ctx)
	if redislink.IsAnswer(err) && slices.ContainsFunc(cmds, func(c redis.Cmder) bool { return c.Err() != nil }) {
		err = nil
	}
	return cmds, err
}

// send publishes a batch, counts it, and resolves the outcomes. Its error says that
// publishing must follow the master, see follow.
func (p *publisher) send(batch []queued, check bool) error {
	ctx := context.Background() // go-redis's timeouts bound it
	batch = p.inTime(batch)
	if len(batch) == 0 {
		return nil
	}
	server, err := p.server(ctx)
	if err != nil {
		p.lost(batch, err)
		return err
	}
	epoch := p.bus.links.Epoch()
	pipe := server.Pipeline()
	for _, q := range batch {
		if p.bus.opts.Sharded {
			pipe.SPublish(ctx, q.Channel, q.Payload)
		} else {
			pipe.Publish(ctx, q.Channel, q.Payload)
		}
	}
	var a proof
	if p.probe != nil {
		a = p.probe.ask(ctx, pipe, check)
	}
	cmds, failure := exec(ctx, pipe)
	if len(cmds) < len(batch) {
		p.lost(batch, failure)
		return failure
	}
	var at place
	if p.probe != nil && failure == nil {
		at = a.read()
		failure = p.probe.judge(at, epoch)
	}
	failed, denied := 0, error(nil)
	for i, q := range batch {
		result := failure
		switch err := cmds[i].Err(); {
		case redislink.IsDenied(err): // Redis is there
			denied = &redislink.Denied{Command: strings.ToUpper(cmds[i].Name()), Channel: q.Channel, Err: err}
			result = denied
		case err != nil:
			failure, result = err, err
		}
		if result != nil {
			failed++
			result = publicError(result)
		}
		p.fates = append(p.fates, result)
	}
	// Whoever knows the outcome of a message finds it counted.
	p.bus.stats.published.Add(uint64(len(batch) - failed))
	if failed > 0 {
		p.bus.dropped(failed, unavailable(cmp.Or(failure, denied)))
	}
	for i, q := range batch {
		p.outcomes.put(q.Outcome, p.fates[i])
	}
	clear(p.fates)
	p.fates = p.fates[:0]
	p.rights(cmp.Or(denied, at.denied), at.echo != 0)
	if failure == nil && check && p.probe != nil {
		failure = p.checked(at)
	}
	return failure
}

// report sets the health of the publisher's connection, or of its shard's.
func (p *publisher) report(err error) { p.reportOf(publishing, err) }

func (p *publisher) reportOf(k kind, err error) {
	p.bus.health.set(source{Kind: k, Shard: p.shard}, p.bus.shards.name(p.shard, p.channel, err))
}

// inTime returns the messages whose outcomes have not expired, and drops the others.
func (p *publisher) inTime(batch []queued) []queued {
	now := time.Now()
	late := func(q queued) bool { return q.Outcome != nil && now.After(q.expires) }
	kept := batch
	for i, q := range batch {
		if !late(q) {
			continue
		}
		kept = append([]queued(nil), batch[:i]...)
		for _, q := range batch[i:] {
			if late(q) {
				p.lost([]queued{q}, errLate)
			} else {
				kept = append(kept, q)
			}
		}
		break
	}
	return kept
}

// lost resolves the outcomes with an error, and counts the messages as dropped.
func (p *publisher) lost(messages []queued, err error) {
	if len(messages) == 0 {
		return
	}
	err = publicError(err)
	for _, q := range messages {
		p.outcomes.put(q.Outcome, err)
	}
	p.bus.dropped(len(messages), err)
}

// rights updates health by the replies about the right to publish: denied if Redis has
// refused a message, taken if it has taken one of this node to itself.
func (p *publisher) rights(denied error, taken bool) {
	switch {
	case denied != nil:
		p.deniedAt = time.Now()
		if p.denied == nil { // the first is shown, as long as others follow
			p.denied = denied
			p.reportOf(mayPublish, denied)
		}
	case p.denied != nil && (taken && redislink.IsCommandDenied(p.denied) || time.Since(p.deniedAt) > deniedFor):
		p.denied = nil
		p.reportOf(mayPublish, nil)
	}
}

// deniedFor is how long health shows a message that Redis refused because of its
// channel, if Redis takes others.
const deniedFor = 5 * time.Second

// pipeliner is the part of go-redis's clients that send needs.
type pipeliner interface{ Pipeline() redis.Pipeliner }

// server returns the server to publish at. go-redis sends PUBLISH, which has no key, to
// any server of a Redis Cluster; for the order all messages go to the same one, until it
// fails. SPUBLISH goes to the server of the slot, and is redirected if the slot has
// moved.
func (p *publisher) server(ctx context.Context) (pipeliner, error) {
	cluster, ok := p.bus.client.(*redis.ClusterClient)
	if !ok || p.bus.opts.Sharded {
		return p.bus.client, nil
	}
	return redislink.AnyMaster(ctx, cluster, p.failures)
}

// close sends what is queued and waits for all goroutines.
func (p *publisher) close() {
	p.outbound.close()
	p.stop()
	<-p.done
}
