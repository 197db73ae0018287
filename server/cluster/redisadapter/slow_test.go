package redisadapter_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
	"github.com/puente-io/puente/server/socketio/packet"
)

// slow is a namespace whose members take nothing until the test releases them.
type slow struct {
	*counter
	entered chan struct{} // closed by the first delivery
	once    sync.Once
	letGo   chan struct{}
}

func (s *slow) DeliverBroadcast(p *packet.Packet, sel adapter.Selection, flags adapter.Flags) {
	s.once.Do(func() { close(s.entered) })
	<-s.letGo
	s.counter.DeliverBroadcast(p, sel, flags)
}

// While slow members delay the delivery, the node continues to read: it notices that
// its connection breaks, subscribes again, and later delivers everything in order.
func TestReadingGoesOnWhileMembersAreSlow(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
		server.Up()
		p := startTwo(t, opts)
		p.works(t, "the start")
		s := &slow{counter: &counter{Node: p.nodes[1]}, entered: make(chan struct{}), letGo: make(chan struct{})}
		release := sync.OnceFunc(func() { close(s.letGo) })
		t.Cleanup(release)
		opts.ReceiveBytes = 64 << 10
		opts.Hooks.Health = func(h redisadapter.Health) { t.Logf("the slow node: %+v", h) }
		cluster := start(t, opts)
		watched := cluster.Factory()(s)
		t.Cleanup(func() { release(); watched.Close() })
		watched.RoomCreated("r")
		n := 0
		load := func() {
			t.Helper()
			if err := p.nodes[0].Adapter.Broadcast(t.Context(), event(`["load",%d,"%s"]`, n, strings.Repeat("x", 1000)), roomR, adapter.Flags{}); err != nil {
				t.Fatal(err)
			}
			n++
		}
		adaptertest.Eventually(t, "the slow node is there", func() bool {
			count, err := p.nodes[0].Adapter.ServerCount(t.Context())
			return err == nil && count == 3 && well(cluster)
		})
		watched.AwaitRoom(t.Context(), "r")
		adaptertest.Eventually(t, "the slow node is busy", func() bool {
			p.broadcast(t)
			select {
			case <-s.entered:
				return true
			default:
				return false
			}
		})
		// When this one is accepted, the node has counted all before it.
		adaptertest.Eventually(t, "a message is accepted", func() bool { return p.says(t, "another", "x") == nil })
		before := p.clusters[0].Stats().Published
		// sent waits until Redis has taken and passed on what was broadcast.
		sent := func() {
			t.Helper()
			adaptertest.Eventually(t, "all is published", func() bool { return p.clusters[0].Stats().Published >= before+uint64(n) })
			server.Do("PING")
		}
		for range 20 {
			load()
		}
		sent()
		subscribers := func(want int) func() bool {
			return func() bool {
				count, err := p.nodes[0].Adapter.ServerCount(t.Context())
				return err == nil && count == want
			}
		}
		for i := range 2 {
			before := cluster.Stats()
			server.Do("CLIENT", "KILL", "TYPE", "pubsub")
			adaptertest.Eventually(t, fmt.Sprint("the slow node is back ", i), subscribers(3))
			adaptertest.Eventually(t, "the room is subscribed to again", func() bool { return well(cluster) })
			if after := cluster.Stats(); after.Malformed != before.Malformed {
				t.Errorf("malformed messages: %+v", after)
			}
			for range 20 {
				load()
			}
			sent()
		}
		// More than its queue holds: what is left waits at Redis.
		for range 500 {
			load()
		}
		release()
		adaptertest.Eventually(t, "all have come", func() bool { got, _ := s.counts(); return got >= n || s.wrong() != nil })
		if err := s.check(n); err != nil {
			t.Error(err)
		}
	})
}
