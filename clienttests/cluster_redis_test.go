package clienttests_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/puente-io/puente/clienttests/raw"
	"github.com/puente-io/puente/server/redisadapter/redistest"
)

// Over rediss:// everything works, where SSL_CERT_FILE names the authority; where
// the authority is not believed the node serves its own clients, and says why.
func TestClusterTLS(t *testing.T) {
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
		eventually(t, "the log says why", func() bool {
			ask(t, ann, "publish-update", map[string]any{"roomId": "r", "type": "x"})
			near.Next("update")
			return log.has("messages have not reached the other nodes", "certificate signed by unknown authority") &&
				log.has("cluster degraded", `"part":"messages"`, "certificate signed by unknown authority") &&
				log.has("cluster degraded", `"part":"presence"`)
		})
		if !n.degraded() {
			t.Error("not degraded")
		}
	})
}

// talk has a user come to n, and go, and waits until ann on another node, the
// only one in the room, sees it and has been heard there meanwhile.
func talk(t *testing.T, ann *raw.Client, n *clusterNode, user string) {
	t.Helper()
	there := func(total int) func() bool {
		return func() bool { return ask(t, ann, "join-room", "r").Total == total }
	}
	c := n.device(user, "r")
	eventually(t, user+" is seen", there(2))
	eventually(t, user+" gets an update", func() bool {
		ask(t, ann, "publish-update", map[string]any{"roomId": "r", "type": "x"})
		return slices.Contains(c.Names(), "update")
	})
	eventually(t, user+" gets a notification", func() bool {
		if !notify(t, ann, user) {
			t.Errorf("not delivered to %s", user)
		}
		return slices.Contains(c.Names(), "notification")
	})
	c.Close()
	eventually(t, user+" is seen gone", there(1))
}

// With a Sentinel the nodes follow to the new master, messages and presence.
func TestClusterSentinel(t *testing.T) {
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
		eventually(t, "degraded", func() bool { return n[0].degraded() && n[1].degraded() })
		ask(t, ann, "publish-update", map[string]any{"roomId": "r", "type": "x"})
		ann.Next("update")
		eventually(t, "well", func() bool { return !n[0].degraded() && !n[1].degraded() })
		talk(t, ann, n[1], "eve")
	})
}

// What happens to Redis short of its end: the nodes notice or not, serve their
// own clients meanwhile, and are together afterwards.
func TestClusterRedisTroubles(t *testing.T) {
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
				conn := admin.Conn() // which is not killed with the others
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
					eventually(t, "degraded", func() bool { return n[0].degraded() && n[1].degraded() })
				}
				for i := range 20 {
					ask(t, ann, "publish-update", map[string]any{"roomId": "q", "type": fmt.Sprint(i)})
					near.Next("update")
				}
				if tc.recovers != nil {
					do(tc.recovers)
				}
				eventually(t, "well", func() bool { return !n[0].degraded() && !n[1].degraded() })
				talk(t, ann, n[1], "eve")
			})
		})
	}
}

// logBook keeps what a node logs.
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

// has reports whether one line has all of the texts.
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
