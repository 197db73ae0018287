package redisbus

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/health"
	"github.com/puente-io/puente/server/cluster/redislink"
)

// Redis is a [Bus] over Redis pub/sub.
type Redis struct {
	opts   Options
	client redis.UniversalClient
	links  redislink.Links
	// sentinels know the master; nil without Sentinel.
	sentinels *redislink.Sentinels
	// fresh makes new connections, which show whether the address leads to another
	// server by now. It is nil with Sentinel and Redis Cluster, which know the master.
	fresh  *redis.Options
	pub    *publishers
	sub    *subscriber
	shards shardNames
	health *monitor
	stats  counters

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	closing sync.Once
}

var _ Bus = (*Redis)(nil)

type counters struct{ published, dropped, gaps, cutOff atomic.Uint64 }

// New returns a bus and connects in the background. It does not wait for Redis: its
// errors are about the options.
func New(opts Options) (*Redis, error) {
	opts = opts.withDefaults()
	ro, err := opts.redisOptions()
	if err != nil {
		return nil, err
	}
	if !opts.KeepRedisLog {
		redirectLog()
	}
	b := &Redis{opts: opts, health: newMonitor(opts.Hooks)}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.connect(ro)
	b.sub = newSubscriber(b)
	b.pub = newPublishers(b)
	if b.sentinels != nil {
		b.sentinels.Start(b.moved)
	}
	return b, nil
}

// connect makes the client. All of its connections are tracked, so that they follow
// the master together.
func (b *Redis) connect(ro *redis.UniversalOptions) {
	dial := ro.Dialer
	if dial == nil {
		o := ro.Simple()
		dial = redis.NewDialer(&redis.Options{DialTimeout: o.DialTimeout, TLSConfig: o.TLSConfig})
	}
	dial = redislink.Checked(dial, b.opts.MaxReply)
	if ro.MasterName != "" {
		b.sentinels = redislink.NewSentinels(ro)
		direct := dial
		dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, ro.DialTimeout)
			defer cancel()
			addr, err := b.sentinels.Master(ctx)
			if err != nil {
				return nil, err
			}
			return direct(ctx, network, addr)
		}
		master := *ro
		master.MasterName, master.Addrs = "", []string{"master.of." + ro.MasterName + ":6379"} // which is not dialed
		ro = &master
	}
	tracked := *ro
	tracked.Dialer = b.links.Track(dial)
	b.client = redis.NewUniversalClient(&tracked)
	if _, ok := b.client.(*redis.ClusterClient); !ok && b.sentinels == nil {
		b.fresh = ro.Simple()
		b.fresh.Dialer = dial
		b.fresh.PoolSize = 16 // after so many failures go-redis would retry by itself
	}
}

// moved is called when the Sentinels name another master. The old one may behave as
// the master for another ten seconds.
func (b *Redis) moved() {
	b.sub.move(redislink.ErrMoving, true)
	b.links.Cut(redislink.ErrMoving)
}

// cut closes all connections, because they lead to the wrong server, or only those
// that are subscribed, because Redis has cut them off.
func (b *Redis) cut(why error) {
	b.sub.move(why, false)
	if !errors.Is(why, errCutOff) {
		b.links.Cut(why)
	}
}

// Client returns the client through which the bus publishes, for other uses of the
// same Redis. It belongs to the bus, which closes it.
func (b *Redis) Client() redis.UniversalClient { return b.client }

// Publish implements [Bus].
func (b *Redis) Publish(ctx context.Context, m Message, wait bool) error {
	return b.pub.publish(ctx, m, wait)
}

// Away implements [Bus].
func (b *Redis) Away(ctx context.Context, channel string) error { return b.pub.away(ctx, channel) }

// Subscribe implements [Bus].
func (b *Redis) Subscribe(r Receiver, targets ...Target) { b.sub.add(r, targets...) }

// Unsubscribe implements [Bus].
func (b *Redis) Unsubscribe(r Receiver, targets ...Target) { b.sub.remove(r, targets...) }

// UnsubscribeAll implements [Bus].
func (b *Redis) UnsubscribeAll(r Receiver) { b.sub.removeAll(r) }

// Ready implements [Bus].
func (b *Redis) Ready(ctx context.Context, targets ...Target) error {
	return b.sub.ready(ctx, targets...)
}

// Watch implements [Bus].
func (b *Redis) Watch(l *Landmark) { b.sub.watch(l) }

// Unwatch implements [Bus].
func (b *Redis) Unwatch(l *Landmark) { b.sub.unwatch(l) }

// Health implements [Bus].
func (b *Redis) Health() health.Health { return b.health.Health() }

// Stats implements [Bus].
func (b *Redis) Stats() Stats {
	s := &b.stats
	return Stats{s.published.Load(), s.dropped.Load(), s.gaps.Load(), s.cutOff.Load()}
}

// Context implements [Bus].
func (b *Redis) Context() context.Context { return b.ctx }

// Close implements [Bus].
func (b *Redis) Close() error {
	b.closing.Do(func() {
		b.cancel()
		b.sub.close()
		b.pub.close()
		b.client.Close()
		if b.sentinels != nil {
			b.sentinels.Close()
		}
	})
	return nil
}

func (b *Redis) dropped(n int, err error) {
	b.stats.dropped.Add(uint64(n))
	if h := b.opts.Hooks.Dropped; h != nil {
		h(n, err)
	}
}

// Subscribers implements [Bus].
func (b *Redis) Subscribers(ctx context.Context, t Target) (int, error) {
	count := func(ctx context.Context, client redis.Cmdable) (int, error) {
		numSub := client.PubSubNumSub
		if t.Kind == Shard {
			numSub = client.PubSubShardNumSub
		}
		counts, err := numSub(ctx, t.Name).Result()
		return int(counts[t.Name]), err
	}
	n, err := b.subscribers(ctx, t, count)
	switch {
	case err == nil:
		return n, nil
	case b.ctx.Err() != nil:
		return 0, ErrClosed
	case errors.Is(err, context.DeadlineExceeded), expired(ctx):
		return 0, ErrTimeout
	}
	return 0, unavailable(err)
}

// subscribers counts at the servers that know of subscriptions to t.
func (b *Redis) subscribers(ctx context.Context, t Target, count func(context.Context, redis.Cmdable) (int, error)) (int, error) {
	cluster, ok := b.client.(*redis.ClusterClient)
	if !ok {
		return count(ctx, b.client)
	}
	if t.Kind == Shard {
		node, err := cluster.MasterForKey(ctx, t.Name)
		if err != nil {
			return 0, err
		}
		return count(ctx, node)
	}
	var sum, answered atomic.Int64
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, client *redis.Client) error {
		n, err := count(ctx, client)
		if err == nil {
			answered.Add(1)
		}
		sum.Add(int64(n))
		return err
	})
	if answered.Load() > 0 { // a server that is away has no subscribers
		err = nil
	}
	return int(sum.Load()), err
}

// expired reports whether the deadline of ctx has passed, though ctx may not have
// ended yet: a connection that has the same deadline may be faster.
func expired(ctx context.Context) bool {
	d, ok := ctx.Deadline()
	return ok && !time.Now().Before(d)
}
