package redisadapter_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redisbus/redisbustest"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
)

// However often rooms come and go, in the end the subscribed channels are those of the
// remaining rooms.
func TestShardedRoomChannels(t *testing.T) {
	memory := redisbustest.New()
	n := adaptertest.Start(t, start(t, redisadapter.Options{Bus: memory.Node(), Prefix: "c", Mode: redisadapter.Sharded}).Factory(), "/")
	s := n.Connect("s")
	for i := range 3000 {
		s.Join(fmt.Sprint("r", i))
		if i%3 > 0 {
			s.Leave(fmt.Sprint("r", i))
		}
		if i%3 > 1 {
			s.Join(fmt.Sprint("r", i))
		}
	}
	count := func(pattern string, want int) func() bool {
		return func() bool { return len(memory.Channels(pattern)) == want }
	}
	adaptertest.Eventually(t, "2000 rooms have channels", count("c#/#r*", 2000))
	n.Adapter.Close()
	adaptertest.Eventually(t, "no channel is left", count("*", 0))
}

func TestShardedDynamicPrivate(t *testing.T) {
	memory := redisbustest.New()
	opts := redisadapter.Options{Prefix: "c", Mode: redisadapter.Sharded, Subscriptions: redisadapter.DynamicPrivate}
	p := startTwo(t, opts, over(memory))
	id := "abcdefghijklmnopqrst"
	s := p.nodes[1].Connect(id)
	channels := func() []string { return memory.Channels("c#/#" + id + "#") }
	adaptertest.Eventually(t, "the socket has a channel", func() bool { return slices.Equal(channels(), []string{"c#/#" + id + "#"}) })
	if err := p.nodes[0].Adapter.Broadcast(t.Context(), event(`["e"]`), adapter.Selection{Rooms: []string{id}}, adapter.Flags{}); err != nil {
		t.Fatal(err)
	}
	adaptertest.Eventually(t, "the socket is reached", func() bool { return s.Len() == 1 })
	p.nodes[1].DisconnectLocal(adapter.Selection{Rooms: []string{id}}, false)
	adaptertest.Eventually(t, "the socket has no channel", func() bool { return len(channels()) == 0 })
}

// A namespace that is created again at once has the subscriptions of its predecessor.
func TestNamespaceMadeAnew(t *testing.T) {
	eachModeInMemory(t, func(t *testing.T, memory *redisbustest.Memory, opts redisadapter.Options) {
		p := startTwo(t, opts, over(memory))
		p.works(t, "the start")
		factory := p.clusters[1].Factory()
		for range 100 {
			p.nodes[1].Adapter.Close()
			p.nodes[1] = adaptertest.Start(t, factory, "/")
			if count, err := p.nodes[1].Adapter.ServerCount(t.Context()); err != nil || count != 2 {
				t.Fatalf("ServerCount: %d, %v, want 2", count, err)
			}
		}
		p.socket = p.nodes[1].Connect("s", "r")
		p.works(t, "another namespace")
	})
}

// Over a Redis Cluster the adapter passes the contract suite, with channels on both
// masters.
func TestContractRedisCluster(t *testing.T) {
	t.Parallel()
	servers := redistest.Cluster(t, 2)
	for name, opts := range modes {
		t.Run(name, func(t *testing.T) {
			opts := opts
			opts.Redis = &redis.UniversalOptions{
				Addrs: []string{servers[0].Addr(), servers[1].Addr()}, IsClusterMode: true,
				DialTimeout: 30 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second,
			}
			contract(t, opts)
		})
	}
}

// With JoinWait, the subscription is in effect when a join returns. A join does not
// wait if Redis is away or the room is gone, and waits for a bounded time if Redis is
// slow.
func TestJoinWait(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	opts := redisadapter.Options{URL: server.URL(), Prefix: "c", Mode: redisadapter.Sharded, JoinWait: time.Minute}
	p := startTwo(t, opts)
	p.works(t, "the start")
	node := p.nodes[1]
	join := func(room string) {
		p.socket.Join(room)
		node.Adapter.AwaitRoom(t.Context(), room)
	}
	const rooms = 300
	for i := range rooms {
		room := fmt.Sprint("r", i)
		join(room)
		if err := p.nodes[0].Adapter.Broadcast(t.Context(), event(`["joined"]`), adapter.Selection{Rooms: []string{room}}, adapter.Flags{}); err != nil {
			t.Fatal(err)
		}
	}
	adaptertest.Eventually(t, "every join is followed by its event", func() bool {
		n := 0
		for _, r := range p.socket.Received() {
			if r.Data == `["joined"]` {
				n++
			}
		}
		return n == rooms
	})
	p.nodes[1].Adapter.AwaitRoom(t.Context(), "nowhere")
	p.socket.Leave("r0")
	join("r0")
	server.Kill()
	p.fails(t)
	began := time.Now()
	join("while away")
	if took := time.Since(began); took > opts.JoinWait/2 {
		t.Errorf("with Redis away a join waited %v", took)
	}

	server.Up()
	opts.JoinWait, opts.Prefix = 50*time.Millisecond, "d"
	q := startTwo(t, opts)
	q.works(t, "the start")
	server.Pause()
	defer server.Resume()
	began = time.Now()
	q.socket.Join("while paused")
	q.nodes[1].Adapter.AwaitRoom(t.Context(), "while paused")
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("with Redis paused a join waited %v", took)
	}
}
