package redispresence

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/presence/presencetest"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// redisServer is a redis-server of the test's own on a free port.
type redisServer struct {
	t    testing.TB
	port string
	args []string
	cmd  *exec.Cmd
}

// newRedis reserves a port; the server is not started.
func newRedis(t testing.TB, args ...string) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	r := &redisServer{t: t, port: port, args: args}
	t.Cleanup(r.kill)
	return r
}

func startRedis(t testing.TB, args ...string) *redisServer {
	t.Helper()
	r := newRedis(t, args...)
	r.start()
	return r
}

func (r *redisServer) addr() string { return "127.0.0.1:" + r.port }

func (r *redisServer) start() {
	r.t.Helper()
	r.cmd = exec.Command("redis-server", append([]string{
		"--port", r.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", os.TempDir(), "--loglevel", "warning",
	}, r.args...)...)
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: r.addr()})
	defer client.Close()
	for end := time.Now().Add(patience); client.Ping(context.Background()).Err() != nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatal("redis-server does not answer")
		}
	}
}

func (r *redisServer) kill() {
	if r.cmd == nil {
		return
	}
	r.cmd.Process.Kill()
	r.cmd.Wait()
	r.cmd = nil
}

func (r *redisServer) signal(s syscall.Signal) { r.cmd.Process.Signal(s) }

func (r *redisServer) client() redis.UniversalClient {
	c := redis.NewClient(&redis.Options{
		Addr: r.addr(), Protocol: 2, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true, DisableIdentity: true,
		DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second,
	})
	r.t.Cleanup(func() { c.Close() })
	return c
}

var prefixes atomic.Int64

// interval is short, so that the tests are; and long enough for a slow machine
// to be in time.
const interval = 250 * time.Millisecond

func (r *redisServer) node(prefix string) *witness {
	r.t.Helper()
	w := newWitness(redisBus{r.client()}, Options{Prefix: prefix, Interval: interval})
	r.t.Cleanup(func() { w.Close() })
	return w
}

type redisCluster struct {
	server *redisServer
	prefix string
}

func (c redisCluster) Node(*testing.T) presence.Presence {
	n, err := New(Options{Redis: c.server.client(), Prefix: c.prefix, Interval: interval})
	if err != nil {
		panic(err)
	}
	return n
}

func TestSuite(t *testing.T) {
	server := startRedis(t)
	presencetest.Run(t, func(*testing.T) presencetest.Cluster {
		return redisCluster{server, fmt.Sprint("p", prefixes.Add(1))}
	})
}

func wellAll(t *testing.T, nodes ...*witness) {
	t.Helper()
	for i, n := range nodes {
		eventually(t, fmt.Sprint("node ", i, " is well and sees all"), func() bool {
			return !n.Health().Degraded && n.View().Nodes() == len(nodes)
		})
	}
}

func TestRedisFaults(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault func(r *redisServer)
		heal  func(r *redisServer)
		away  bool // the nodes notice
	}{
		{"killed and restarted", (*redisServer).kill, (*redisServer).start, true},
		{"paused", func(r *redisServer) { r.signal(syscall.SIGSTOP) }, func(r *redisServer) { r.signal(syscall.SIGCONT) }, true},
		{"clients killed", func(r *redisServer) {
			r.do("CLIENT", "KILL", "TYPE", "normal")
			r.do("CLIENT", "KILL", "TYPE", "pubsub")
		}, func(*redisServer) {}, false},
		{"flushed", func(r *redisServer) { r.do("FLUSHALL") }, func(*redisServer) {}, false},
		{"full", func(r *redisServer) { r.do("CONFIG", "SET", "maxmemory", "1") }, func(*redisServer) {}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := startRedis(t)
			x, y := r.node("p"), r.node("p")
			wellAll(t, x, y)
			enter(x, "a1", "ann", "r")
			enter(y, "b1", "bob", "r")
			eventually(t, "x sees bob", func() bool { return x.View().In("bob", "r") })
			eventually(t, "y sees ann", func() bool { return y.View().In("ann", "r") })
			tc.fault(r)
			if tc.away {
				eventually(t, "x is degraded", func() bool { return x.Health().Degraded })
				eventually(t, "y is degraded", func() bool { return y.Health().Degraded })
			}
			before := time.Now()
			enter(x, "c1", "cat", "r")
			y.Disconnect("b1")
			if took := time.Since(before); took > interval {
				t.Errorf("writing waited %v", took)
			}
			tc.heal(r)
			eventually(t, "x sees bob gone", func() bool { return !x.View().In("bob", "r") })
			eventually(t, "y sees cat", func() bool { return y.View().In("cat", "r") })
			wellAll(t, x, y)
			t.Logf("back after %v", time.Since(before).Round(10*time.Millisecond))
		})
	}
}

func (r *redisServer) do(args ...any) {
	r.t.Helper()
	if err := r.client().Do(context.Background(), args...).Err(); err != nil {
		r.t.Errorf("%v: %v", args, err)
	}
}

func TestRedisComesLater(t *testing.T) {
	r := newRedis(t)
	x, y := r.node("p"), r.node("p")
	enter(x, "a1", "ann", "r")
	wantIn(t, x, "alone", "ann", "r", true)
	eventually(t, "x says why", func() bool { return x.Health().Reason == reasonAway })
	r.start()
	wellAll(t, x, y)
	eventually(t, "y sees ann", func() bool { return y.View().In("ann", "r") })
}

// A password that is changed away and back: what is refused is like Redis away.
func TestRedisRefuses(t *testing.T) {
	r := startRedis(t)
	x, y := r.node("p"), r.node("p")
	wellAll(t, x, y)
	r.do("CONFIG", "SET", "requirepass", "secret")
	admin := redis.NewClient(&redis.Options{Addr: r.addr(), Password: "secret", MaxRetries: -1})
	defer admin.Close()
	for _, kind := range []string{"normal", "pubsub"} {
		if err := admin.ClientKillByFilter(t.Context(), "TYPE", kind, "SKIPME", "yes").Err(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "x is degraded", func() bool { return x.Health().Degraded })
	enter(x, "a1", "ann", "r")
	if err := admin.ConfigSet(t.Context(), "requirepass", "").Err(); err != nil {
		t.Fatal(err)
	}
	wellAll(t, x, y)
	eventually(t, "y sees ann", func() bool { return y.View().In("ann", "r") })
}

func TestKilledOnRedis(t *testing.T) {
	r := startRedis(t)
	x, y := r.node("p"), r.node("p")
	wellAll(t, x, y)
	enter(y, "b1", "bob", "r")
	eventually(t, "x sees bob", func() bool { return x.View().In("bob", "r") })
	y.kill()
	eventually(t, "bob is gone", func() bool { return !x.View().Connected("bob") })
	eventually(t, "it is told", func() bool { x.mu.Lock(); defer x.mu.Unlock(); return len(x.told) > 0 })
	x.wants(t, "after", "bob left r")
}

func TestForeignMessagesOnRedis(t *testing.T) {
	r := startRedis(t)
	x, y := r.node("p"), r.node("p")
	wellAll(t, x, y)
	for _, payload := range []string{"", "hello", `{"uid":"x"}`, strings.Repeat("x", 1<<20), "\x97\x01\xa1x\x01"} {
		r.do("PUBLISH", "p-presence#", payload)
		r.do("PUBLISH", x.channels.node(x.name), payload)
	}
	eventually(t, "all are counted", func() bool { return x.Stats().Malformed == 10 && y.Stats().Malformed == 5 })
	enter(y, "b1", "bob", "r")
	eventually(t, "x sees bob", func() bool { return x.View().In("bob", "r") })
}

func TestLargeState(t *testing.T) {
	r := startRedis(t)
	x := r.node("p")
	for i := range 10_000 {
		enter(x, fmt.Sprint("device-of-a-user-", i), fmt.Sprint("user", i%5000), "all", fmt.Sprint("room", i%100))
	}
	wellAll(t, x)
	y := r.node("p")
	wellAll(t, x, y)
	eventually(t, "the late node knows all", func() bool {
		users, rooms := y.View().Counts()
		_, total := y.View().Members("all", 1)
		return users == 5000 && rooms == 101 && total == 5000
	})
	if got := len(y.View().Devices("user7")); got != 2 {
		t.Errorf("user7 has %d devices, want 2", got)
	}
}
