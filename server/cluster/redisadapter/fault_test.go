package redisadapter_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redisbus/redisbustest"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
	"github.com/puente-io/puente/server/socketio/packet"
)

// modes are the protocols, for tests of what they share.
var modes = map[string]redisadapter.Options{
	"Classic": {},
	"Sharded": {Mode: redisadapter.Sharded},
}

// eachMode runs a test with a Redis of its own that is down, in parallel with others:
// what most of these tests do is wait.
func eachMode(t *testing.T, test func(t *testing.T, server *redistest.Server, opts redisadapter.Options)) {
	for name, opts := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.New(t)
			opts := opts
			opts.URL, opts.Prefix = server.URL(), "fault"
			test(t, server, opts)
		})
	}
}

// eachModeInMemory runs a test with a twin of Redis.
func eachModeInMemory(t *testing.T, test func(t *testing.T, memory *redisbustest.Memory, opts redisadapter.Options)) {
	for name, opts := range modes {
		t.Run(name, func(t *testing.T) {
			opts := opts
			opts.Prefix = "fault"
			test(t, redisbustest.New(), opts)
		})
	}
}

// over makes each node use the twin.
func over(memory *redisbustest.Memory) func(int, *redisadapter.Options) {
	return func(_ int, o *redisadapter.Options) { o.Bus = memory.Node() }
}

// two are two nodes with a socket in room r on the second.
type two struct {
	clusters [2]*redisadapter.Cluster
	nodes    [2]*adaptertest.Node
	socket   *adaptertest.Socket
	sent     int
}

// startTwo starts them, with options that may differ.
func startTwo(t *testing.T, opts redisadapter.Options, each ...func(i int, o *redisadapter.Options)) *two {
	p := new(two)
	for i := range p.nodes {
		o := opts
		for _, change := range each {
			change(i, &o)
		}
		p.clusters[i] = start(t, o)
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
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("a broadcast took %v", took)
	}
	if err != nil && !errors.Is(err, adapter.ErrUnavailable) {
		t.Errorf("Broadcast: %v", err)
	}
	return err
}

// well reports whether the node reaches its cluster now, even if it has missed messages
// before.
func well(c *redisadapter.Cluster) bool {
	h := c.Health()
	return !h.Degraded || h.Connected
}

func (p *two) well() bool { return well(p.clusters[0]) && well(p.clusters[1]) }

// works waits until what is broadcast arrives and both are well, and reports how
// long that took.
func (p *two) works(t *testing.T, since string) {
	t.Helper()
	began := time.Now()
	adaptertest.Eventually(t, "both are well", func() bool {
		return p.well()
	})
	before := p.socket.Len()
	adaptertest.Eventually(t, "broadcasts arrive", func() bool { p.broadcast(t); return p.socket.Len() > before })
	t.Logf("%v after %s the nodes reach each other", time.Since(began).Round(time.Millisecond), since)
	// A node may only now notice what has happened to it.
	adaptertest.Eventually(t, "two nodes are counted", func() bool {
		count, err := p.nodes[0].Adapter.ServerCount(t.Context())
		return err == nil && count == 2
	})
	// The other may notice by its answer, which is lost then.
	adaptertest.Eventually(t, "the other answers", func() bool {
		infos, err := p.nodes[0].Adapter.FetchSockets(t.Context(), adapter.Selection{})
		return err == nil && len(infos) == 1
	})
}

// fails waits until broadcasts fail at once, and checks health, counters and requests.
func (p *two) fails(t *testing.T) {
	t.Helper()
	adaptertest.Eventually(t, "broadcasts fail", func() bool { return p.broadcast(t) != nil })
	adaptertest.Eventually(t, "both are degraded", func() bool {
		p.nodes[1].Adapter.Broadcast(t.Context(), event(`["e"]`), roomR, adapter.Flags{})
		return !well(p.clusters[0]) && !well(p.clusters[1])
	})
	h := p.clusters[0].Health()
	if h.Reason == "" || h.Since.IsZero() {
		t.Errorf("health %+v has no reason or time", h)
	}
	// What was queued is counted after broadcasts begin to fail.
	adaptertest.Eventually(t, "all broadcasts are counted", func() bool {
		s := p.clusters[0].Stats()
		return s.Published+s.Dropped >= uint64(p.sent)
	})
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
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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

// If the queue is full, every publisher waits, and then gets an error.
func TestRedisSlow(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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

// A Redis that is out of memory or disk refuses writes, which nodes do not need. If it
// cannot save, it also refuses PING, which must not count as being away.
func TestRedisFull(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
		server.Up()
		var changes atomic.Int64
		opts.Hooks.Health = func(redisadapter.Health) { changes.Add(1) }
		opts.URL += patient
		p := startTwo(t, opts)
		p.works(t, "the start")
		before, dropped := changes.Load(), p.clusters[0].Stats().Dropped
		full := func(what string) {
			t.Helper()
			client := server.Client()
			defer client.Close()
			if err := client.Set(t.Context(), "a", "b", 0).Err(); err == nil {
				t.Fatalf("without %s a write succeeded", what)
			} else {
				t.Logf("a write: %v", err)
			}
			p.works(t, "the shortage of "+what)
			time.Sleep(1500 * time.Millisecond) // in which connections that are silent are pinged
			p.works(t, "a silence")
			if n := changes.Load() - before; n != 0 {
				t.Errorf("without %s the health changed %d times", what, n)
			}
			if n := p.clusters[0].Stats().Dropped - dropped; n > 0 {
				t.Errorf("without %s %d messages were dropped", what, n)
			}
		}
		server.Do("CONFIG", "SET", "maxmemory", "1")
		full("memory")
		server.Do("CONFIG", "SET", "maxmemory", "0")
		server.BreakDisk()
		full("disk")
		// New connections work too.
		server.Do("CLIENT", "KILL", "TYPE", "normal")
		server.Do("CLIENT", "KILL", "TYPE", "pubsub")
		p.works(t, "the end of the connections")
		p.inOrder(t)
	})
}

// refused tests a setting that makes Redis refuse new connections: for the nodes Redis is
// then away.
func refused(t *testing.T, setting, bad, good string) {
	t.Parallel()
	eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
		server.Up()
		p := startTwo(t, opts)
		p.works(t, "the start")
		client := server.Client()
		defer client.Close()
		admin := client.Conn() // open before new connections are refused
		defer admin.Close()
		for _, do := range [][]any{
			{"CONFIG", "SET", setting, bad}, {"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}, {"CLIENT", "KILL", "TYPE", "pubsub"},
		} {
			if err := admin.Do(t.Context(), do...).Err(); err != nil {
				t.Fatal(err)
			}
		}
		p.fails(t)
		if err := admin.Do(t.Context(), "CONFIG", "SET", setting, good).Err(); err != nil {
			t.Fatal(err)
		}
		p.works(t, "the end of the refusals")
		p.inOrder(t)
	})
}

func TestRedisFullOfConnections(t *testing.T) { refused(t, "maxclients", "1", "1000") }

func TestPasswordChanged(t *testing.T) { refused(t, "requirepass", "secret", "") }

func TestCloseWhileAway(t *testing.T) {
	t.Parallel()
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
