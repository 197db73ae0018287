package redispresence

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/server/presence/presencetest"
)

// cuttable is one node's link to a bus, which can be cut.
type cuttable struct {
	bus
	mu  sync.Mutex
	cut chan struct{} // closed while the link is cut
}

func newCuttable(b bus) *cuttable { return &cuttable{bus: b, cut: make(chan struct{})} }

func (c *cuttable) state() chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut
}

func (c *cuttable) setCut(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cut {
		close(c.cut)
	} else {
		c.cut = make(chan struct{})
	}
}

func (c *cuttable) publish(ctx context.Context, frames []frame) error {
	select {
	case <-c.state():
		return errDown
	default:
		return c.bus.publish(ctx, frames)
	}
}

func (c *cuttable) receive(ctx context.Context, names []string, idle time.Duration, up func(), take func(channel, payload string)) error {
	cut := c.state()
	select {
	case <-cut:
		return errDown
	default:
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-cut:
			cancel()
		case <-done:
		}
	}()
	if err := c.bus.receive(ctx, names, idle, up, take); err != context.Canceled {
		return err
	}
	return errDown
}

// TestProperty lets users act at random on three nodes while one node may be killed
// or lose Redis. No event contradicts what a device has learned, and in the end all
// devices know exactly the users that are in their rooms.
func TestProperty(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 20
	}
	for i := range rounds {
		for _, limit := range []int{1000, 3} {
			synctest.Test(t, func(t *testing.T) { propertyRound(t, rand.New(rand.NewPCG(uint64(i), uint64(limit))), limit) })
		}
		if t.Failed() {
			t.Fatalf("round %d", i)
		}
	}
}

func propertyRound(t *testing.T, rnd *rand.Rand, limit int) {
	b := newMemoryBus()
	rec := presencetest.NewRecorder()
	type member struct {
		*presencetest.Node
		node *witness
		link *cuttable
	}
	begin := func(i int) *member {
		link := newCuttable(b)
		n := &witness{Node: start(Options{}, link)}
		return &member{rec.Watch(fmt.Sprint("node", i), n, limit), n, link}
	}
	var nodes []*member
	for i := range 3 {
		nodes = append(nodes, begin(i))
	}
	settle()
	for _, n := range nodes {
		<-n.Ready()
	}
	const rooms = 2
	var wg sync.WaitGroup
	for u := range 5 {
		rnd := rand.New(rand.NewPCG(rnd.Uint64(), 0))
		wg.Go(func() {
			user := fmt.Sprint("u", u)
			for range 12 {
				i, room := rnd.IntN(3), fmt.Sprint("r", rnd.IntN(rooms))
				n, device := nodes[i], fmt.Sprint(user, "d", i)
				switch rnd.IntN(7) {
				case 0, 1, 2:
					n.Enter(device, user, room)
				case 3:
					n.Exit(device, room)
				case 4, 5: // the user moves
					j := (i + 1) % 3
					n.Enter(device, user, room)
					nodes[j].Exit(fmt.Sprint(user, "d", j), room)
				case 6:
					n.Remove(device)
				}
				time.Sleep(time.Duration(rnd.IntN(800)) * time.Millisecond)
			}
		})
	}
	victim, fault := nodes[rnd.IntN(3)], rnd.IntN(4)
	time.Sleep(time.Duration(rnd.IntN(3000)) * time.Millisecond)
	switch fault {
	case 1:
		victim.Ignore()
		victim.node.kill()
	case 2, 3:
		victim.link.setCut(true)
		time.Sleep(time.Duration(fault-2)*12*time.Second + time.Duration(rnd.IntN(4000))*time.Millisecond)
		victim.link.setCut(false)
	}
	wg.Wait()
	time.Sleep(20 * time.Second)
	synctest.Wait()
	want := make(map[string]map[string]bool)
	for i := range rooms {
		want[fmt.Sprint("r", i)] = map[string]bool{}
	}
	for _, n := range nodes {
		n.AddMembers(want)
	}
	for room, users := range want { // rooms above the limit have no events
		if len(users) > limit {
			delete(want, room)
		}
	}
	for _, n := range nodes {
		n.CheckRooms(want)
	}
	if limit == 1000 && fault < 2 {
		rec.CheckForeign(want)
	}
	for _, p := range rec.Problems() {
		t.Errorf("fault %d, limit %d: %s", fault, limit, p)
	}
	for _, n := range nodes {
		n.Close()
	}
}
