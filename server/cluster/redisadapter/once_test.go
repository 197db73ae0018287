package redisadapter_test

import (
	"context"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redisbus/redisbustest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
)

// A broadcast of another node is decoded and framed once, however many members get it: a
// large one takes the memory of a few copies, for a hundred members as for one.
func TestBroadcastIsDecodedOnce(t *testing.T) {
	eachModeInMemory(t, func(t *testing.T, _ *redisbustest.Memory, opts redisadapter.Options) {
		const size, rounds = 256 << 10, 4
		const members = 100
		one, many := memoryOf(t, opts, 1, size, rounds), memoryOf(t, opts, members, size, rounds)
		t.Logf("a broadcast of %d bytes takes %d bytes for one member, %d for %d", size, one, many, members)
		if one < size {
			t.Errorf("%d bytes for a broadcast of %d are not what it takes", one, size)
		}
		// A copy for each member would add 100 times the size.
		if many-one > 10*size {
			t.Errorf("%d members take %d bytes more than one does", members, many-one)
		}
	})
}

// memoryOf returns how many bytes are allocated for a broadcast of the size from
// one node to the members of a room on another.
func memoryOf(t *testing.T, opts redisadapter.Options, members, size, rounds int) int {
	memory := redisbustest.New()
	factory := func() adapter.Factory {
		opts := opts
		opts.Bus = memory.Node()
		return start(t, opts).Factory()
	}
	node := socketio.New(socketio.Options{Adapter: factory()})
	node.Namespace("/").OnConnect(func(ctx context.Context, s *socketio.Socket) error { return s.Join(ctx, "r") })
	web := httptest.NewServer(node)
	var read atomic.Int64
	var readers sync.WaitGroup
	defer func() {
		node.Close(context.Background())
		web.Close()
		readers.Wait()
	}()
	for range members {
		conn, _, _, err := ws.Dial(t.Context(), "ws"+strings.TrimPrefix(web.URL, "http")+"/socket.io/?EIO=4&transport=websocket")
		if err != nil {
			t.Fatal(err)
		}
		if err := wsutil.WriteClientText(conn, []byte("40")); err != nil {
			t.Fatal(err)
		}
		readers.Go(func() {
			defer conn.Close()
			buffer := make([]byte, 16<<10)
			for {
				n, err := conn.Read(buffer)
				read.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
	}
	from := adaptertest.Start(t, factory(), "/")
	send := func(text string) {
		if err := from.Adapter.Broadcast(t.Context(), event(`["e","%s"]`, text), roomR, adapter.Flags{}); err != nil {
			t.Fatal(err)
		}
	}
	adaptertest.Eventually(t, "all are in the room", func() bool { return len(node.Namespace("/").Sockets("r")) == members })
	welcome := read.Load() // or a little more, since not all may have read it
	adaptertest.Eventually(t, "the room is reached", func() bool {
		send(strings.Repeat("x", 1<<10))
		return read.Load() > welcome+16<<10
	})
	text := strings.Repeat("x", size)
	all := func() {
		goal := read.Load() + int64(size*members)
		send(text)
		adaptertest.Eventually(t, "all have read it", func() bool { return read.Load() >= goal })
	}
	all() // fills the pools
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		all()
	}
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc-before.TotalAlloc) / rounds
}
