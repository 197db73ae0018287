package redisbus

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// firstRetry and lastRetry bound the wait between two attempts to reach Redis.
const (
	firstRetry = 25 * time.Millisecond
	lastRetry  = 400 * time.Millisecond
)

// holdFor is how long messages are held while the connections are replaced. othersFor
// is how long the other nodes may take for that before they count as gone: each of them
// notices by itself, within a second.
const (
	holdFor    = 400 * time.Millisecond
	othersFor  = 1500 * time.Millisecond
	settleWait = 5 * time.Millisecond // between the first two attempts
)

// cutEvery bounds how often all connections are cut.
const cutEvery = time.Second

// follow brings publishing back to the master after an error. It holds messages for a
// moment, in which a planned change of masters is over; after that Redis is away. It
// returns the messages to send then.
func (p *publisher) follow(ctx context.Context, held []queued, why error) []queued {
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
			p.outbound.resume()
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

// cut replaces all connections if they lead to the wrong place.
func (p *publisher) cut(why error) {
	wrong := errors.Is(why, errReplica) || errors.Is(why, errDivided) || errors.Is(why, errCutOff) || errors.Is(why, errNoEcho)
	if wrong && time.Since(p.cutAt) > cutEvery {
		p.cutAt = time.Now()
		p.bus.cut(why)
	}
}

// settled returns nil if messages may be published again.
func (p *publisher) settled(ctx context.Context, since time.Time) error {
	if p.probe == nil {
		err := p.answers(ctx)
		if redislink.IsDenied(err) { // a refusal is an answer too
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

// answers returns nil if a Redis Cluster takes messages. It does not send PING, which
// Redis refuses if it cannot save.
func (p *publisher) answers(ctx context.Context) error {
	cluster, ok := p.bus.client.(*redis.ClusterClient)
	if !ok {
		return p.bus.client.PubSubNumSub(ctx).Err()
	}
	redislink.Reload(ctx, cluster)
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

// giveUp drops the messages, which would be late when Redis is back, and makes publish
// fail from now on.
func (p *publisher) giveUp(held []queued, err error) []queued {
	reason := away(err)
	if moving(err) {
		reason = unavailable(err) // a server is there, and may be the wrong one
	}
	dropped := append(held, p.outbound.giveUp(reason)...)
	p.outbound.release(dropped)
	p.lost(dropped, err)
	return nil
}
