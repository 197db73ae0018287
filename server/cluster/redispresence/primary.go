package redispresence

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// primary selects the server of a Redis Cluster at which all nodes publish and
// subscribe, so that all see one order: the master of the channel's slot. If that
// master stays away, any other master serves until it is back, since the servers
// forward messages to each other. Without this, the users of other nodes would leave
// whenever that master fails.
type primary struct {
	cluster   *redis.ClusterClient
	channel   string
	tolerance time.Duration // how long publishing may fail before another master is used
	failover  time.Duration // how long the other master is used

	mu            sync.Mutex
	failingSince  time.Time // when publishing at the master first failed; zero: it works
	failoverUntil time.Time // another master is used until then
	failures      int       // failures of other masters; selects the next
}

func newPrimary(cluster *redis.ClusterClient, channel string, t times) *primary {
	return &primary{cluster: cluster, channel: channel, tolerance: t.echoTimeout / 2, failover: t.isolatedTimeout}
}

// server returns the server to publish and subscribe at.
func (p *primary) server(ctx context.Context) (*redis.Client, error) {
	p.mu.Lock()
	n, failedOver := p.failures, time.Now().Before(p.failoverUntil)
	p.mu.Unlock()
	if failedOver {
		return redislink.AnyMaster(ctx, p.cluster, n)
	}
	return p.cluster.MasterForKey(ctx, p.channel)
}

// published records the result of a publish.
func (p *primary) published(ctx context.Context, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	failedOver := now.Before(p.failoverUntil)
	switch {
	case err == nil || redislink.IsAnswer(err):
		if !failedOver {
			p.failingSince = time.Time{}
		}
		return
	case failedOver:
		p.failures++
	case p.failingSince.IsZero():
		p.failingSince = now
	case now.Sub(p.failingSince) >= p.tolerance:
		p.failoverUntil = now.Add(p.failover)
	}
	redislink.Reload(ctx, p.cluster)
}
