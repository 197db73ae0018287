package redisadapter_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
)

// TestLoad broadcasts in a tight loop: no message is lost, out of order, or repeated.
// PUENTE_LOAD sets their number. Some releases of go-redis lost 190 of 1.2 million, so a
// new release must be tested with that many; a few thousand show what goes wrong always.
func TestLoad(t *testing.T) {
	t.Parallel()
	total := 5000
	if n, err := strconv.Atoi(os.Getenv("PUENTE_LOAD")); err == nil {
		total = n
	}
	eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
		server.Up()
		p := startTwo(t, opts)
		p.works(t, "the start")
		c := &counter{Node: p.nodes[1]}
		watch := start(t, opts)
		watched := watch.Factory()(c)
		t.Cleanup(func() { watched.Close() })
		watched.RoomCreated("r")
		adaptertest.Eventually(t, "the counter is reached", func() bool { p.broadcast(t); _, other := c.counts(); return other > 0 })
		pad := strings.Repeat("x", 900)
		for i := range total {
			if i%20000 == 0 { // Redis cuts off a subscriber that is 32 MB behind
				adaptertest.Eventually(t, fmt.Sprintf("%d have come", i), func() bool { load, _ := c.counts(); return load >= i })
			}
			// Lengths differ so that messages end anywhere in the library's buffers.
			if err := p.nodes[0].Adapter.Broadcast(t.Context(), event(`["load",%d,"%s"]`, i, pad[:100+i*37%800]), roomR, adapter.Flags{}); err != nil {
				t.Fatal(err)
			}
		}
		adaptertest.Eventually(t, "all have come", func() bool { load, _ := c.counts(); return load >= total })
		if err := c.check(total); err != nil {
			t.Error(err)
		}
		if dropped := p.clusters[0].Stats().Dropped; dropped != 0 {
			t.Errorf("%d messages were dropped", dropped)
		}
	})
}

// Cost of a broadcast to a room that is on the other node, without the clients:
// publishing, Redis aside, and receiving.
func BenchmarkBroadcast(b *testing.B) {
	for name, opts := range modes {
		b.Run(name, func(b *testing.B) {
			opts := opts
			opts.URL, opts.Prefix = redistest.Start(b).URL(), "bench"
			publisher := adaptertest.Start(b, start(b, opts).Factory(), "/")
			c := &counter{Node: publisher}
			receiver := start(b, opts).Factory()(c)
			b.Cleanup(func() { receiver.Close() })
			receiver.RoomCreated("r")
			p := event(`["update",{"roomId":"order-42","type":"ORDER_UPDATED","payload":{"status":"shipped","n":[1,2.5,null]},"from":"user-17"}]`)
			send := func() error { return publisher.Adapter.Broadcast(b.Context(), p, roomR, adapter.Flags{}) }
			others := func() int { _, other := c.counts(); return other }
			adaptertest.Eventually(b, "the counter is reached", func() bool { send(); return others() > 0 })
			b.ReportAllocs()
			n := 0 // that must come, whatever of the first ones has
			for b.Loop() {
				if err := send(); err != nil {
					b.Fatal(err)
				}
				if n++; n%10000 == 0 { // Redis cuts off a subscriber that is 32 MB behind
					adaptertest.Eventually(b, fmt.Sprintf("%d have come", n), func() bool { return others() >= n })
				}
			}
			adaptertest.Eventually(b, fmt.Sprintf("%d have come", n), func() bool { return others() >= n })
		})
	}
}
