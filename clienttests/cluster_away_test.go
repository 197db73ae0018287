package clienttests_test

import (
	"slices"
	"testing"
	"time"

	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/waittest"
)

// While Redis is unreachable, members on the publisher's node receive updates and
// the publisher's acknowledgements succeed. Afterwards the nodes rejoin by
// themselves.
func TestClusterWithoutRedis(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		redis := redistest.Start(t)
		n := startCluster(t, redis, 2, mode)
		ann, near, far := n[0].device("ann", "r"), n[0].device("near", "r"), n[1].device("far", "r")
		waittest.Until(t, "far has joined", func() bool { return ask(t, ann, "join-room", "r").Total == 3 })
		redis.Kill()
		far.Clear()
		waittest.Until(t, "degraded", func() bool { return n[0].degraded() && n[1].degraded() })
		for i := range 5 {
			ask(t, ann, "publish-update", map[string]any{"roomId": "r", "type": "away", "payload": i})
			near.Next("update")
		}
		late := n[1].device("late", "r")
		far.Next("user-joined")
		near.Clear()
		redis.Up()
		up := time.Now()
		waittest.Until(t, "back", func() bool { return !n[0].degraded() && !n[1].degraded() })
		waittest.Until(t, "late is seen", func() bool { return ask(t, ann, "join-room", "r").Total == 4 })
		t.Logf("back %v after Redis", time.Since(up).Round(10*time.Millisecond))
		// late joined while the nodes were separated.
		for text(near.Next("user-joined")) != `{"userId":"late","roomId":"r"}` {
		}
		waittest.Until(t, "updates arrive", func() bool {
			ask(t, ann, "publish-update", map[string]any{"roomId": "r", "type": "back"})
			return slices.Contains(late.Names(), "update")
		})
	})
}
