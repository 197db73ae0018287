package redisadapter_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
)

// If the members on a node are slow for so long that Redis cuts the node off, the node
// counts a gap, and its health is still degraded after it is connected again.
func TestCutOffByRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--client-output-buffer-limit", "pubsub", "1mb", "1mb", "60")
	opts := redisadapter.Options{URL: server.URL()}
	p := startTwo(t, opts)
	p.works(t, "the start")
	s := &slow{counter: &counter{Node: p.nodes[1]}, entered: make(chan struct{}), letGo: make(chan struct{})}
	release := sync.OnceFunc(func() { close(s.letGo) })
	t.Cleanup(release)
	opts.ReceiveBytes = 64 << 10
	var reported atomic.Pointer[error]
	opts.Hooks.Gap = func(err error) { reported.Store(&err) }
	cluster := start(t, opts)
	watched := cluster.Factory()(s)
	t.Cleanup(func() { release(); watched.Close() })
	watched.RoomCreated("r")
	adaptertest.Eventually(t, "the slow node is there", func() bool {
		count, err := p.nodes[0].Adapter.ServerCount(t.Context())
		return err == nil && count == 3 && well(cluster)
	})
	all := server.Subscribers()
	for i := 0; server.Subscribers() == all; i++ { // until Redis, and the kernel, keep no more
		if i == 300 {
			t.Fatal("Redis has not cut the node off")
		}
		before := p.socket.Len()
		if err := p.nodes[0].Adapter.Broadcast(t.Context(), event(`["load",%d,"%s"]`, i, strings.Repeat("x", 100_000)), roomR, adapter.Flags{}); err != nil {
			t.Fatal(err)
		}
		adaptertest.Eventually(t, "the other node has it", func() bool { return p.socket.Len() > before })
	}
	release() // the node may know already, because Redis does not list its subscription
	adaptertest.Eventually(t, "the loss is counted", func() bool { return cluster.Stats().CutOff > 0 })
	adaptertest.Eventually(t, "the loss is reported", func() bool {
		err := reported.Load()
		return err != nil && strings.Contains((*err).Error(), "too slowly")
	})
	adaptertest.Eventually(t, "the node is back", func() bool {
		count, err := p.nodes[0].Adapter.ServerCount(t.Context())
		return err == nil && count == 3
	})
	adaptertest.Eventually(t, "health says what has happened", func() bool {
		h := cluster.Health()
		return h.Degraded && h.Connected && strings.Contains(h.Reason, "may have been lost: this node takes messages too slowly")
	})
	if s := cluster.Stats(); s.Gaps < s.CutOff {
		t.Errorf("%d gaps, of which %d are slow", s.Gaps, s.CutOff)
	}
	if s := p.clusters[1].Stats(); s.Gaps != 0 {
		t.Errorf("a node that was not slow counts %d gaps", s.Gaps)
	}
}

// Whatever ends a subscription that Redis had confirmed, messages of other nodes may
// be lost: that is counted, and health says so when the node is back. What ends a
// subscription by plan is no gap.
func TestGaps(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
		var reported atomic.Int64
		opts.Hooks.Gap = func(error) { reported.Add(1) }
		p := startTwo(t, opts) // before Redis is there
		p.fails(t)
		server.Up()
		p.works(t, "the start")
		for range 10 { // namespaces and rooms that come and go
			p.nodes[1].Adapter.Close()
			p.nodes[1] = adaptertest.Start(t, p.clusters[1].Factory(), "/")
			p.socket = p.nodes[1].Connect("s", "r", "q")
			p.socket.Leave("q")
		}
		p.works(t, "the changes")
		for i, c := range p.clusters {
			if h, s := c.Health(), c.Stats(); h.Degraded || s.Gaps != 0 {
				t.Errorf("node %d, which has missed nothing: %+v, %+v", i, h, s)
			}
		}
		for i, end := range []struct {
			what     string
			do, undo func()
			why      string
		}{
			{"Redis ends the connections", func() { server.Do("CLIENT", "KILL", "TYPE", "pubsub") }, func() {}, "Redis has closed the connection"},
			{"Redis dies", server.Kill, server.Up, "Redis "},
			{"Redis is silent", server.Pause, server.Resume, "Redis does not answer"},
		} {
			end.do()
			for n, c := range p.clusters {
				adaptertest.Eventually(t, end.what+": a gap is counted", func() bool { return c.Stats().Gaps > uint64(i) })
				adaptertest.Eventually(t, end.what+": the namespace learns that events may be lost", func() bool { return p.nodes[n].Lost.Load() > int64(i) })
				if got := c.Stats().CutOff; got != 0 {
					t.Errorf("%s: node %d was too slow for %d", end.what, n, got)
				}
			}
			end.undo()
			for _, c := range p.clusters {
				adaptertest.Eventually(t, end.what+": health says what has happened", func() bool {
					h := c.Health()
					return h.Degraded && h.Connected && strings.HasPrefix(h.Reason, "messages of other nodes may have been lost: "+end.why)
				})
			}
			before := p.clusters[0].Stats().Dropped
			if err := p.broadcast(t); err != nil {
				t.Errorf("%s: a node that has recovered refuses: %v", end.what, err)
			}
			p.works(t, end.what)
			if got := p.clusters[0].Stats().Dropped; got != before {
				t.Errorf("%s: a node that has recovered has dropped %d messages", end.what, got-before)
			}
			for n, c := range p.clusters {
				if got := c.Stats().Gaps; got != uint64(i+1) {
					t.Errorf("%s: node %d counts %d gaps", end.what, n, got)
				}
			}
		}
		for _, c := range p.clusters {
			c.Close()
			if got := c.Stats().Gaps; got != 3 {
				t.Errorf("after Close there are %d gaps", got)
			}
		}
		if got := reported.Load(); got != 6 {
			t.Errorf("%d gaps were reported", got)
		}
	})
}
