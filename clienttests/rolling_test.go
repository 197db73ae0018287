package clienttests_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/waittest"
)

// Two nodes are restarted one after the other while clients behind a balancer
// publish. Every client that loses its connection reconnects. Clients on the node
// that is not being restarted receive every acknowledged update once and in order.
func TestClusterRollingRestartUnderLoad(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		redis := redistest.Start(t)
		settings := func(port string) []string {
			return []string{"REDIS_URL=" + redis.URL(), mode, "HTTP_PORT=" + port, "WS_RATE_LIMIT=0", "SHUTDOWN_TIMEOUT=8000", "LOG_LEVEL=warn"}
		}
		var ports []string
		var nodes []*clusterNode
		for range 2 {
			port, err := raw.Port()
			if err != nil {
				t.Fatal(err)
			}
			ports = append(ports, port)
			nodes = append(nodes, startProcess(t, settings(port)...))
		}
		connected(t, nodes...)
		l := &load{t: t, rooms: []string{"red", "blue"}, balancer: startBalancer(t, nodes...)}
		t.Cleanup(l.end) // runs before the balancer's cleanup, which waits for the clients
		for i := range 3 {
			l.publish(fmt.Sprint("publisher", i))
		}
		for i := range 10 {
			l.roam(fmt.Sprint("roamer", i))
		}
		l.progress(20)
		for i, n := range nodes {
			stays := nodes[1-i]
			var stayers []*stayer
			for j := range 3 {
				stayers = append(stayers, l.stay(stays, n, fmt.Sprintf("stayer%d-%d", i, j)))
			}
			n.stop()
			l.progress(20)
			nodes[i] = startProcess(t, settings(ports[i])...)
			waittest.Until(t, "the new node is connected", func() bool { return !nodes[i].degraded() })
			l.progress(20)
			for _, s := range stayers {
				s.check()
			}
		}
		l.end()
		l.allBack(nodes)
		for _, n := range nodes {
			n.stop()
		}
	})
}

// load is the clients during the restarts.
type load struct {
	t        *testing.T
	rooms    []string
	balancer *balancer
	ending   atomic.Bool
	clients  sync.WaitGroup
	roamers  []*roamer

	mu         sync.Mutex
	publishers []*publisher
	lost       int // connections
}

// end stops the publishers. Roamers stay connected.
func (l *load) end() {
	l.ending.Store(true)
	l.clients.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost > 0 {
		l.t.Logf("%d connections were lost", l.lost)
	}
	for _, p := range l.publishers {
		l.t.Logf("%s: %d of %d updates acknowledged", p.user, len(p.acked["red"])+len(p.acked["blue"]), p.tried["red"]+p.tried["blue"])
	}
	l.publishers, l.lost = nil, 0
}

// connect retries through the balancer until it is connected, as clients do, and
// joins the rooms. It returns nil if the load ends first.
func (l *load) connect(user string, on func(raw.Event)) *raw.Client {
	for tries := 0; !l.ending.Load(); tries++ {
		if tries > 0 {
			time.Sleep(time.Duration(50+rand.IntN(500)) * time.Millisecond)
		}
		if c := l.enter(l.balancer.url, user, on); c != nil {
			return c
		}
		if tries > 200 {
			l.t.Errorf("%s cannot connect", user)
			return nil
		}
	}
	return nil
}

// enter makes one attempt to connect and join; it returns nil if that fails.
func (l *load) enter(url, user string, on func(raw.Event)) *raw.Client {
	c, refusal, err := raw.Dial(l.t, url, raw.Options{Auth: map[string]string{"token": token(l.t, user)}, OnEvent: on})
	if refusal != "" {
		l.t.Errorf("%s: refused: %s", user, refusal)
	}
	if err != nil || refusal != "" {
		return nil
	}
	for _, room := range l.rooms {
		e, err := c.Start("join-room", room)()
		if err != nil {
			c.Close()
			return nil
		}
		if a := parseAnswer(l.t, e); !a.Success {
			l.t.Errorf("%s: join-room: %s", user, a.Error.Code)
		}
	}
	return c
}

// lose counts a lost connection, which must have ended without DISCONNECT, so that
// the client may reconnect.
func (l *load) lose(user string, c *raw.Client) {
	if c.Ended() {
		l.t.Errorf("%s was sent DISCONNECT", user)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost++
}

// publisher publishes consecutive numbers in each room.
type publisher struct {
	user  string
	tried map[string]int   // numbers published, by room; guarded by load.mu
	acked map[string][]int // numbers acknowledged, by room; guarded by load.mu
}

func (l *load) publish(user string) {
	p := &publisher{user: user, tried: make(map[string]int), acked: make(map[string][]int)}
	l.mu.Lock()
	l.publishers = append(l.publishers, p)
	l.mu.Unlock()
	l.clients.Go(func() {
		for !l.ending.Load() {
			c := l.connect(user, func(raw.Event) {})
			if c == nil {
				return
			}
			for !l.ending.Load() && l.burst(p, c) {
				time.Sleep(60 * time.Millisecond) // updates are not what this is short of
			}
			if !l.ending.Load() {
				l.lose(user, c)
			}
			c.Close()
		}
	})
}

// burst publishes some updates and waits for the acknowledgements. It returns false
// if the connection ends.
func (l *load) burst(p *publisher, c *raw.Client) bool {
	type update struct {
		room   string
		number int
		wait   func() (raw.Event, error)
	}
	var updates []update
	for i := range 6 {
		room := l.rooms[i%len(l.rooms)]
		l.mu.Lock()
		number := p.tried[room]
		p.tried[room]++
		l.mu.Unlock()
		updates = append(updates, update{room, number, c.Start("publish-update", map[string]any{"roomId": room, "type": strconv.Itoa(number)})})
	}
	for _, u := range updates {
		e, err := u.wait()
		if err != nil {
			return false
		}
		if a := parseAnswer(l.t, e); a.Success {
			l.mu.Lock()
			p.acked[u.room] = append(p.acked[u.room], u.number)
			l.mu.Unlock()
		} else if a.Error.Code != "unavailable" {
			l.t.Errorf("%s: publish-update: %s", p.user, a.Error.Code)
		}
	}
	return true
}

// progress waits until each publisher has that many more acknowledgements in each
// room.
func (l *load) progress(more int) {
	l.t.Helper()
	before := l.acknowledged()
	waittest.Until(l.t, "publishers make progress", func() bool {
		for key, numbers := range l.acknowledged() {
			if len(numbers) < len(before[key])+more {
				return false
			}
		}
		return true
	})
}

// source is a publisher in a room.
type source struct{ user, room string }

func (l *load) acknowledged() map[source][]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[source][]int)
	for _, p := range l.publishers {
		for _, room := range l.rooms {
			all[source{p.user, room}] = slices.Clone(p.acked[room])
		}
	}
	return all
}

// roamer is a client that listens, connected through the balancer.
type roamer struct {
	user string

	mu     sync.Mutex
	client *raw.Client
	last   map[string]bool // final updates received, by room and word
}

// roam connects a client, and reconnects it until the load ends.
func (l *load) roam(user string) {
	r := &roamer{user: user, last: make(map[string]bool)}
	l.roamers = append(l.roamers, r)
	l.clients.Go(func() {
		for !l.ending.Load() {
			c := l.connect(user, func(e raw.Event) {
				if from, room, word := parseUpdate(l.t, e); from == "last" {
					r.mu.Lock()
					r.last[room+word] = true
					r.mu.Unlock()
				}
			})
			if c == nil {
				return
			}
			r.mu.Lock()
			r.client = c
			r.mu.Unlock()
			for end := false; !end && !l.ending.Load(); {
				select {
				case <-c.Done():
					l.lose(user, c)
					end = true
				case <-time.After(50 * time.Millisecond):
				}
			}
		}
	})
}

// allBack checks that every roamer is connected and receives updates from every
// node.
func (l *load) allBack(nodes []*clusterNode) {
	l.t.Helper()
	for i, n := range nodes {
		last := n.device("last", l.rooms...)
		for _, room := range l.rooms {
			word := fmt.Sprint("node ", i)
			waittest.Until(l.t, "all roamers receive "+word+" in "+room, func() bool {
				ask(l.t, last, "publish-update", map[string]any{"roomId": room, "type": word})
				time.Sleep(20 * time.Millisecond)
				return !slices.ContainsFunc(l.roamers, func(r *roamer) bool {
					r.mu.Lock()
					defer r.mu.Unlock()
					return !r.last[room+word]
				})
			})
		}
		last.Close()
	}
}

// parseUpdate returns the fields of an update, and "" for other events.
func parseUpdate(t *testing.T, e raw.Event) (from, room, kind string) {
	if e.Name != "update" {
		return "", "", ""
	}
	var u struct{ From, RoomID, Type string }
	if err := json.Unmarshal([]byte(e.Arg(0)), &u); err != nil {
		t.Errorf("update %s: %v", e.Arg(0), err)
	}
	return u.From, u.RoomID, u.Type
}

// stayer is a client of one node that must miss no update.
type stayer struct {
	load   *load
	user   string
	client *raw.Client
	first  map[source]int // the first number that it must receive

	mu     sync.Mutex
	got    map[source][]int
	probed map[string]bool // rooms in which an update of the other node arrived
}

// stay connects a client to the node, and returns when it receives updates from the
// other node.
func (l *load) stay(n, other *clusterNode, user string) *stayer {
	l.t.Helper()
	s := &stayer{load: l, user: user, got: make(map[source][]int), first: make(map[source]int), probed: make(map[string]bool)}
	s.client = l.enter(n.url, user, s.event)
	if s.client == nil {
		l.t.Fatalf("%s cannot connect", user)
	}
	probe := other.device("probe", l.rooms...)
	defer probe.Close()
	for _, room := range l.rooms {
		waittest.Until(l.t, user+" receives updates of the other node", func() bool {
			ask(l.t, probe, "publish-update", map[string]any{"roomId": room, "type": user})
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.probed[room]
		})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.publishers {
		for _, room := range l.rooms {
			s.first[source{p.user, room}] = p.tried[room]
		}
	}
	return s
}

func (s *stayer) event(e raw.Event) {
	from, room, text := parseUpdate(s.load.t, e)
	s.mu.Lock()
	defer s.mu.Unlock()
	number, err := strconv.Atoi(text)
	if err != nil {
		s.probed[room] = s.probed[room] || text == s.user
		return
	}
	key := source{from, room}
	s.got[key] = append(s.got[key], number)
}

// check waits for all updates that are acknowledged by now, and checks that each
// arrived once and in order.
func (s *stayer) check() {
	t := s.load.t
	t.Helper()
	total := 0
	for key, numbers := range s.load.acknowledged() {
		numbers = slices.DeleteFunc(numbers, func(n int) bool { return n < s.first[key] })
		if len(numbers) == 0 {
			t.Errorf("%s: no acknowledged updates of %v", s.user, key)
			continue
		}
		last := numbers[len(numbers)-1]
		waittest.Until(t, fmt.Sprint(s.user, " has got ", last, " of ", key), func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.got[key]) > 0 && s.got[key][len(s.got[key])-1] >= last
		})
		s.mu.Lock()
		got := slices.Clone(s.got[key])
		s.mu.Unlock()
		have := make(map[int]bool)
		for i, n := range got {
			if have[n] || i > 0 && n < got[i-1] {
				t.Errorf("%s: update %d of %v arrived after %d", s.user, n, key, got[i-1])
			}
			have[n] = true
		}
		var missing []int
		for _, n := range numbers {
			if !have[n] {
				missing = append(missing, n)
			}
		}
		if len(missing) > 0 {
			t.Errorf("%s: %v are missing of %d acknowledged updates of %v", s.user, missing, len(numbers), key)
		}
		total += len(numbers)
	}
	t.Logf("%s: %d acknowledged updates", s.user, total)
	select {
	case <-s.client.Done():
		t.Errorf("%s was disconnected", s.user)
	default:
	}
	s.client.Close()
}
