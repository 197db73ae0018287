package redisadapter_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redislink"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
)

// sharded returns options for a Redis Cluster of three masters, and these.
func sharded(t *testing.T) ([]*redistest.Server, redisadapter.Options) {
	servers := redistest.Cluster(t, 3)
	var addrs []string
	for _, s := range servers {
		addrs = append(addrs, s.Addr())
	}
	return servers, redisadapter.Options{
		Mode: redisadapter.Sharded, Prefix: "shards", Redis: &redis.UniversalOptions{Addrs: addrs, IsClusterMode: true},
	}
}

// roomsOf returns, for each of three masters, names of rooms whose channels it has.
func roomsOf(each int) (rooms [3][]string) {
	for i := 0; len(rooms[0]) < each || len(rooms[1]) < each || len(rooms[2]) < each; i++ {
		room := fmt.Sprint("room", i)
		shard := redislink.Slot("shards#/#"+room+"#") * 3 / 16384
		if len(rooms[shard]) < each {
			rooms[shard] = append(rooms[shard], room)
		}
	}
	return rooms
}

// says broadcasts to a room, and reports whether that was accepted.
func (p *two) says(t *testing.T, room, text string) error { return p.saysFrom(t, 0, room, text) }

func (p *two) saysFrom(t *testing.T, node int, room, text string) error {
	fate := make(chan error, 1)
	flags := adapter.Flags{Accepted: adapter.OnAcceptance(func(err error) { fate <- err })}
	if err := p.nodes[node].Adapter.Broadcast(t.Context(), event(`["%s","%s"]`, room, text), adapter.Selection{Rooms: []string{room}}, flags); err != nil {
		return err
	}
	return <-fate
}

func (p *two) heard(room, text string) bool {
	want := fmt.Sprintf(`["%s","%s"]`, room, text)
	for _, r := range p.socket.Received() {
		if r.Data == want {
			return true
		}
	}
	return false
}

// If a shard is dead, only the rooms of that shard are affected.
func TestDeadShard(t *testing.T) {
	t.Parallel()
	servers, opts := sharded(t)
	var said [2]reasons
	p := startTwo(t, opts, func(i int, o *redisadapter.Options) { o.Hooks.Health = said[i].note })
	rooms := roomsOf(3)
	for _, list := range rooms {
		p.socket.Join(list...)
	}
	adaptertest.Eventually(t, "both are well", func() bool {
		return p.well()
	})
	dead := redislink.Slot("shards#/#") * 3 / 16384 // not the shard by which nodes are counted
	dead = (dead + 1) % 3
	servers[dead].Kill()
	adaptertest.Eventually(t, "both say which shard", func() bool {
		p.says(t, rooms[dead][0], "hello")
		for _, c := range p.clusters {
			if h := c.Health(); !h.Degraded || !strings.HasPrefix(h.Reason, "shard of slot ") {
				return false
			}
		}
		return true
	})
	for i := range 100 {
		for shard, list := range rooms {
			for _, room := range list {
				err := p.says(t, room, fmt.Sprint(i))
				if (err == nil) != (shard != dead) {
					t.Fatalf("%d in %s of shard %d, of which %d is dead: %v", i, room, shard, dead, err)
				}
			}
		}
	}
	for shard, list := range rooms {
		for _, room := range list {
			if shard != dead {
				adaptertest.Eventually(t, room+" is heard", func() bool { return p.heard(room, "99") })
			}
		}
	}
	for i := range said {
		names := make(map[string]bool)
		for _, reason := range said[i].all() {
			if slot, _, ok := strings.Cut(reason, ":"); ok && strings.HasPrefix(slot, "shard of slot ") {
				names[slot] = true
			}
		}
		if len(names) != 1 {
			t.Errorf("node %d names the dead shard %v", i, names)
		}
	}
	p.socket.Join("late") // on whatever shard
	servers[dead].Up()
	adaptertest.Eventually(t, "both are well again", func() bool {
		return p.well()
	})
	for _, room := range rooms[dead] {
		adaptertest.Eventually(t, room+" is heard again", func() bool { p.says(t, room, "again"); return p.heard(room, "again") })
	}
}

// A slot that moves takes its own channels with it; the others of its shard lose
// nothing.
func TestMovedSlot(t *testing.T) {
	t.Parallel()
	servers, opts := sharded(t)
	p := startTwo(t, opts)
	rooms := roomsOf(4)[0]
	moving, staying := rooms[0], rooms[1:]
	p.socket.Join(rooms...)
	adaptertest.Eventually(t, "both are well", func() bool {
		return p.well()
	})
	slot := redislink.Slot("shards#/#" + moving + "#")
	client := servers[1].Client()
	defer client.Close()
	id, err := client.Do(context.Background(), "CLUSTER", "MYID").Text()
	if err != nil {
		t.Fatal(err)
	}
	const before, total = 50, 400
	for i := range total {
		if i == before {
			for _, s := range []*redistest.Server{servers[1], servers[0], servers[2]} {
				s.Do("CLUSTER", "SETSLOT", slot, "NODE", id)
			}
		}
		for _, room := range staying {
			if err := p.says(t, room, fmt.Sprint(i)); err != nil {
				t.Fatalf("%d in %s: %v", i, room, err)
			}
		}
		p.says(t, moving, fmt.Sprint(i))
	}
	for _, room := range staying {
		adaptertest.Eventually(t, room+" is heard", func() bool { return p.heard(room, fmt.Sprint(total-1)) })
		for i := range total {
			if !p.heard(room, fmt.Sprint(i)) {
				t.Errorf("%d in %s is lost", i, room)
			}
		}
	}
	adaptertest.Eventually(t, "the gap is counted", func() bool { return p.clusters[1].Stats().Gaps > 0 })
	if a, b := p.clusters[0].Stats().Gaps, p.clusters[1].Stats().Gaps; a != 0 || b != 1 {
		t.Errorf("the node with the rooms counts %d gaps, the other %d; want 1 and 0", b, a)
	}
	adaptertest.Eventually(t, "the room that moved is heard", func() bool { p.says(t, moving, "moved"); return p.heard(moving, "moved") })
	adaptertest.Eventually(t, "both are well", func() bool {
		return p.well()
	})
}

// The classic protocol goes over any server of a Redis Cluster; if that is dead,
// over another.
func TestClassicWithADeadServer(t *testing.T) {
	t.Parallel()
	servers, opts := sharded(t)
	opts.Mode = redisadapter.Classic
	for i := range servers {
		opts.Prefix = fmt.Sprint("shards", i)
		p := startTwo(t, opts)
		p.works(t, "the start")
		servers[i].Kill()
		adaptertest.Eventually(t, fmt.Sprint("without server ", i, " broadcasts arrive"), func() bool {
			before := p.socket.Len()
			err := p.broadcast(t)
			adaptertest.Eventually(t, "it is there or refused", func() bool {
				return err != nil || p.socket.Len() > before || !p.well()
			})
			return p.socket.Len() > before && p.well()
		})
		servers[i].Up()
		p.inOrder(t)
	}
}
