package server

import (
	"errors"

	"github.com/rs/zerolog"

	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// cluster is what connects the node with others: nothing, or Redis.
type cluster struct {
	adapter  adapter.Factory
	presence presence.Presence
	degraded func() realtime.Degradation
	close    func() error
}

func newCluster(cfg config.Config, _ zerolog.Logger) (*cluster, error) {
	if cfg.RedisURL.IsSet() {
		return nil, errors.New("server: REDIS_HOST, REDIS_URL: clusters are not supported yet")
	}
	p := presence.NewMemory().Node()
	return &cluster{presence: p, close: p.Close}, nil
}
