package redisadapter

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// publishers are those of a cluster: one, or with Redis Cluster and the sharded
// protocol one for each shard, so that a shard that is away or slow concerns its
// own channels alone.
type publishers struct {
	cluster *Cluster

	mu     sync.Mutex
	all    map[string]*publisher // by the address of the shard's master
	closed bool
}

func newPublishers(c *Cluster) *publishers {
	ps := &publishers{cluster: c, all: make(map[string]*publisher)}
	if _, ok := c.client.(*redis.ClusterClient); !ok || c.opts.Mode != Sharded {
		ps.all[""] = newPublisher(c, "", "")
	}
	return ps
}

// of returns the publisher for a channel.
func (ps *publishers) of(ctx context.Context, channel string) (*publisher, error) {
	shard := ""
	if cluster, ok := ps.cluster.client.(*redis.ClusterClient); ok && ps.cluster.opts.Mode == Sharded {
		node, err := cluster.MasterForKey(ctx, channel)
		if err != nil {
			return nil, away(err)
		}
		shard = node.Options().Addr
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.all[shard]
	switch {
	case ps.closed:
		return nil, adapter.ErrClosed
	case p == nil:
		p = newPublisher(ps.cluster, shard, channel)
		ps.all[shard] = p
	}
	return p, nil
}

// publish queues a message: see publisher.publish.
func (ps *publishers) publish(ctx context.Context, o outgoing, wait bool) error {
	p, err := ps.of(ctx, o.channel)
	if err != nil {
		if err != adapter.ErrClosed {
			ps.cluster.dropped(1, err)
		}
		return err
	}
	return p.publish(ctx, o, wait)
}

// isAway returns why messages on a channel are dropped, nil if they are not.
func (ps *publishers) isAway(ctx context.Context, channel string) error {
	p, err := ps.of(ctx, channel)
	if err != nil {
		return err
	}
	return p.isAway()
}

func (ps *publishers) close() {
	ps.mu.Lock()
	ps.closed = true
	ps.mu.Unlock()
	var closing sync.WaitGroup
	for _, p := range ps.all {
		closing.Go(p.close)
	}
	closing.Wait()
}
