package redisadapter_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/puente-io/puente/server/redisadapter"
	"github.com/puente-io/puente/server/redisadapter/redistest"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
	"github.com/puente-io/puente/server/socketio/packet"
)

// modes are the protocols, for tests of what they share.
var modes = map[string]redisadapter.Options{
	"Classic": {},
	"Sharded": {Mode: redisadapter.Sharded},
}

// eachMode runs a test with a Redis of its own that is down.
func eachMode(t *testing.T, test func(t *testing.T, server *redistest.Server, opts redisadapter.Options)) {
	for name, opts := range modes {
		t.Run(name, func(t *testing.T) {
			server := redistest.New(t)
			opts := opts
			opts.URL, opts.Prefix = server.URL(), "fault"
			test(t, server, opts)
		})
	}
}

// two are two nodes with a socket in room r on the second.
type two struct {
	clusters [2]*redisadapter.Cluster
	nodes    [2]*adaptertest.Node
	socket   *adaptertest.Socket
	sent     int
}

func startTwo(t *testing.T, opts redisadapter.Options) *two {
	p := new(two)
	for i := range p.nodes {
		p.clusters[i] = start(t, opts)
		p.nodes[i] = adaptertest.Start(t, p.clusters[i].Factory(), "/")
	}
	p.socket = p.nodes[1].Connect("s", "r")
	return p
}

func event(format string, args ...any) *packet.Packet {
	return &packet.Packet{Type: packet.Event, Namespace: "/", Data: fmt.Appendf(nil, format, args...)}
}

var roomR = adapter.Selection{Rooms: []string{"r"}}

func (p *two) broadcast(t *testing.T) error {
	t.Helper()
	p.sent++
	began := time.Now()
	err := p.nodes[0].Adapter.Broadcast(t.Context(), event(`["e",%d]`, p.sent), roomR, adapter.Flags{})
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a broadcast took %v", took)
	}
	if err != nil && !errors.Is(err, adapter.ErrUnavailable) {
		t.Errorf("Broadcast: %v", err)
	}
	return err
}

// works waits until what is broadcast arrives and both are well, and reports how
// long that took.
func (p *two) works(t *testing.T, since string) {
	t.Helper()
	began := time.Now()
	adaptertest.Eventually(t, "both are well", func() bool {
		return !p.clusters[0].Health().Degraded && !p.clusters[1].Health().Degraded
	})
	before := p.socket.Len()
	adaptertest.Eventually(t, "broadcasts arrive", func() bool { p.broadcast(t); return p.socket.Len() > before })
	t.Logf("%v after %s the nodes reach each other", time.Since(began).Round(time.Millisecond), since)
	count, err := p.nodes[0].Adapter.ServerCount(t.Context())
	if err != nil || count != 2 {
		t.Errorf("ServerCount: %d, %v, want 2", count, err)
	}
	if infos, err := p.nodes[0].Adapter.FetchSockets(t.Context(), adapter.Selection{}); err != nil || len(infos) != 1 {
		t.Errorf("FetchSockets: %v, %v, want one socket", infos, err)
	}
}

// fails waits until broadcasts fail at once, and checks what else is said.
func (p *two) fails(t *testing.T) {
	t.Helper()
	adaptertest.Eventually(t, "broadcasts fail", func() bool { return p.broadcast(t) != nil })
	adaptertest.Eventually(t, "both are degraded", func() bool {
		p.nodes[1].Adapter.Broadcast(t.Context(), event(`["e"]`), roomR, adapter.Flags{})
		return p.clusters[0].Health().Degraded && p.clusters[1].Health().Degraded
	})
	h := p.clusters[0].Health()
	if h.Reason == "" || h.Since.IsZero() {
		t.Errorf("health %+v has no reason or time", h)
	}
	before := p.clusters[0].Stats().Dropped
	began := time.Now()
	for range 1000 {
		if p.broadcast(t) == nil {
			t.Fatal("a broadcast was accepted while Redis is away")
		}
	}
	t.Logf("a broadcast while Redis is away: %v; %s", time.Since(began)/1000, h.Reason)
	if got := p.clusters[0].Stats().Dropped - before; got != 1000 {
		t.Errorf("%d drops were counted, want 1000", got)
	}
	a := p.nodes[0].Adapter
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := a.FetchSockets(ctx, adapter.Selection{}); !errors.Is(err, adapter.ErrUnavailable) {
		t.Errorf("FetchSockets: %v, want ErrUnavailable", err)
	}
	if _, _, err := a.BroadcastWithAck(ctx, event(`["e"]`), roomR, adapter.Flags{}); !errors.Is(err, adapter.ErrUnavailable) {
		t.Errorf("BroadcastWithAck: %v, want ErrUnavailable", err)
	}
	if _, err := a.ServerCount(ctx); !errors.Is(err, adapter.ErrUnavailable) {
		t.Errorf("ServerCount: %v, want ErrUnavailable", err)
	}
}

// inOrder checks that nothing has come twice or out of order.
func (p *two) inOrder(t *testing.T) {
	t.Helper()
	last := 0
	for _, r := range p.socket.Received() {
		var n int
		if _, err := fmt.Sscanf(r.Data, `["e",%d]`, &n); err != nil {
			continue
		}
		if n <= last {
			t.Errorf("number %d came after %d", n, last)
		}
		last = n
	}
}

func TestRedisAwayAtStart(t *testing.T) {
	eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
		p := startTwo(t, opts)
		if !p.clusters[0].Health().Degraded {
			t.Error("a node that has never reached Redis says that it is well")
		}
		p.fails(t)
		server.Up()
		p.works(t, "the start of Redis")
		p.inOrder(t)
	})
}

func TestRedisKilledAndRestarted(t *testing.T) {
	eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
		server.Up()
		p := startTwo(t, opts)
		p.works(t, "the start")
		for range 2 {
			server.Kill()
			p.fails(t)
			server.Up()
			p.works(t, "the restart of Redis")
		}
		p.inOrder(t)
	})
}

func TestRedisPaused(t *testing.T) {
	eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
		server.Up()
		p := startTwo(t, opts)
		p.works(t, "the start")
		server.Pause()
		p.fails(t)
		server.Resume()
		p.works(t, "the end of the pause")
		p.inOrder(t)
	})
}

// A full queue makes publishers wait, and then fail, one and all.
func TestRedisSlow(t *testing.T) {
	server := redistest.Start(t)
	p := startTwo(t, redisadapter.Options{URL: server.URL(), QueueBytes: 64 << 10, PublishWait: 50 * time.Millisecond})
	p.works(t, "the start")
	server.Pause()
	defer server.Resume()
	large := event(`["e","%050000d"]`, 0)
	adaptertest.Eventually(t, "the queue is full", func() bool {
		return errors.Is(p.nodes[0].Adapter.Broadcast(t.Context(), large, roomR, adapter.Flags{}), adapter.ErrUnavailable)
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.nodes[0].Adapter.Broadcast(ctx, large, roomR, adapter.Flags{}); !errors.Is(err, adapter.ErrUnavailable) {
		t.Errorf("with an ended context: %v, want ErrUnavailable", err)
	}
	server.Resume()
	p.works(t, "the end of the pause")
}

func TestRedisFlushed(t *testing.T) {
	eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
		server.Up()
		p := startTwo(t, opts)
		p.works(t, "the start")
		client := server.Client()
		defer client.Close()
		for _, do := range [][]any{{"FLUSHALL"}, {"CLIENT", "KILL", "TYPE", "normal"}, {"CLIENT", "KILL", "TYPE", "pubsub"}} {
			if err := client.Do(t.Context(), do...).Err(); err != nil {
				t.Fatal(err)
			}
			p.works(t, fmt.Sprint(do...))
		}
		p.inOrder(t)
	})
}

// A password that Redis no longer takes is a Redis that is away.
func TestPasswordChanged(t *testing.T) {
	server := redistest.Start(t)
	p := startTwo(t, redisadapter.Options{URL: server.URL()})
	p.works(t, "the start")
	client := server.Client()
	defer client.Close()
	set := func(password string) {
		t.Helper()
		if err := client.ConfigSet(t.Context(), "requirepass", password).Err(); err != nil {
			t.Fatal(err)
		}
		if err := client.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
			t.Fatal(err)
		}
		client.Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub")
	}
	set("secret")
	p.fails(t)
	set("")
	p.works(t, "the old password")
}

func TestCloseWhileAway(t *testing.T) {
	eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
		p := startTwo(t, opts)
		p.broadcast(t)
		for _, c := range p.clusters {
			if err := c.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		if err := p.nodes[0].Adapter.Broadcast(t.Context(), event(`["e"]`), roomR, adapter.Flags{}); !errors.Is(err, adapter.ErrClosed) {
			t.Errorf("Broadcast after Close: %v, want ErrClosed", err)
		}
	})
}
