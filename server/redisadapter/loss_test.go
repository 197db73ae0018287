package redisadapter_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/puente-io/puente/server/redisadapter"
	"github.com/puente-io/puente/server/redisadapter/redistest"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
)

// A node whose members are slow for so long that Redis cuts it off says so: the loss
// is counted, and health is degraded also when the node is back.
func TestCutOffByRedis(t *testing.T) {
	server := redistest.Start(t, "--client-output-buffer-limit", "pubsub", "1mb", "1mb", "60")
	opts := redisadapter.Options{URL: server.URL()}
	p := startTwo(t, opts)
	p.works(t, "the start")
	s := &slow{counter: &counter{Node: p.nodes[1]}, entered: make(chan struct{}), letGo: make(chan struct{})}
	release := sync.OnceFunc(func() { close(s.letGo) })
	t.Cleanup(release)
	opts.ReceiveBytes = 64 << 10
	reported := make(chan struct{})
	opts.Hooks.CutOff = sync.OnceFunc(func() { close(reported) })
	cluster := start(t, opts)
	watched := cluster.Factory()(s)
	t.Cleanup(func() { release(); watched.Close() })
	watched.RoomCreated("r")
	adaptertest.Eventually(t, "the slow node is there", func() bool {
		count, err := p.nodes[0].Adapter.ServerCount(t.Context())
		return err == nil && count == 3 && !cluster.Health().Degraded
	})
	for i := range 300 { // more than Redis, and the kernel, keep
		if err := p.nodes[0].Adapter.Broadcast(t.Context(), event(`["load",%d,"%s"]`, i, strings.Repeat("x", 100_000)), roomR, adapter.Flags{}); err != nil {
			t.Fatal(err)
		}
	}
	release() // though the node may know already: it does not find its subscription at Redis
	adaptertest.Eventually(t, "the loss is counted", func() bool { return cluster.Stats().CutOff > 0 })
	adaptertest.Eventually(t, "the loss is reported", func() bool {
		select {
		case <-reported:
			return true
		default:
			return false
		}
	})
	adaptertest.Eventually(t, "the node is back", func() bool {
		count, err := p.nodes[0].Adapter.ServerCount(t.Context())
		return err == nil && count == 3
	})
	if h := cluster.Health(); !h.Degraded || !strings.Contains(h.Reason, "lost") && !strings.Contains(h.Reason, "Redis") {
		t.Errorf("health %+v", h)
	}
	adaptertest.Eventually(t, "health says what has happened", func() bool { return strings.Contains(cluster.Health().Reason, "lost") })
	if got := p.clusters[1].Stats().CutOff; got != 0 {
		t.Errorf("a node that was not slow counts %d losses", got)
	}
}
