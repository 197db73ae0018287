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

	"github.com/puente-io/puente/clienttests/raw"
)

// presence is a property of a cluster: whatever users do, and whatever dies, no
// client is sent what contradicts what it knows, and in the end it knows who is
// there. Each round has a room of its own on three nodes. Users with devices on
// several nodes join, leave, move and go, all at once; in some rounds a node is
// killed meanwhile, or loses Redis for a while.
type presence struct {
	*runner
	fleet  *fleet
	rng    *rand.Rand
	counts presenceCounts
}

// presenceCounts is what happened.
type presenceCounts struct {
	rounds, kills, partitions       int
	joins, leaves, moves, events    atomic.Int64
	ghosts, missing, doubled, moved int // what must not
}

func (c *presenceCounts) String() string {
	return fmt.Sprintf("%d rounds, %d nodes killed, %d partitions; %d joins, %d leaves, %d moves, %d events; %d ghosts, %d missing, %d doubled, %d moves announced",
		c.rounds, c.kills, c.partitions, c.joins.Load(), c.leaves.Load(), c.moves.Load(), c.events.Load(), c.ghosts, c.missing, c.doubled, c.moved)
}

// runPresence runs so many rounds and returns what it counted, "" without Redis.
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
	short // partition, shorter than what it takes to be dropped
	long  // and longer
)

func (p *presence) fault(round int) fault {
	switch { // so that few rounds have all, and two hundred take minutes
	case round%25 == 5:
		return kill
	case round%40 == 10:
		return short
	case round%100 == 15:
		return long
	}
	return none
}

// fan is a device: of a user who comes and goes, or of a witness, who stays.
type fan struct {
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

// fan connects a device; nil if the node is gone.
func (p *presence) fan(b *round, node int, user string) *fan {
	f := &fan{
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

// event takes an event in its order. Answers are asked for as events, so that they
// are among them.
func (p *presence) event(f *fan, e raw.Event) {
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
			f.wrong = append(f.wrong, fmt.Sprintf("%s: %s of %s, known before: %v", f.name, e.Name, arg.UserID, !joined))
		} else if joined {
			f.known[arg.UserID] = true
		} else {
			delete(f.known, arg.UserID)
		}
	}
}

func (f *fan) isIn() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.in
}

// ask sends an event and waits for its answer. It reports false if the connection
// ends before.
func (f *fan) ask(b *round, event, room string) bool {
	if event == "leave-room" { // from now on it counts as out of it
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
	case <-time.After(patience):
		b.Errorf("%s: %s was not answered", f.name, event)
		return false
	}
}

// cast is who takes part in a round.
type cast struct {
	mu   sync.Mutex
	fans []*fan
}

func (c *cast) add(f *fan) *fan {
	if f != nil {
		c.mu.Lock()
		c.fans = append(c.fans, f)
		c.mu.Unlock()
	}
	return f
}

// live is the devices whose connections have not ended.
func (c *cast) live() (live []*fan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.fans {
		select {
		case <-f.Done():
		default:
			live = append(live, f)
		}
	}
	return live
}

// player is a user who comes and goes.
type player struct {
	user    string
	polite  bool // always leaves before going
	devices [3]*fan
	changes int           // of being in the room
	slowest time.Duration // answer
}

func (p *presence) round(b *round) {
	room, what := b.name, p.fault(p.counts.rounds)
	all := new(cast)
	var witnesses []*fan
	for node, n := range p.fleet.nodes {
		if err := n.awaitReady(); err != nil { // after a partition
			b.Fatalf("%v", err)
		}
		w := all.add(p.fan(b, node, fmt.Sprint(b.name, "w", node)))
		if w == nil || !w.ask(b, "join-room", room) {
			b.Fatalf("a witness does not get in")
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

// fail does the fault, and returns when it is over.
func (p *presence) fail(what fault, victim int) {
	n := p.fleet.nodes[victim]
	switch what {
	case kill:
		p.counts.kills++
		n.kill()
	case short, long:
		p.counts.partitions++
		n.way.set(true)
		time.Sleep(map[fault]time.Duration{short: 2 * time.Second, long: 12 * time.Second}[what])
		n.way.set(false)
	}
}

// play lets a user do things, one after the other.
func (p *presence) play(b *round, all *cast, pl *player, room string, what fault, rng *rand.Rand) {
	device := func(node int) *fan {
		if pl.devices[node] == nil {
			pl.devices[node] = all.add(p.fan(b, node, pl.user))
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
	ask := func(d *fan, event string) {
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
			time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond) // as long as the fault, or so
		}
	}
}

// differences compares what the devices know with who is there.
func differences(all *cast) (ghosts, missing []string) {
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

// settle waits until all know who is there.
func (p *presence) settle(b *round, all *cast) {
	var ghosts, missing []string
	if eventually(func() bool { ghosts, missing = differences(all); return len(ghosts)+len(missing) == 0 }) {
		return
	}
	p.counts.ghosts += len(ghosts)
	p.counts.missing += len(missing)
	slices.Sort(ghosts)
	b.Errorf("%d ghosts, %d missing: %s", len(ghosts), len(missing), strings.Join(append(ghosts, missing...), "; "))
}

// check looks for events that contradict what a device knew; and, in rounds in which
// nothing failed, for such as nothing has happened for.
func (p *presence) check(b *round, all *cast, witnesses []*fan, players []*player, what fault) {
	for _, f := range all.fans {
		f.mu.Lock()
		p.counts.doubled += len(f.wrong)
		for _, w := range f.wrong {
			b.Errorf("%s", w)
		}
		f.mu.Unlock()
	}
	for _, pl := range players {
		// Who goes without a word may be back before that is noticed; and an answer
		// that is so late was given without Redis.
		if what != none || !pl.polite || pl.slowest > 300*time.Millisecond {
			continue
		}
		for _, w := range witnesses {
			w.mu.Lock()
			if got := w.events[pl.user]; got != pl.changes {
				p.counts.moved++
				b.Errorf("%s: %d events of %s, who has come and gone %d times", w.name, got, pl.user, pl.changes)
			}
			w.mu.Unlock()
		}
	}
}
