package redisadapter

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redislink"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// Cluster is one node's connection to the others through Redis. Its methods are
// safe for concurrent use.
type Cluster struct {
	opts   Options
	client redis.UniversalClient
	links  redislink.Links
	// sentinels know the master; nil without Sentinel.
	sentinels *redislink.Sentinels
	// fresh makes new connections, which show whether the address has moved to another
	// server. It is nil with Sentinel and Redis Cluster, which know the master.
	fresh  *redis.Options
	pub    *publishers
	sub    *subscriber
	shards shardNames
	health health
	stats  stats

	closing sync.Once
}

// Stats counts since the start. A message that has been dropped may have
// reached some nodes all the same, where Redis took it and its answer was lost.
type Stats struct {
	Published, Dropped uint64 // messages that Redis has taken, and has not
	Received           uint64 // messages of other nodes that concern this one
	Malformed          uint64 // what came and is not a message
	// Gaps is how often a subscription of this node has ended before another took its
	// place, so that messages of other nodes may have been lost; how many is not known.
	Gaps uint64
	// CutOff is how many of the gaps came because this node took messages too slowly:
	// what waited for it at Redis became too much (client-output-buffer-limit pubsub).
	CutOff uint64
}

type stats struct{ published, dropped, received, malformed, gaps, cutOff atomic.Uint64 }

// New returns the connection of a server to its cluster. It does not wait for
// Redis; the error is one of the options.
func New(opts Options) (*Cluster, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	ro, err := opts.redisOptions()
	if err != nil {
		return nil, err
	}
	if !opts.KeepRedisLog {
		quiet()
	}
	c := &Cluster{opts: opts}
	c.health.init(opts.Hooks)
	c.connect(ro)
	c.sub = newSubscriber(c)
	c.pub = newPublishers(c)
	if c.sentinels != nil {
		c.sentinels.Start(c.moved)
	}
	return c, nil
}

// connect makes the client. All of its connections are known, so that they follow
// the master together.
func (c *Cluster) connect(ro *redis.UniversalOptions) {
	dial := ro.Dialer
	if dial == nil {
		o := ro.Simple()
		dial = redis.NewDialer(&redis.Options{DialTimeout: o.DialTimeout, TLSConfig: o.TLSConfig})
	}
	if ro.MasterName != "" {
		c.sentinels = redislink.NewSentinels(ro)
		direct := dial
		dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, ro.DialTimeout)
			defer cancel()
			addr, err := c.sentinels.Master(ctx)
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
	tracked.Dialer = c.links.Track(dial)
	c.client = redis.NewUniversalClient(&tracked)
	if _, ok := c.client.(*redis.ClusterClient); !ok && c.sentinels == nil {
		c.fresh = ro.Simple()
		c.fresh.PoolSize = 16 // after so many failures the library would go on trying by itself
	}
}

// moved is called when the Sentinels name another master. The old one may go on
// as if it were the master for ten seconds.
func (c *Cluster) moved() {
	c.sub.move(redislink.ErrMoving, true)
	c.links.Cut(redislink.ErrMoving)
}

// cut gives up all connections, since they lead to the wrong server, or those that
// are subscribed, since Redis has cut them off.
func (c *Cluster) cut(why error) {
	c.sub.move(why, false)
	if !errors.Is(why, errCutOff) {
		c.links.Cut(why)
	}
}

// Factory returns what makes the adapters of a server's namespaces. A Cluster
// is for one server: to Redis, those that share it are one node.
func (c *Cluster) Factory() adapter.Factory {
	return func(local adapter.Local) adapter.Adapter {
		if c.opts.Mode == Sharded {
			return newShardedNode(c, local)
		}
		return newNode(c, local, newClassic(c.opts, local.Name()))
	}
}

// Client returns the client through which the cluster publishes, for what else a
// program does with the same Redis. It is the cluster's, and closed with it.
func (c *Cluster) Client() redis.UniversalClient { return c.client }

// Stats returns the counters.
func (c *Cluster) Stats() Stats {
	s := &c.stats
	return Stats{s.published.Load(), s.dropped.Load(), s.received.Load(), s.malformed.Load(), s.gaps.Load(), s.cutOff.Load()}
}

// Close leaves the cluster. It sends what has been accepted, where Redis takes
// it within its timeouts, and waits for all goroutines. Adapters that are open
// return ErrClosed from then on.
func (c *Cluster) Close() error {
	c.closing.Do(func() {
		c.sub.close()
		c.pub.close()
		c.client.Close()
		if c.sentinels != nil {
			c.sentinels.Close()
		}
	})
	return nil
}

func (c *Cluster) dropped(n int, err error) {
	c.stats.dropped.Add(uint64(n))
	if h := c.opts.Hooks.Dropped; h != nil {
		h(n, err)
	}
}

func (c *Cluster) malformed(channel string, err error) {
	c.stats.malformed.Add(1)
	if h := c.opts.Hooks.Malformed; h != nil {
		h(channel, err)
	}
}

// subscribers is how many nodes have subscribed to a channel.
func (c *Cluster) subscribers(ctx context.Context, channel string, sharded bool) (int, error) {
	ask := func(ctx context.Context, client redis.Cmdable) (int, error) {
		numSub := client.PubSubNumSub
		if sharded {
			numSub = client.PubSubShardNumSub
		}
		counts, err := numSub(ctx, channel).Result()
		return int(counts[channel]), err
	}
	cluster, ok := c.client.(*redis.ClusterClient)
	if !ok {
		return ask(ctx, c.client)
	}
	if sharded {
		node, err := cluster.MasterForKey(ctx, channel)
		if err != nil {
			return 0, err
		}
		return ask(ctx, node)
	}
	var sum, answered atomic.Int64
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, client *redis.Client) error {
		n, err := ask(ctx, client)
		if err == nil {
			answered.Add(1)
		}
		sum.Add(int64(n))
		return err
	})
	if answered.Load() > 0 { // nobody has subscribed at a server that is away
		err = nil
	}
	return int(sum.Load()), err
}

// reload makes go-redis query the slots of a Redis Cluster again. With other kinds of
// Redis it does nothing.
func (c *Cluster) reload(ctx context.Context) {
	if cluster, ok := c.client.(*redis.ClusterClient); ok {
		cluster.ReloadState(ctx)
	}
}
