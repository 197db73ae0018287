package clienttests_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/waittest"
)

// A cluster works over rediss:// if SSL_CERT_FILE names the certificate authority.
// With an unknown authority a node serves its own clients and logs the reason.
func TestClusterTLS(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		redis := redistest.StartTLS(t)
		env := []string{mode, "REDIS_URL=" + redis.URL(), "WS_RATE_LIMIT=0", "SSL_CERT_FILE=" + redis.CAFile()}
		n := []*clusterNode{startProcess(t, env...), startProcess(t, env...)}
		connected(t, n...)
		ann := n[0].device("ann", "r")
		talk(t, ann, n[1], "bob")
	})
	t.Run("unknown authority", func(t *testing.T) {
		redis := redistest.StartTLS(t)
		log := new(logBook)
		n := startLogging(t, log, "REDIS_URL="+redis.URL(), "NODE_ENV=production", "WS_RATE_LIMIT=0")
		ann, near := n.device("ann", "r"), n.device("near", "r")
		waittest.Until(t, "the log says why", func() bool {
			ask(t, ann, "publish-update", map[string]any{"roomId": "r", "type": "x"})
			near.Next("update")
			return log.has("messages to other nodes dropped", "certificate signed by unknown authority") &&
				log.has("cluster degraded", `"part":"messages"`, "certificate signed by unknown authority") &&
				log.has("cluster degraded", `"part":"presence"`)
		})
		if !n.degraded() {
			t.Error("not degraded")
		}
	})
}

// talk connects a user to n and disconnects it. ann, on another node and alone in the
// room, must see both, and its update and notification must reach the user.
func talk(t *testing.T, ann *raw.Client, n *clusterNode, user string) {
	t.Helper()
	there := func(total int) func() bool {
		return func() bool { return ask(t, ann, "join-room", "r").Total == total }
	}
	c := n.device(user, "r")
	waittest.Until(t, user+" is seen", there(2))
	waittest.Until(t, user+" gets an update", func() bool {
		ask(t, ann, "publish-update", map[string]any{"roomId": "r", "type": "x"})
		return slices.Contains(c.Names(), "update")
	})
	waittest.Until(t, user+" gets a notification", func() bool {
		if !notify(t, ann, user) {
			t.Errorf("not delivered to %s", user)
		}
		return slices.Contains(c.Names(), "notification")
	})
	c.Close()
	waittest.Until(t, user+" is dropped", there(1))
}

// With Sentinel, messages and presence follow to the new master.
func TestClusterSentinel(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		redis := redistest.StartSentinel(t, "main")
		n := make([]*clusterNode, 2)
		for i := range n {
			n[i] = startNode(t, mode, "REDIS_URL="+redis.URL(), "WS_RATE_LIMIT=0")
		}
		connected(t, n...)
		ann := n[0].device("ann", "r")
		talk(t, ann, n[1], "bob")
		redis.Master.Kill()
		waittest.Until(t, "degraded", func() bool { return n[0].degraded() && n[1].degraded() })
		ask(t, ann, "publish-update", map[string]any{"roomId": "r", "type": "x"})
		ann.Next("update")
		waittest.Until(t, "well", func() bool { return !n[0].degraded() && !n[1].degraded() })
		talk(t, ann, n[1], "eve")
	})
}

// While Redis is flushed, full or refuses connections, the nodes serve their own
// clients, and afterwards they share presence and messages again.
func TestClusterRedisTroubles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		trouble  [][]any
		noticed  bool
		recovers []any
	}{
		{"flushed", [][]any{{"FLUSHALL"}}, false, nil},
		{"out of memory", [][]any{{"CONFIG", "SET", "maxmemory", "1"}}, false, nil},
		{"out of connections", [][]any{
			{"CONFIG", "SET", "maxclients", "1"}, {"CLIENT", "KILL", "TYPE", "normal"}, {"CLIENT", "KILL", "TYPE", "pubsub"},
		}, true, []any{"CONFIG", "SET", "maxclients", "1000"}},
		{"password changed", [][]any{
			{"CONFIG", "SET", "requirepass", "secret"}, {"CLIENT", "KILL", "TYPE", "normal"}, {"CLIENT", "KILL", "TYPE", "pubsub"},
		}, true, []any{"CONFIG", "SET", "requirepass", ""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			modes(t, func(t *testing.T, mode string) {
				redis := redistest.Start(t)
				n := startCluster(t, redis, 2, mode, "WS_RATE_LIMIT=0")
				ann, near := n[0].device("ann", "r", "q"), n[0].device("near", "q")
				talk(t, ann, n[1], "bob")
				admin := redis.Client()
				defer admin.Close()
				conn := admin.Conn() // SKIPME spares this connection
				defer conn.Close()
				do := func(args []any) {
					t.Helper()
					if args[0] == "CLIENT" {
						args = append(args, "SKIPME", "yes")
					}
					if err := conn.Do(t.Context(), args...).Err(); err != nil {
						t.Fatalf("%v: %v", args, err)
					}
				}
				for _, args := range tc.trouble {
					do(args)
				}
				if tc.noticed {
					waittest.Until(t, "degraded", func() bool { return n[0].degraded() && n[1].degraded() })
				}
				for i := range 20 {
					ask(t, ann, "publish-update", map[string]any{"roomId": "q", "type": fmt.Sprint(i)})
					near.Next("update")
				}
				if tc.recovers != nil {
					do(tc.recovers)
				}
				waittest.Until(t, "well", func() bool { return !n[0].degraded() && !n[1].degraded() })
				talk(t, ann, n[1], "eve")
			})
		})
	}
}

// logBook records the log of a node.
type logBook struct {
	mu    sync.Mutex
	lines []string
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(b))
	return len(b), nil
}

// has reports whether a single line contains all texts.
func (l *logBook) has(texts ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			return true
		}
	}
	return false
}
