package clienttests_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/waittest"
)

// The process of a node is suspended until Redis cuts it off. When it resumes, its health
// says that it may have missed messages, and it serves as before, even with
// REDIS_REQUIRED.
func TestClusterGap(t *testing.T) {
	modes(t, func(t *testing.T, mode string) {
		redis := redistest.Start(t, "--client-output-buffer-limit", "pubsub", "1mb", "1mb", "60")
		env := []string{mode, "REDIS_URL=" + redis.URL(), "WS_RATE_LIMIT=0"}
		there := startProcess(t, env...)
		stopped := startProcess(t, append(env, "REDIS_REQUIRED=true")...)
		connected(t, there, stopped)
		publisher, member := there.device("publisher", "r"), stopped.device("member", "r")
		stopped.signal(syscall.SIGSTOP)
		payload := `"` + strings.Repeat("x", 100_000) + `"`
		publish := func(n int) {
			ask(t, publisher, "publish-update", json.RawMessage(fmt.Sprintf(`{"roomId":"r","type":"%d","payload":%s}`, n, payload)))
		}
		all := redis.Subscribers()
		for i := 0; redis.Subscribers() == all; i++ { // until Redis cuts the node off, after some 5 MB
			if i == 300 {
				t.Fatal("Redis has not cut the node off")
			}
			publish(i)
		}
		stopped.signal(syscall.SIGCONT)
		gaps := func(n *clusterNode) float64 {
			_, body := n.get("/api/ws/stats")
			count, _ := body["limits"].(map[string]any)["clusterGaps"].(float64)
			return count
		}
		waittest.Until(t, "a gap is counted", func() bool { return gaps(stopped) > 0 })
		waittest.Until(t, "health says what has happened", func() bool {
			status, body := stopped.get("/api/ws/health")
			d, _ := body["degraded"].(map[string]any)
			return status == 200 && d["connected"] == true && strings.HasPrefix(fmt.Sprint(d["reason"]), "messages of other nodes may have been lost: ")
		})
		if status, body := stopped.get("/readyz"); status != 200 {
			t.Errorf("the node that is back answers %d %v", status, body)
		}
		member.Clear()
		publish(300)
		for !strings.Contains(member.Next("update").Arg(0), `"type":"300"`) {
		}
		if n := gaps(there); n != 0 {
			t.Errorf("the node that was there all the time counts %v gaps", n)
		}
	})
}
