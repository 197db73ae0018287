package cluster_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/puente-io/puente/server/cluster"
	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
	"github.com/puente-io/puente/server/socketio/packet"
	"github.com/puente-io/puente/server/waittest"
)

func TestMain(m *testing.M) { os.Exit(waittest.Run(m)) }

// open opens a node's connection, which is closed with the test.
func open(t *testing.T, opts cluster.Options) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func ready(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := c.Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

// Two nodes are ready when they reach each other: the first message after Ready arrives,
// and the users of the other node are known.
func TestTwoNodes(t *testing.T) {
	for name, mode := range map[string]redisadapter.Mode{"Classic": redisadapter.Classic, "Sharded": redisadapter.Sharded} {
		t.Run(name, func(t *testing.T) {
			opts := cluster.Options{URL: redistest.Start(t).URL(), Mode: mode, Prefix: "two", JoinWait: 30 * time.Second}
			a, b := open(t, opts), open(t, opts)
			na, nb := adaptertest.Start(t, a.Adapter(), "/"), adaptertest.Start(t, b.Adapter(), "/")
			socket := nb.Connect("s", "r")
			a.Presence().Connect("device", ident.Of("ana"))
			ready(t, a)
			ready(t, b)
			nb.Adapter.AwaitRoom(t.Context(), "r")
			p := &packet.Packet{Type: packet.Event, Namespace: "/", Data: []byte(`["e"]`)}
			if err := na.Adapter.Broadcast(t.Context(), p, adapter.Selection{Rooms: []string{"r"}}, adapter.Flags{}); err != nil {
				t.Fatal(err)
			}
			adaptertest.Eventually(t, "the message arrives", func() bool { return socket.Len() == 1 })
			adaptertest.Eventually(t, "b sees ana", func() bool { return b.Presence().View().Connected("ana") })
			if err := a.Close(t.Context()); err != nil {
				t.Error(err)
			}
			adaptertest.Eventually(t, "ana has left", func() bool { return !b.Presence().View().Connected("ana") })
			if all, cutOff := b.Gaps(); all != 0 || cutOff != 0 {
				t.Errorf("%d gaps, %d of them cut off", all, cutOff)
			}
		})
	}
}

// Ready and Health say why a node is not connected, and Health changes are reported once
// for both parts.
func TestRedisAway(t *testing.T) {
	server := redistest.New(t)
	var mu sync.Mutex
	var said []cluster.Health
	var opts cluster.Options
	opts.URL = server.URL()
	opts.Hooks.Health = func(h cluster.Health) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, h)
	}
	c := open(t, opts)
	adaptertest.Start(t, c.Adapter(), "/")
	if h := c.Health(); !h.Degraded || h.Connected || h.Since.IsZero() {
		t.Errorf("a new cluster has health %+v", h)
	}
	adaptertest.Eventually(t, "health says why", func() bool { return strings.Contains(c.Health().Reason, "connection refused") })
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := c.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("Ready: %v", err)
	}
	server.Up()
	ready(t, c)
	if h := c.Health(); h.Degraded {
		t.Errorf("health %+v", h)
	}
	adaptertest.Eventually(t, "the last report is that all is well", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return said[len(said)-1] == cluster.Health{}
	})
	mu.Lock()
	defer mu.Unlock()
	for i := range said[1:] {
		if said[i].Reason == said[i+1].Reason {
			t.Errorf("reported twice: %+v", said[i])
		}
	}
}

func TestBadOptions(t *testing.T) {
	for _, opts := range []cluster.Options{{URL: "http://user:secret@h"}, {Mode: 9}} {
		if _, err := cluster.Open(opts); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%+v): %v", opts, err)
		}
	}
}
