package clienttests_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/puente-io/puente/clienttests/burst"
	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/cluster/redistest"
)

// In a burst, members on every transport receive all messages in order, even if
// they read slowly, pause, are between two polls or upgrade, and each publish is
// acknowledged.
func TestBursts(t *testing.T) {
	one := startNode(t, "WS_RATE_LIMIT=0", "SHUTDOWN_TIMEOUT=400")
	for name, b := range map[string]burst.Burst{
		"small messages": {Publishers: 2, Messages: 1000, Size: 500, Members: 12, Paused: 3, Pause: time.Second},
		"1 MB":           {Publishers: 1, Messages: 100, Size: 12_000, Members: 60, Paused: 6, Pause: time.Second},
		"5 MB":           {Publishers: 2, Messages: 40, Size: 66_000, Members: 9, Slow: 3, SlowRate: 4_000_000, Paused: 3, Pause: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			b.Publish, b.Nodes = one.url, []string{one.url}
			runBurst(t, b)
		})
	}
}

// As TestBursts, with the publishers on another node.
func TestBurstsOverRedis(t *testing.T) {
	server := redistest.Start(t)
	env := []string{"WS_RATE_LIMIT=0", "SHUTDOWN_TIMEOUT=400", "REDIS_URL=" + server.URL()}
	a, b := startNode(t, env...), startNode(t, env...)
	for name, x := range map[string]burst.Burst{
		"small messages": {Publishers: 2, Messages: 1500, Size: 500, Members: 12},
		"5 MB":           {Publishers: 2, Messages: 40, Size: 66_000, Members: 9, Slow: 3, SlowRate: 4_000_000, Paused: 3, Pause: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			x.Publish, x.Nodes = a.url, []string{b.url}
			runBurst(t, x)
		})
	}
}

func runBurst(t *testing.T, b burst.Burst) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	b.Token = func(user string) string { return token(t, user) }
	b.Room, b.Window, b.Timeout = strings.ReplaceAll(t.Name(), "/", "-"), 16, time.Minute
	res := burst.Run(t, b)
	t.Logf("%d acknowledged in %v, all delivered in %v", res.Acknowledged, res.Published, res.Took)
}

// A member that has stopped reading does not make other members of its node miss
// what other nodes publish: the node keeps reading from Redis fast enough that
// Redis does not disconnect it.
func TestStoppedMemberOverRedis(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const n = 1000 // of 64 KB: more than the node, Redis and the kernel buffer
	server := redistest.Start(t, "--client-output-buffer-limit", "pubsub", "8mb", "8mb", "60")
	env := []string{"WS_RATE_LIMIT=0", "SHUTDOWN_TIMEOUT=400", "REDIS_URL=" + server.URL()}
	a, b := startNode(t, env...), startNode(t, env...)
	publisher := a.device("publisher", "r")
	stopped := b.device("stopped", "r")
	var wrong atomic.Pointer[string]
	got, all := 0, make(chan struct{})
	good := raw.Connect(t, b.url, raw.Options{Auth: map[string]string{"token": token(t, "good")}, OnPacket: func(text string) bool {
		if !strings.HasPrefix(text, `42["update",`) {
			return false
		}
		if want := fmt.Sprintf(`"type":"%d"`, got); !strings.Contains(text[:100], want) {
			wrong.CompareAndSwap(nil, &want)
		}
		if got++; got == n {
			close(all)
		}
		return true
	}})
	ask(t, good, "join-room", "r")
	stopped.Stop()
	payload := `"` + strings.Repeat("x", 64_000) + `"`
	start := time.Now()
	var answers []func() raw.Event
	for i := range n {
		publisher.Clear()
		text := fmt.Sprintf(`{"roomId":"r","type":"%d","payload":%s}`, i, payload)
		if answers = append(answers, publisher.Post("publish-update", json.RawMessage(text))); len(answers) < 32 && i < n-1 {
			continue
		}
		for _, answer := range answers {
			if e := answer(); !strings.Contains(e.Arg(0), `"success":true`) {
				t.Fatalf("publish-update: %s", e.Arg(0))
			}
		}
		answers = nil
	}
	t.Logf("acknowledged after %v", time.Since(start).Round(time.Millisecond))
	select {
	case <-all:
		t.Logf("all received after %v", time.Since(start).Round(time.Millisecond))
	case <-good.Done():
		t.Fatalf("disconnected after %d of %d updates", got, n)
	case <-time.After(time.Minute):
		t.Fatal("timed out waiting for the updates")
	}
	if w := wrong.Load(); w != nil {
		t.Errorf("another update arrived in place of %s", *w)
	}
	if _, stats := b.get("/api/ws/stats"); stats["limits"].(map[string]any)["clusterBuffers"] != 0.0 {
		t.Errorf("Redis has disconnected the node: %v", stats["limits"])
	}
}
