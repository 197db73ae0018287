package clienttests_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/waittest"
)

// presenceRounds returns how many rounds the tests in this file run: races that they
// look for show once in tens or hundreds of rounds. PRESENCE_ROUNDS overrides it.
func presenceRounds(usual int) int {
	if n, err := strconv.Atoi(os.Getenv("PRESENCE_ROUNDS")); err == nil {
		return n
	}
	return usual
}

// member is a device in a room, with the users that were announced to it.
type member struct {
	*raw.Client
	user string

	mu     sync.Mutex
	known  map[string]bool
	events map[string]int // by "event user"
	wrong  []string
}

// watcher connects a device that records all events about rooms. It may be in one
// room at a time.
func (n *clusterNode) watcher(user string) *member {
	n.t.Helper()
	m := &member{user: user, known: make(map[string]bool), events: make(map[string]int)}
	m.Client = raw.Connect(n.t, n.url, raw.Options{Auth: map[string]string{"token": token(n.t, user)}, OnEvent: m.event})
	waittest.Until(n.t, user+" is authenticated", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.events["authenticated "+user] > 0 })
	return m
}

func (m *member) event(e raw.Event) {
	var arg struct{ UserID string }
	if json.Unmarshal([]byte(e.Arg(0)), &arg) != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events[e.Name+" "+arg.UserID]++
	switch e.Name {
	case "user-joined":
		if m.known[arg.UserID] {
			m.wrong = append(m.wrong, "user-joined of "+arg.UserID+", which was already known")
		}
		m.known[arg.UserID] = true
	case "user-left":
		if !m.known[arg.UserID] {
			m.wrong = append(m.wrong, "user-left of "+arg.UserID+", which was not known")
		}
		delete(m.known, arg.UserID)
	}
}

// join joins a room and records the users in the answer.
func (m *member) join(t testing.TB, room string) answer {
	t.Helper()
	a := ask(t, m.Client, "join-room", room)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, u := range a.Users {
		m.known[u] = true
	}
	return a
}

func (m *member) knows(user string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known[user]
}

func (m *member) count(event, user string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.events[event+" "+user]
}

func (m *member) check(t testing.TB) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.wrong) > 0 {
		t.Errorf("%s: %d wrong events, the first: %s", m.user, len(m.wrong), m.wrong[0])
	}
	m.wrong = nil
}

// Two users join a room on two nodes, the second as soon as the first has its
// answer. The second finds the first in its answer, and the first receives
// user-joined of the second.
func TestClusterEachIsNamedToTheOther(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		rounds := presenceRounds(100)
		n := startCluster(t, redistest.Start(t), 2, mode, "WS_RATE_LIMIT=0")
		ann, bob := n[0].watcher("ann"), n[1].watcher("bob")
		absent, unknown, unknownToAnn := 0, 0, 0
		for i := range rounds {
			room := fmt.Sprint("r", i)
			before := time.Now()
			ann.join(t, room)
			took := time.Since(before)
			before = time.Now()
			a := bob.join(t, room)
			took = max(took, time.Since(before)) // an operation is ordered within 500 ms, or not at all
			if !slices.Contains(a.Users, "ann") && took < 400*time.Millisecond {
				absent++
			}
			waittest.Until(t, "they know each other", func() bool { return ann.knows("bob") && bob.knows("ann") })
			settled(t, room, 2, ann, bob)
			if !bob.knows("ann") {
				unknown++
			}
			if !ann.knows("bob") {
				unknownToAnn++
			}
			for _, m := range []*member{ann, bob} {
				ask(t, m.Client, "leave-room", room)
				m.mu.Lock()
				clear(m.known)
				m.mu.Unlock()
			}
		}
		t.Logf("of %d rounds, ann was missing in bob's answer in %d, bob never saw ann in %d, ann never saw bob in %d", rounds, absent, unknown, unknownToAnn)
		if absent+unknown+unknownToAnn > 0 {
			t.Error("all three must be 0")
		}
	})
}

// settled waits until each member sees that many users in the room, which it asks by
// joining again, and then for events that are still being sent.
func settled(t testing.TB, room string, users int, members ...*member) {
	t.Helper()
	for _, m := range members {
		waittest.Until(t, fmt.Sprint(m.user, " sees ", users), func() bool { return ask(t, m.Client, "join-room", room).Total == users })
	}
	time.Sleep(20 * time.Millisecond)
	for _, m := range members {
		m.Ask("ping")
	}
}

// A second device on another node right after the first is not announced, and
// neither is a user that moves to another node.
func TestClusterSecondDevice(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		rounds := presenceRounds(60)
		n := startCluster(t, redistest.Start(t), 2, mode, "WS_RATE_LIMIT=0")
		witnesses := []*member{n[0].watcher("witness0"), n[1].watcher("witness1")}
		for _, w := range witnesses {
			w.join(t, "r")
		}
		settled(t, "r", 2, witnesses...)
		again := 0
		var devices []*raw.Client
		for i := range rounds {
			user := fmt.Sprint("u", i)
			first, second := n[0].device(user), n[1].device(user)
			devices = append(devices, first, second)
			ask(t, first, "join-room", "r")
			ask(t, second, "join-room", "r")
			ask(t, first, "leave-room", "r") // it moves to the other node
		}
		counted := func(event string) {
			t.Helper()
			for i := range rounds {
				for _, w := range witnesses {
					waittest.Until(t, fmt.Sprint(w.user, " receives ", event, " of u", i), func() bool { return w.count(event, fmt.Sprint("u", i)) > 0 })
				}
			}
		}
		counted("user-joined")
		settled(t, "r", rounds+2, witnesses...)
		for i := range rounds {
			for _, w := range witnesses {
				if w.count("user-joined", fmt.Sprint("u", i)) != 1 || w.count("user-left", fmt.Sprint("u", i)) != 0 {
					again++
				}
			}
		}
		t.Logf("of %d users %d were not announced once", 2*rounds, again)
		if again > 0 {
			t.Error("want 0")
		}
		for _, d := range devices {
			d.Close()
		}
		counted("user-left")
		settled(t, "r", 2, witnesses...)
		for _, w := range witnesses {
			w.check(t)
			for i := range rounds {
				if left := w.count("user-left", fmt.Sprint("u", i)); left != 1 {
					t.Errorf("%s: %d user-left of u%d, want 1", w.user, left, i)
				}
			}
		}
	})
}

// No client of the other nodes keeps a user of a node that is killed right after
// the user's join.
func TestClusterKilledAfterJoin(t *testing.T) {
	t.Parallel()
	rounds := presenceRounds(4)
	redis := redistest.Start(t)
	n := startCluster(t, redis, 2, "WS_RATE_LIMIT=0")
	witnesses := []*member{n[0].watcher("witness0"), n[1].watcher("witness1")}
	for _, w := range witnesses {
		w.join(t, "r")
	}
	settled(t, "r", 2, witnesses...)
	for i := range rounds {
		victim := startProcess(t, "REDIS_URL="+redis.URL())
		waittest.Until(t, "the victim is connected", func() bool { return !victim.degraded() })
		d := victim.device(fmt.Sprint("u", i))
		ask(t, d, "join-room", "r")
		victim.kill()
	}
	ghosts := 0
	for _, w := range witnesses {
		// A killed node is dropped after about 6 s.
		waittest.Until(t, "the users are dropped", func() bool { return ask(t, w.Client, "join-room", "r").Total == 2 })
	}
	for i := range rounds {
		for _, w := range witnesses {
			waittest.Until(t, "as many leaves as joins", func() bool {
				return w.count("user-joined", fmt.Sprint("u", i)) == w.count("user-left", fmt.Sprint("u", i))
			})
			joined, left := w.count("user-joined", fmt.Sprint("u", i)), w.count("user-left", fmt.Sprint("u", i))
			if joined != left || joined > 1 {
				ghosts++
			}
		}
	}
	t.Logf("of %d users %d remained as ghosts", 2*rounds, ghosts)
	if ghosts > 0 {
		t.Error("want 0")
	}
	for _, w := range witnesses {
		w.check(t)
	}
}

// The first client of a new node finds all users in its join's answer, and receives
// no announcement of users that were in the room before.
func TestClusterRestartedNodeKnows(t *testing.T) {
	t.Parallel()
	const users = 300
	redis := redistest.Start(t)
	n := startCluster(t, redis, 1, "WS_RATE_LIMIT=0")
	for i := range users {
		n[0].device(fmt.Sprint("u", i), "r")
	}
	for range 3 {
		next := startNode(t, "REDIS_URL="+redis.URL(), "WS_RATE_LIMIT=0")
		first := next.watcher("first")
		a := first.join(t, "r")
		if a.Total != users+1 {
			t.Errorf("%d users in the first answer, want %d", a.Total, users+1)
		}
		settled(t, "r", users+1, first)
		first.mu.Lock()
		for event, count := range first.events {
			if event != "authenticated first" && event != "pong " {
				t.Errorf("%d unexpected events %s", count, event)
				break
			}
		}
		first.mu.Unlock()
		next.stop()
		waittest.Until(t, "its client is dropped", func() bool { return n[0].users() == users })
	}
}
