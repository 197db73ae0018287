package redisadapter_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
)

// trickle is a slow line from Redis, once it is turned on.
type trickle struct {
	net.Conn
	on *atomic.Bool
}

func (c trickle) Read(b []byte) (int, error) {
	if c.on.Load() {
		time.Sleep(100 * time.Millisecond)
		b = b[:min(len(b), 4<<10)]
	}
	return c.Conn.Read(b)
}

// A message that takes longer to arrive than Redis may be silent counts as a sign of
// life while it arrives.
func TestLargeMessageIsNoSilence(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
		server.Up()
		on := new(atomic.Bool)
		p := startTwo(t, opts, func(i int, o *redisadapter.Options) {
			if i == 1 {
				o.URL = ""
				o.Redis = &redis.UniversalOptions{Addrs: []string{server.Addr()}, Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
					var d net.Dialer
					conn, err := d.DialContext(ctx, network, addr)
					return trickle{conn, on}, err
				}}
			}
		})
		p.works(t, "the start")
		on.Store(true)
		before := p.socket.Len()
		// More than 3 s of it.
		if err := p.nodes[0].Adapter.Broadcast(t.Context(), event(`["large","%s"]`, strings.Repeat("x", 130<<10)), roomR, adapter.Flags{}); err != nil {
			t.Fatal(err)
		}
		adaptertest.Eventually(t, "the message has come", func() bool { return p.socket.Len() > before })
		on.Store(false)
		if got := p.clusters[1].Stats().Gaps; got != 0 {
			t.Errorf("the connection was given up %d times", got)
		}
	})
}
