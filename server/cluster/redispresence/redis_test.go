package redispresence

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redislink"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/presence/presencetest"
	"github.com/puente-io/puente/server/waittest"
)

// client returns a client as Options.Redis requires it.
func client(t testing.TB, r *redistest.Server) redis.UniversalClient {
	c := redis.NewClient(&redis.Options{
		Addr: r.Addr(), Protocol: 2, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true, DisableIdentity: true,
		DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second,
	})
	t.Cleanup(func() { c.Close() })
	return c
}

var prefixes atomic.Int64

// interval is the default: with a shorter one, nodes that are short of CPU drop each other.
const interval = time.Second

func node(t testing.TB, r *redistest.Server) *witness {
	t.Helper()
	w := newWitness(redisBus{client: client(t, r)}, Options{Prefix: "p", Interval: interval})
	t.Cleanup(func() { w.Close() })
	return w
}

type redisCluster struct {
	server *redistest.Server
	prefix string
}

func (c redisCluster) Node(t *testing.T) presence.Presence {
	n, err := New(Options{Redis: client(t, c.server), Prefix: c.prefix, Interval: interval})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSuite(t *testing.T) {
	server := redistest.Start(t)
	presencetest.Run(t, func(*testing.T) presencetest.Cluster {
		return redisCluster{server, fmt.Sprint("p", prefixes.Add(1))}
	})
}

func allHealthy(t *testing.T, nodes ...*witness) {
	t.Helper()
	for i, n := range nodes {
		waittest.Until(t, fmt.Sprint("node ", i, " is healthy and sees all nodes"), func() bool {
			return !n.Health().Degraded && n.View().Nodes() == len(nodes)
		})
	}
}

func TestRedisFaults(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault func(r *redistest.Server)
		heal  func(r *redistest.Server)
		away  bool // the nodes become degraded
	}{
		{"killed and restarted", (*redistest.Server).Kill, (*redistest.Server).Up, true},
		{"paused", (*redistest.Server).Pause, (*redistest.Server).Resume, true},
		{"clients killed", func(r *redistest.Server) {
			r.Do("CLIENT", "KILL", "TYPE", "normal")
			r.Do("CLIENT", "KILL", "TYPE", "pubsub")
		}, func(*redistest.Server) {}, false},
		{"flushed", func(r *redistest.Server) { r.Do("FLUSHALL") }, func(*redistest.Server) {}, false},
		{"disk full", (*redistest.Server).BreakDisk, func(*redistest.Server) {}, false},
		{"full", func(r *redistest.Server) { r.Do("CONFIG", "SET", "maxmemory", "1") }, func(*redistest.Server) {}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := redistest.Start(t)
			x, y := node(t, r), node(t, r)
			allHealthy(t, x, y)
			enter(x, "a1", "ann", "r")
			enter(y, "b1", "bob", "r")
			waittest.Until(t, "x sees bob", func() bool { return x.View().In("bob", "r") })
			waittest.Until(t, "y sees ann", func() bool { return y.View().In("ann", "r") })
			tc.fault(r)
			if tc.away {
				waittest.Until(t, "x is degraded", func() bool { return x.Health().Degraded })
				waittest.Until(t, "y is degraded", func() bool { return y.Health().Degraded })
			}
			before := time.Now()
			enter(x, "c1", "cat", "r") // does not wait, see TestBusBlocks
			y.Disconnect("b1")
			tc.heal(r)
			waittest.Until(t, "x sees that bob has left", func() bool { return !x.View().In("bob", "r") })
			waittest.Until(t, "y sees cat", func() bool { return y.View().In("cat", "r") })
			allHealthy(t, x, y)
			t.Logf("healthy after %v", time.Since(before).Round(10*time.Millisecond))
		})
	}
}

func TestRedisComesLater(t *testing.T) {
	r := redistest.New(t)
	x, y := node(t, r), node(t, r)
	enter(x, "a1", "ann", "r")
	wantIn(t, x, "alone", "ann", "r", true)
	waittest.Until(t, "x's health has the reason", func() bool { return strings.Contains(x.Health().Reason, "connection refused") })
	r.Up()
	allHealthy(t, x, y)
	waittest.Until(t, "y sees ann", func() bool { return y.View().In("ann", "r") })
}

// While a changed password makes Redis refuse commands, nodes act as if it were away.
func TestRedisRefuses(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	x, y := node(t, r), node(t, r)
	allHealthy(t, x, y)
	r.Do("CONFIG", "SET", "requirepass", "secret")
	admin := redis.NewClient(&redis.Options{Addr: r.Addr(), Password: "secret", MaxRetries: -1})
	defer admin.Close()
	for _, kind := range []string{"normal", "pubsub"} {
		if err := admin.ClientKillByFilter(t.Context(), "TYPE", kind, "SKIPME", "yes").Err(); err != nil {
			t.Fatal(err)
		}
	}
	waittest.Until(t, "x is degraded", func() bool { return x.Health().Degraded })
	enter(x, "a1", "ann", "r")
	if err := admin.ConfigSet(t.Context(), "requirepass", "").Err(); err != nil {
		t.Fatal(err)
	}
	allHealthy(t, x, y)
	waittest.Until(t, "y sees ann", func() bool { return y.View().In("ann", "r") })
}

func TestKilledOnRedis(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	x, y := node(t, r), node(t, r)
	allHealthy(t, x, y)
	enter(x, "w1", "witness", "r")
	enter(y, "b1", "bob", "r")
	waittest.Until(t, "x sees bob", func() bool { return x.View().In("bob", "r") })
	x.forget()
	y.kill()
	waittest.Until(t, "bob is disconnected", func() bool { return !x.View().Connected("bob") })
	waittest.Until(t, "bob's leave is announced", func() bool { x.mu.Lock(); defer x.mu.Unlock(); return len(x.events) > 0 })
	x.wants(t, "after", "bob left r")
}

func TestForeignMessagesOnRedis(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	x, y := node(t, r), node(t, r)
	allHealthy(t, x, y)
	for _, payload := range []string{"", "hello", `{"uid":"x"}`, strings.Repeat("x", 1<<20), "\x97\x01\xa1x\x01"} {
		r.Do("PUBLISH", "p-presence#", payload)
		r.Do("PUBLISH", x.channels.node(x.name), payload)
	}
	waittest.Until(t, "all malformed messages are counted", func() bool { return x.Stats().Malformed == 10 && y.Stats().Malformed == 5 })
	enter(y, "b1", "bob", "r")
	waittest.Until(t, "x sees bob", func() bool { return x.View().In("bob", "r") })
}

func TestLargeState(t *testing.T) {
	r := redistest.Start(t)
	x := node(t, r)
	for i := range 10_000 {
		enter(x, fmt.Sprint("device-of-a-user-", i), fmt.Sprint("user", i%5000), "all", fmt.Sprint("room", i%100))
	}
	allHealthy(t, x)
	y := node(t, r)
	allHealthy(t, x, y)
	waittest.Until(t, "the late node has all entries", func() bool {
		users, rooms := y.View().Counts()
		_, total := y.View().Members("all", 1)
		return users == 5000 && rooms == 101 && total == 5000
	})
	if got := len(y.View().Devices("user7")); got != 2 {
		t.Errorf("user7 has %d devices, want 2", got)
	}
}

func TestRedisCluster(t *testing.T) {
	t.Parallel()
	servers := redistest.Cluster(t, 3)
	var nodes []*witness
	for _, s := range servers {
		c := redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: []string{s.Addr()}, Protocol: 2, DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second,
		})
		n := newWitness(newRedisBus(c, newChannels("p").all, newTimes(interval)), Options{Prefix: "p", Interval: interval})
		t.Cleanup(func() { n.Close(); c.Close() })
		nodes = append(nodes, n)
	}
	allHealthy(t, nodes...)
	for i, n := range nodes {
		enter(n, fmt.Sprint("d", i), "ann", "r")
	}
	for i, n := range nodes {
		waittest.Until(t, fmt.Sprint("node ", i, " sees all"), func() bool { return len(n.View().Devices("ann")) == 3 })
	}

	// The master of the presence channel dies. The nodes use another one.
	for _, n := range nodes {
		n.forget()
	}
	servers[redislink.Slot("p-presence#")*len(servers)/16384].Kill()
	waittest.Until(t, "a node is degraded", func() bool { return nodes[0].Health().Degraded })
	allHealthy(t, nodes...)
	enter(nodes[0], "d9", "bob", "r")
	for i, n := range nodes {
		waittest.Until(t, fmt.Sprint("node ", i, " sees bob"), func() bool { return n.View().In("bob", "r") })
	}
	time.Sleep(10 * interval) // a silent node is dropped after 6
	for _, n := range nodes {
		if n.View().Nodes() != len(nodes) {
			t.Errorf("%d nodes, want %d", n.View().Nodes(), len(nodes))
		}
		n.mu.Lock()
		for _, e := range n.events {
			if strings.Contains(e, "left") {
				t.Errorf("event %q, want no leaves", e)
			}
		}
		n.mu.Unlock()
	}
}

// A Redis user needs only the rights to publish and subscribe on the presence
// channels. If one is withdrawn, health names it, and the node recovers when it is
// given back.
func TestNeededRightsAreEnough(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	r.Do("ACL", "SETUSER", "node", "on", ">secret", "&p-presence#*", "+publish", "+subscribe")
	as := func() *witness {
		c := redis.NewClient(&redis.Options{
			Addr: r.Addr(), Username: "node", Password: "secret", Protocol: 2, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
		})
		w := newWitness(redisBus{client: c}, Options{Prefix: "p", Interval: interval})
		t.Cleanup(func() { w.Close(); c.Close() })
		return w
	}
	x, y := as(), as()
	allHealthy(t, x, y)
	enter(x, "a1", "ann", "r")
	waittest.Until(t, "y sees ann", func() bool { return y.View().In("ann", "r") })
	r.Do("ACL", "SETUSER", "node", "-publish")
	waittest.Until(t, "x's health has the reason", func() bool {
		return strings.HasPrefix(x.Health().Reason, "NOPERM: the Redis user may not run PUBLISH on p-presence#")
	})
	r.Do("ACL", "SETUSER", "node", "+publish", "-subscribe")
	r.Do("CLIENT", "KILL", "TYPE", "pubsub")
	waittest.Until(t, "x's health has the reason", func() bool {
		return strings.HasPrefix(x.Health().Reason, "NOPERM: the Redis user may not run SUBSCRIBE on p-presence#")
	})
	r.Do("ACL", "SETUSER", "node", "+subscribe")
	allHealthy(t, x, y)
}
