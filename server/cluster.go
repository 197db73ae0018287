package server

import (
	"fmt"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/puente-io/puente/server/cluster"
	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redispresence"
	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/internal/clip"
)

// newCluster returns the node's connection to other nodes: through Redis, or to none. It
// does not wait for Redis: its errors are about the configuration.
func newCluster(cfg config.Config, log zerolog.Logger) (*cluster.Cluster, error) {
	if !cfg.RedisURL.IsSet() {
		return cluster.NewMemory().Node(), nil
	}
	redis.SetLogger(redisLog{sampled(log)}) // sets it for the whole process
	opts := cluster.Options{URL: cfg.RedisURL.Reveal(), Prefix: cfg.RedisPrefix, KeepRedisLog: true}
	opts.Hooks.Adapter, opts.Hooks.Presence = adapterHooks(log), presenceHooks(log)
	if cfg.RedisAdapter == "sharded" {
		opts.Mode = redisadapter.Sharded
	}
	c, err := cluster.Open(opts)
	if err != nil {
		return nil, fmt.Errorf("server: REDIS_URL: %w", err)
	}
	return c, nil
}

// adapterHooks logs lost messages, errors of Redis, and changes of health.
func adapterHooks(log zerolog.Logger) redisadapter.Hooks {
	var disconnected atomic.Bool // as last logged
	disconnected.Store(true)
	drops, foreign, failures, gaps := sampled(log), sampled(log), sampled(log), sampled(log)
	return redisadapter.Hooks{
		Failed: func(err error) { failures.Warn().Str("error", clip.Text(err.Error(), maxText)).Msg("Redis error") },
		Dropped: func(n int, err error) {
			drops.Warn().Int("messages", n).Str("error", clip.Text(err.Error(), maxText)).Msg("messages to other nodes dropped")
		},
		Gap: func(err error) {
			gaps.Error().Str("error", clip.Text(err.Error(), maxText)).Msg("Redis subscription interrupted, messages of other nodes may be lost")
		},
		Malformed: func(channel string, err error) {
			foreign.Warn().Str("channel", clip.Text(channel, maxText)).Str("error", clip.Text(err.Error(), maxText)).Msg("message from Redis ignored")
		},
		Health: func(h redisadapter.Health) {
			now := h.Degraded && !h.Connected
			if before := disconnected.Swap(now); now {
				log.Warn().Str("part", "messages").Str("reason", h.Reason).Msg("cluster degraded, this node serves only its own clients")
			} else if before {
				log.Info().Str("part", "messages").Msg("cluster connected")
			}
		},
	}
}

func presenceHooks(log zerolog.Logger) redispresence.Hooks {
	failures, foreign := sampled(log), sampled(log)
	return redispresence.Hooks{
		Failed: func(err error) {
			failures.Debug().Str("error", clip.Text(err.Error(), maxText)).Msg("presence cannot reach Redis")
		},
		Malformed: func(channel string, err error) {
			foreign.Warn().Str("channel", clip.Text(channel, maxText)).Str("error", clip.Text(err.Error(), maxText)).Msg("message from Redis ignored")
		},
		Health: func(h redispresence.Health) {
			if h.Degraded {
				log.Warn().Str("part", "presence").Str("reason", h.Reason).Msg("cluster degraded, users of other nodes may be outdated")
				return
			}
			log.Info().Str("part", "presence").Msg("presence up to date")
		},
	}
}
