package clienttests_test

import (
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/clienttests/burst"
	"github.com/puente-io/puente/server/redisadapter/redistest"
)

// Bursts to members of all transports: all who read get all, in order, however
// slowly they read, also those that pause, are between two polls or upgrade; and
// each publication is acknowledged.
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

// The same from another node.
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
