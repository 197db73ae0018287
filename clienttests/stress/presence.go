package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/puente-io/puente/compat/raw"
)

// presence tests a property of a cluster: whatever users do, and whatever node dies,
// no client receives an announcement that contradicts an earlier one, and in
// the end it knows who is in the room. Each round has its own room on three nodes.
// Users with devices on several nodes join, leave, move and disconnect concurrently;
// in some rounds a node is killed meanwhile, or cut off from Redis for a while.
type presence struct {
	*runner
	fleet  *fleet
	rng    *rand.Rand
	counts presenceCounts
}

// presenceCounts counts what happened in the rounds.
type presenceCounts struct {
	rounds, kills, partitions       int
	joins, leaves, moves, events    atomic.Int64
	ghosts, missing, doubled, moved int // violations
}

func (c *presenceCounts) String() string {
	return fmt.Sprintf("%d rounds, %d nodes killed, %d partitions; %d joins, %d leaves, %d moves, %d events; %d ghosts, %d missing, %d doubled, %d moves announced",
		c.rounds, c.kills, c.partitions, c.joins.Load(), c.leaves.Load(), c.moves.Load(), c.events.Load(), c.ghosts, c.missing, c.doubled, c.moved)
}

// runPresence runs the rounds and returns its counts, or "" if redis-server is not
// installed or rounds is 0.
func (r *runner) runPresence(rounds int, adapter string, seed uint64) string {
	path, err := exec.LookPath("redis-server")
	if err != nil || rounds == 0 {
		return ""
	}
	f, err := startFleet(path, adapter)
	if err != nil {
		r.violation("presence", "%v", err)
		return ""
	}
	defer f.stop()
	p := &presence{runner: r, fleet: f, rng: rand.New(rand.NewPCG(r.seed, seed))}
	for p.counts.rounds < rounds {
		p.counts.rounds++
		b := &round{runner: r, name: fmt.Sprintf("presence-%s-%d", adapter, p.counts.rounds), rng: p.rng}
		b.do(func() { p.round(b) })
		for i := len(b.cleanups) - 1; i >= 0; i-- {
			b.cleanups[i]()
		}
		if b.failed {
			break
		}
	}
	return p.counts.String()
}

// fault is what happens to a node in a round.
type fault int

const (
	none fault = iota
	kill
	short // partition, too short for the node to be dropped
	long  // partition, long enough for the node to be dropped
)

func (p *presence) fault(round int) fault {
	switch { // rarely, so that two hundred rounds take minutes
	case round%25 == 5:
		return kill
	case round%40 == 10:
		return short
	case round%100 == 15:
		return long
	}
	return none
}

// tracker is a device that records the users announced to it. It belongs to a player, or
// to a witness, which stays in the room.
type tracker struct {
	*raw.Client
	name, user string
	node       int
	replies    chan string // room-joined, room-left

	mu     sync.Mutex
	in     bool
	known  map[string]bool
	events map[string]int // by user
	wrong  []string
}

// tracker connects a device. It returns nil if the node cannot be reached.
func (p *presence) tracker(b *round, node int, user string) *tracker {
	f := &tracker{
		name: fmt.Sprintf("%s on node %d", user, node), node: node, user: user,
		replies: make(chan string, 4), known: make(map[string]bool), events: make(map[string]int),
	}
	c, refusal, err := raw.Dial(b, p.fleet.nodes[node].url, raw.Options{
		Auth:    map[string]string{"token": b.token(user)},
		OnEvent: func(e raw.Event) { p.event(f, e) },
	})
	if err != nil || refusal != "" {
		return nil
	}
	f.Client = c
	return f
}

// event records an event. The device asks for answers as reply events, so that they
// arrive here in order with the others.
func (p *presence) event(f *tracker, e raw.Event) {
	var arg struct {
		UserID string
		Users  []string
	}
	if json.Unmarshal([]byte(e.Arg(0)), &arg) != nil && e.Name != "error" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch e.Name {
	case "room-joined":
		f.in = true
		f.known = make(map[string]bool)
		for _, u := range arg.Users {
			f.known[u] = true
		}
		f.replies <- e.Name
	case "room-left", "error":
		f.replies <- e.Name
	case "user-joined", "user-left":
		p.counts.events.Add(1)
		f.events[arg.UserID]++
		if joined := e.Name == "user-joined"; joined == f.known[arg.UserID] {
			f.wrong = append(f.wrong, fmt.Sprintf("%s: %s of %s, which was known before: %v", f.name, e.Name, arg.UserID, joined))
		} else if joined {
			f.known[arg.UserID] = true
		} else {
			delete(f.known, arg.UserID)
		}
	}
}

func (f *tracker) isIn() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.in
}

// ask sends an event and waits for its answer. It returns false if the connection
// ends before, or no answer arrives.
func (f *tracker) ask(b *round, event, room string) bool {
	if event == "leave-room" { // counts as out of the room from now on
		f.mu.Lock()
		f.in = false
		f.mu.Unlock()
	}
	f.Emit(event, room)
	select {
	case reply := <-f.replies:
		if reply == "error" {
			b.Errorf("%s: %s was refused", f.name, event)
		}
		return true
	case <-f.Done():
		return false
	case <-time.After(waitTimeout):
		b.Errorf("%s: %s was not answered", f.name, event)
		return false
	}
}

// trackers is the devices of a round.
type trackers struct {
	mu   sync.Mutex
	list []*tracker
}

func (c *trackers) add(f *tracker) *tracker {
	if f != nil {
		c.mu.Lock()
		c.list = append(c.list, f)
		c.mu.Unlock()
	}
	return f
}

// live returns the devices that are connected.
func (c *trackers) live() (live []*tracker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.list {
		select {
		case <-f.Done():
		default:
			live = append(live, f)
		}
	}
	return live
}

// player is a user that joins and leaves.
type player struct {
	user    string
	polite  bool // always leaves the room before it disconnects
	devices [3]*tracker
	changes int           // how often it entered or left the room
	slowest time.Duration // longest wait for an answer
}

func (p *presence) round(b *round) {
	room, what := b.name, p.fault(p.counts.rounds)
	all := new(trackers)
	var witnesses []*tracker
	for node, n := range p.fleet.nodes {
		if err := n.awaitReady(); err != nil { // after a partition
			b.Fatalf("%v", err)
		}
		w := all.add(p.tracker(b, node, fmt.Sprint(b.name, "w", node)))
		if w == nil || !w.ask(b, "join-room", room) {
			b.Fatalf("a witness cannot join")
		}
		witnesses = append(witnesses, w)
	}
	players := make([]*player, 6)
	seeds := make([]uint64, len(players))
	for i := range players {
		players[i] = &player{user: fmt.Sprint(b.name, "u", i), polite: i%2 == 0}
		seeds[i] = p.rng.Uint64()
	}
	victim, pause := p.rng.IntN(len(p.fleet.nodes)), time.Duration(p.rng.IntN(60))*time.Millisecond
	var playing, failing sync.WaitGroup
	failing.Go(func() {
		time.Sleep(pause)
		p.fail(what, victim)
	})
	for i, pl := range players {
		playing.Go(func() { p.play(b, all, pl, room, what, rand.New(rand.NewPCG(seeds[i], 0))) })
	}
	playing.Wait()
	failing.Wait()
	p.settle(b, all)
	p.check(b, all, witnesses, players, what)
	for _, f := range all.live() {
		f.Close()
	}
	if what == kill {
		if err := p.fleet.start(p.fleet.nodes[victim]); err != nil {
			b.Fatalf("%v", err)
		}
	}
}

// fail causes the fault on the victim, and returns when it is over.
func (p *presence) fail(what fault, victim int) {
	n := p.fleet.nodes[victim]
	switch what {
	case kill:
		p.counts.kills++
		n.kill()
	case short, long:
		p.counts.partitions++
		n.link.set(true)
		time.Sleep(map[fault]time.Duration{short: 2 * time.Second, long: 12 * time.Second}[what])
		n.link.set(false)
	}
}

// play runs random actions of a user, one after the other.
func (p *presence) play(b *round, all *trackers, pl *player, room string, what fault, rng *rand.Rand) {
	device := func(node int) *tracker {
		if pl.devices[node] == nil {
			pl.devices[node] = all.add(p.tracker(b, node, pl.user))
		}
		return pl.devices[node]
	}
	in := func() (list []int) {
		for node, d := range pl.devices {
			if d != nil && d.isIn() {
				list = append(list, node)
			}
		}
		return list
	}
	ask := func(d *tracker, event string) {
		before := time.Now()
		if !d.ask(b, event, room) {
			pl.devices[d.node] = nil
		}
		pl.slowest = max(pl.slowest, time.Since(before))
	}
	for range 6 + rng.IntN(6) {
		was := len(in()) > 0
		node := rng.IntN(len(pl.devices))
		d := device(node)
		if d == nil {
			continue
		}
		switch here := in(); rng.IntN(6) {
		case 0, 1:
			if !d.isIn() {
				p.counts.joins.Add(1)
				ask(d, "join-room")
			}
		case 2:
			if d.isIn() {
				p.counts.leaves.Add(1)
				ask(d, "leave-room")
			}
		case 3, 4:
			if len(here) == 1 && here[0] != node {
				p.counts.moves.Add(1)
				from := pl.devices[here[0]]
				ask(d, "join-room")
				if rng.IntN(2) == 0 || pl.polite {
					ask(from, "leave-room")
				} else {
					from.Close()
					pl.devices[here[0]] = nil
				}
			}
		case 5:
			if !pl.polite {
				if rng.IntN(2) == 0 {
					d.Reset()
				}
				d.Close()
				pl.devices[node] = nil
			}
		}
		if is := len(in()) > 0; is != was {
			pl.changes++
		}
		if what != none {
			time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond) // so that the actions take about as long as the fault
		}
	}
}

// differences compares the users that the devices know with those in the room.
func differences(all *trackers) (ghosts, missing []string) {
	live := all.live()
	truth := make(map[string]bool)
	for _, f := range live {
		if f.isIn() {
			truth[f.user] = true
		}
	}
	for _, f := range live {
		f.mu.Lock()
		if f.in {
			for u := range f.known {
				if !truth[u] {
					ghosts = append(ghosts, f.name+" knows "+u)
				}
			}
			for u := range truth {
				if !f.known[u] {
					missing = append(missing, f.name+" does not know "+u)
				}
			}
		}
		f.mu.Unlock()
	}
	return ghosts, missing
}

// settle waits until all devices know who is in the room.
func (p *presence) settle(b *round, all *trackers) {
	var ghosts, missing []string
	if eventually(func() bool { ghosts, missing = differences(all); return len(ghosts)+len(missing) == 0 }) {
		return
	}
	p.counts.ghosts += len(ghosts)
	p.counts.missing += len(missing)
	slices.Sort(ghosts)
	b.Errorf("%d ghosts, %d missing: %s", len(ghosts), len(missing), strings.Join(append(ghosts, missing...), "; "))
}

// check reports events that contradict what a device knew and, in rounds without a
// fault, events without a cause.
func (p *presence) check(b *round, all *trackers, witnesses []*tracker, players []*player, what fault) {
	for _, f := range all.list {
		f.mu.Lock()
		p.counts.doubled += len(f.wrong)
		for _, w := range f.wrong {
			b.Errorf("%s", w)
		}
		f.mu.Unlock()
	}
	for _, pl := range players {
		// A player that disconnects without closing may be back before that is noticed;
		// and a join that took this long was answered without waiting for Redis.
		if what != none || !pl.polite || pl.slowest > 300*time.Millisecond {
			continue
		}
		for _, w := range witnesses {
			w.mu.Lock()
			if got := w.events[pl.user]; got != pl.changes {
				p.counts.moved++
				b.Errorf("%s: %d events of %s, which entered or left %d times", w.name, got, pl.user, pl.changes)
			}
			w.mu.Unlock()
		}
	}
}
