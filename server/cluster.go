package server

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redispresence"
	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// cluster connects the node with others through Redis; without Redis it has the
// presence of this node only.
type cluster struct {
	adapter  adapter.Factory
	presence presence.Presence
	degraded func() realtime.Degradation
	gaps     func() realtime.Gaps // nil: none
	close    func() error
}

// joinWait bounds how long a join waits for Redis, in the sharded mode.
const joinWait = 500 * time.Millisecond

// newCluster returns the cluster that cfg describes. It does not wait for Redis: its
// errors are about the configuration.
func newCluster(cfg config.Config, log zerolog.Logger) (*cluster, error) {
	if !cfg.RedisURL.IsSet() {
		p := presence.NewMemory().Node()
		return &cluster{presence: p, close: p.Close}, nil
	}
	redis.SetLogger(redisLog{sampled(log)}) // sets it for the whole process
	// JoinWait: a client that has got room-joined misses no message.
	opts := redisadapter.Options{JoinWait: joinWait, URL: cfg.RedisURL.Reveal(), Prefix: cfg.RedisPrefix, Hooks: adapterHooks(log), KeepRedisLog: true}
	var view atomic.Pointer[presence.View] // set below: the presence needs the adapter's client
	opts.Peers = func() int {
		if v := view.Load(); v != nil {
			return v.Nodes() - 1
		}
		return 0
	}
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
	view.Store(users.View())
	return &cluster{
		adapter:  nodes.Factory(),
		presence: users,
		degraded: func() realtime.Degradation {
			h := nodes.Health()
			if p := users.Health(); p.Degraded && (!h.Degraded || h.Connected) {
				return realtime.Degradation{Degraded: true, Reason: p.Reason, Since: p.Since}
			}
			return realtime.Degradation(h)
		},
		gaps: func() realtime.Gaps {
			s := nodes.Stats()
			return realtime.Gaps{All: int64(s.Gaps), Buffers: int64(s.CutOff)}
		},
		// Presence first: it announces that this node's users have left.
		close: func() error { return errors.Join(users.Close(), nodes.Close()) },
	}, nil
}

// adapterHooks logs lost messages, errors of Redis, and changes of health.
func adapterHooks(log zerolog.Logger) redisadapter.Hooks {
	var disconnected atomic.Bool // as last logged
	disconnected.Store(true)
	drops, foreign, failures, gaps := sampled(log), sampled(log), sampled(log), sampled(log)
	return redisadapter.Hooks{
		Failed: func(err error) { failures.Warn().Err(err).Msg("Redis error") },
		Dropped: func(n int, err error) {
			drops.Warn().Int("messages", n).Err(err).Msg("messages to other nodes dropped")
		},
		Gap: func(err error) {
			gaps.Error().Err(err).Msg("Redis subscription interrupted, messages of other nodes may be lost")
		},
		Malformed: func(channel string, err error) {
			foreign.Warn().Str("channel", channel).Err(err).Msg("message from Redis ignored")
		},
		Health: func(h redisadapter.Health) {
			if now := h.Degraded && !h.Connected; disconnected.Swap(now) != now || now {
				logHealth(log, "messages", now, h.Reason)
			}
		},
	}
}

func presenceHooks(log zerolog.Logger) redispresence.Hooks {
	failures, foreign := sampled(log), sampled(log)
	return redispresence.Hooks{
		Failed: func(err error) { failures.Debug().Err(err).Msg("presence cannot reach Redis") },
		Malformed: func(channel string, err error) {
			foreign.Warn().Str("channel", channel).Err(err).Msg("message from Redis ignored")
		},
		Health: func(h redispresence.Health) { logHealth(log, "presence", h.Degraded, h.Reason) },
	}
}

func logHealth(log zerolog.Logger, part string, degraded bool, reason string) {
	if degraded {
		log.Warn().Str("part", part).Str("reason", reason).Msg("cluster degraded, this node serves only its own clients")
		return
	}
	log.Info().Str("part", part).Msg("cluster connected")
}
