package redispresence

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/redislink"
)

// home is the server of a Redis Cluster at which all nodes publish, so that all
// see one order: the master of the channel's slot. A Redis Cluster passes messages
// on between its servers. So if the master stays away, any other will do until it is
// back: users of other nodes need not leave for it.
type home struct {
	cluster *redis.ClusterClient
	channel string
	// patience is how long the master may be away before another takes its place,
	// and stay how long the other keeps it.
	patience, stay time.Duration

	mu       sync.Mutex
	failing  time.Time // since when the master has failed; zero: it has not
	until    time.Time // another server is used
	failures int       // decides which
}

func newHome(cluster *redis.ClusterClient, channel string, t times) *home {
	return &home{cluster: cluster, channel: channel, patience: t.deaf / 2, stay: t.away}
}

// server returns where to publish and subscribe.
func (h *home) server(ctx context.Context) (*redis.Client, error) {
	h.mu.Lock()
	n, away := h.failures, time.Now().Before(h.until)
	h.mu.Unlock()
	if away {
		return redislink.AnyMaster(ctx, h.cluster, n)
	}
	return h.cluster.MasterForKey(ctx, h.channel)
}

// published notes how publishing went.
func (h *home) published(ctx context.Context, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	elsewhere := now.Before(h.until)
	switch {
	case err == nil || redislink.IsAnswer(err):
		if !elsewhere {
			h.failing = time.Time{}
		}
		return
	case elsewhere:
		h.failures++
	case h.failing.IsZero():
		h.failing = now
	case now.Sub(h.failing) >= h.patience:
		h.until = now.Add(h.stay)
	}
	h.cluster.ReloadState(ctx)
}
