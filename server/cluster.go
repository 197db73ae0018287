package server

import (
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/redisadapter"
	"github.com/puente-io/puente/server/redispresence"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// cluster is what connects the node with others: nothing, or Redis.
type cluster struct {
	adapter  adapter.Factory
	presence presence.Presence
	degraded func() realtime.Degradation
	losses   func() int64 // how often messages of other nodes were lost; nil: never
	close    func() error
}

// joinWait bounds how long a join waits for Redis, in the sharded mode.
const joinWait = 500 * time.Millisecond

// newCluster does not wait for Redis: its error is one of the configuration.
func newCluster(cfg config.Config, log zerolog.Logger) (*cluster, error) {
	if !cfg.RedisURL.IsSet() {
		p := presence.NewMemory().Node()
		return &cluster{presence: p, close: p.Close}, nil
	}
	redis.SetLogger(redisLog{sampled(log)}) // of the whole process, which a node is
	// A client that has been told of its join misses nothing.
	opts := redisadapter.Options{JoinWait: joinWait, URL: cfg.RedisURL.Reveal(), Prefix: cfg.RedisPrefix, Hooks: adapterHooks(log), KeepRedisLog: true}
	if cfg.RedisAdapter == "sharded" {
		opts.Mode = redisadapter.Sharded
	}
	nodes, err := redisadapter.New(opts)
	if err != nil {
		return nil, fmt.Errorf("server: REDIS_URL: %w", err)
	}
	users, err := redispresence.New(redispresence.Options{Redis: nodes.Client(), Prefix: cfg.RedisPrefix, Hooks: presenceHooks(log)})
	if err != nil {
		return nil, errors.Join(err, nodes.Close())
	}
	return &cluster{
		adapter:  nodes.Factory(),
		presence: users,
		degraded: func() realtime.Degradation {
			if h := nodes.Health(); h.Degraded {
				return realtime.Degradation(h)
			}
			return realtime.Degradation(users.Health())
		},
		losses: func() int64 { return int64(nodes.Stats().CutOff) },
		// Presence first: its last word is that the users have gone.
		close: func() error { return errors.Join(users.Close(), nodes.Close()) },
	}, nil
}

// adapterHooks logs what a cluster does to messages, and when it comes and goes.
func adapterHooks(log zerolog.Logger) redisadapter.Hooks {
	drops, foreign, failures := sampled(log), sampled(log), sampled(log)
	return redisadapter.Hooks{
		Failed: func(err error) { failures.Warn().Err(err).Msg("Redis trouble") },
		Dropped: func(n int, err error) {
			drops.Warn().Int("messages", n).Err(err).Msg("messages have not reached the other nodes")
		},
		CutOff: func() { log.Error().Msg("messages of other nodes lost: Redis has cut the subscription off") },
		Malformed: func(channel string, err error) {
			foreign.Warn().Str("channel", channel).Err(err).Msg("message from Redis ignored")
		},
		Health: func(h redisadapter.Health) { logHealth(log, "messages", h.Degraded, h.Reason) },
	}
}

func presenceHooks(log zerolog.Logger) redispresence.Hooks {
	failures, foreign := sampled(log), sampled(log)
	return redispresence.Hooks{
		Failed: func(err error) { failures.Debug().Err(err).Msg("presence does not reach Redis") },
		Malformed: func(channel string, err error) {
			foreign.Warn().Str("channel", channel).Err(err).Msg("message from Redis ignored")
		},
		Health: func(h redispresence.Health) { logHealth(log, "presence", h.Degraded, h.Reason) },
	}
}

func logHealth(log zerolog.Logger, part string, degraded bool, reason string) {
	if degraded {
		log.Warn().Str("part", part).Str("reason", reason).Msg("cluster degraded: this node serves its own clients")
		return
	}
	log.Info().Str("part", part).Msg("cluster connected")
}
