package redisadapter_test

import (
	"testing"

	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
)

// With Redis Cluster, CLUSTER SLOTS is the only additional right that a user needs.
func TestNeededRightsWithRedisCluster(t *testing.T) {
	t.Parallel()
	for name, opts := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers, cluster := sharded(t)
			cluster.Mode = opts.Mode
			for _, s := range servers {
				setRules(s, "reset on >secret +cluster|slots "+channels(cluster.Prefix)+" "+rights[name].needed)
			}
			cluster.Redis.Username, cluster.Redis.Password = "node", "secret"
			p := startTwo(t, cluster)
			adaptertest.Eventually(t, "both are well", func() bool {
				return p.well()
			})
			adaptertest.Eventually(t, "broadcasts arrive", func() bool { p.broadcast(t); return p.socket.Len() > 0 })
		})
	}
}
