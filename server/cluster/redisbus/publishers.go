package redisbus

import (
	"context"
	"errors"
	"sync"

	"github.com/redis/go-redis/v9"
)

// publishers are those of a bus: one, or with Redis Cluster and shard channels one for
// each shard, so that a shard that is away or slow affects its own channels only.
type publishers struct {
	bus *Redis

	mu     sync.Mutex
	all    map[string]*publisher // by the address of the shard's master
	closed bool
}

func newPublishers(b *Redis) *publishers {
	ps := &publishers{bus: b, all: make(map[string]*publisher)}
	if _, ok := b.client.(*redis.ClusterClient); !ok || !b.opts.Sharded {
		ps.all[""] = newPublisher(b, "", "")
	}
	return ps
}

// of returns the publisher for a channel.
func (ps *publishers) of(ctx context.Context, channel string) (*publisher, error) {
	shard := ""
	if cluster, ok := ps.bus.client.(*redis.ClusterClient); ok && ps.bus.opts.Sharded {
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
		return nil, ErrClosed
	case p == nil:
		p = newPublisher(ps.bus, shard, channel)
		ps.all[shard] = p
	}
	return p, nil
}

// publish queues a message, see [Bus].
func (ps *publishers) publish(ctx context.Context, m Message, wait bool) error {
	p, err := ps.of(ctx, m.Channel)
	if err != nil {
		if !errors.Is(err, ErrClosed) {
			ps.bus.dropped(1, err)
		}
		return err
	}
	return p.publish(ctx, m, wait)
}

// away returns why messages on a channel are dropped, nil if they are not.
func (ps *publishers) away(ctx context.Context, channel string) error {
	p, err := ps.of(ctx, channel)
	if err != nil {
		return err
	}
	return p.outbound.isAway()
}

// close closes all publishers and waits for them.
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
