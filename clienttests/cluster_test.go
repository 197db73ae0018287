package clienttests_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/waittest"
)

func TestMain(m *testing.M) {
	if os.Getenv(nodeVariable) != "" {
		os.Exit(runNode())
	}
	os.Exit(m.Run())
}

// modes runs a test with each Redis adapter.
func modes(t *testing.T, test func(t *testing.T, mode string)) {
	for _, mode := range []string{"classic", "sharded"} {
		t.Run(mode, func(t *testing.T) { test(t, "REDIS_ADAPTER="+mode) })
	}
}

func TestClusterNotification(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		n := startCluster(t, redistest.Start(t), 2, mode)
		ann := n[0].device("ann")
		phone, laptop := n[1].device("bob"), n[1].device("bob")
		waittest.Until(t, "node 0 sees bob", func() bool { return n[0].users() == 2 })
		if !notify(t, ann, "bob") {
			t.Error("not delivered to a user on another node")
		}
		for _, c := range []*raw.Client{phone, laptop} {
			if got := text(c.Next("notification")); !strings.Contains(got, `"title":"hello"`) || !strings.Contains(got, `"from":"ann"`) {
				t.Errorf("got %s", got)
			}
		}
		phone.Close()
		laptop.Close()
		waittest.Until(t, "node 0 drops bob", func() bool { return n[0].users() == 1 })
		if notify(t, ann, "bob") {
			t.Error("delivered to a user that has disconnected")
		}
	})
}

// A client whose join was acknowledged, or that has received authenticated, misses
// nothing that any node publishes after that.
func TestClusterJoinMissesNothing(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		n := startCluster(t, redistest.Start(t), 2, mode, "WS_RATE_LIMIT=0")
		ann, bob := n[0].device("ann"), n[1].device("bob")
		for i := range 100 {
			room := fmt.Sprint("r", i)
			ask(t, ann, "join-room", room)
			ask(t, bob, "join-room", room)
			ask(t, ann, "publish-update", map[string]any{"roomId": room, "type": room})
		}
		for i := range 100 {
			var u struct{ Type string }
			if json.Unmarshal([]byte(bob.Next("update").Arg(0)), &u); u.Type != fmt.Sprint("r", i) {
				t.Fatalf("update %s, want r%d", u.Type, i)
			}
		}
		for i := range 20 {
			user := fmt.Sprint("u", i)
			device := n[1].device(user)
			notify(t, ann, user)
			device.Next("notification")
		}
	})
}

// A user with devices on two nodes joins once and leaves once for members on every
// node.
func TestClusterRoomsCountUsers(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		n := startCluster(t, redistest.Start(t), 3, mode)
		var members []*raw.Client
		for i, node := range n {
			members = append(members, node.device(fmt.Sprint("member", i), "r"))
		}
		for _, m := range members {
			waittest.Until(t, "all members have joined", func() bool { return ask(t, m, "join-room", "r").Total == 3 })
		}
		forget(t, members)

		phone := n[0].device("bob", "r")
		for _, m := range members {
			if got := text(m.Next("user-joined")); got != `{"userId":"bob","roomId":"r"}` {
				t.Errorf("user-joined %s", got)
			}
			if got := text(m.Next("user-presence")); got != `{"userId":"bob","roomId":"r","status":"online"}` {
				t.Errorf("user-presence %s", got)
			}
		}
		waittest.Until(t, "node 1 sees bob", func() bool { return ask(t, members[1], "join-room", "r").Total == 4 })
		laptop := n[1].device("bob")
		joined := ask(t, laptop, "join-room", "r")
		slices.Sort(joined.Users)
		if want := []string{"bob", "member0", "member1", "member2"}; !slices.Equal(joined.Users, want) || joined.Total != 4 {
			t.Errorf("users %v of %d, want %v", joined.Users, joined.Total, want)
		}
		quiet(t, members)

		waittest.Until(t, "node 0 sees both", func() bool { return n[0].users() == 4 })
		ask(t, phone, "leave-room", "r")
		quiet(t, members)
		laptop.Close()
		for _, m := range members {
			if got := text(m.Next("user-left")); got != `{"userId":"bob","roomId":"r"}` {
				t.Errorf("user-left %s", got)
			}
			m.Next("user-presence")
		}
		quiet(t, members)
	})
}

// quiet checks that the members have no unread events.
func quiet(t *testing.T, members []*raw.Client) {
	t.Helper()
	flush(t, members)
	for i, m := range members {
		if names := m.Names(); len(names) > 0 {
			t.Errorf("member %d got %v", i, names)
		}
	}
	forget(t, members)
}

// forget drops the unread events of the members.
func forget(t *testing.T, members []*raw.Client) {
	t.Helper()
	flush(t, members)
	for _, m := range members {
		m.Clear()
	}
}

// flush sends an update from each member to all. When all have received it, they
// have also received what the nodes announced before.
func flush(t *testing.T, members []*raw.Client) {
	t.Helper()
	for _, from := range members {
		ask(t, from, "publish-update", map[string]any{"roomId": "r", "type": "flush"})
		for _, m := range members {
			m.Next("update")
		}
	}
}

func TestClusterNodeKilled(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	n := startCluster(t, redis, 2)
	victim := startProcess(t, "REDIS_URL="+redis.URL())
	ann, cat := n[0].device("ann", "r"), n[1].device("cat", "r")
	both := n[0].device("both", "r")
	victim.device("bob", "r")
	victim.device("both", "r")
	for _, c := range []*raw.Client{ann, cat} {
		waittest.Until(t, "bob has joined", func() bool { return ask(t, c, "join-room", "r").Total == 4 })
	}
	forget(t, []*raw.Client{ann, cat})
	victim.kill()
	killed := time.Now()
	for _, c := range []*raw.Client{ann, cat} {
		if got := text(c.Next("user-left")); got != `{"userId":"bob","roomId":"r"}` {
			t.Errorf("user-left %s", got)
		}
		c.Next("user-presence")
	}
	// The limit is twice the promised 10 s, for a busy machine.
	took := time.Since(killed)
	t.Logf("user-left after %v", took.Round(10*time.Millisecond))
	if took > 20*time.Second {
		t.Errorf("user-left after %v", took)
	}
	quiet(t, []*raw.Client{ann, cat})
	if a := ask(t, ann, "join-room", "r"); a.Total != 3 {
		t.Errorf("%d users in the room, want 3", a.Total)
	}
	if notify(t, ann, "bob") {
		t.Error("delivered to a user of the killed node")
	}
	if !notify(t, cat, "both") {
		t.Error("not delivered to a user with another device")
	}
	both.Next("notification")
}

// Nodes are replaced one after the other, and their clients reconnect to the others.
func TestClusterRollingRestart(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	nodes := startCluster(t, redis, 2)
	witness := nodes[1].device("witness", "r")
	for i := range 10 {
		nodes[0].device(fmt.Sprint("u", i), "r")
	}
	waittest.Until(t, "all have joined", func() bool { return ask(t, witness, "join-room", "r").Total == 11 })
	nodes[0].stop()
	for range 10 {
		witness.Next("user-left")
	}
	next := startNode(t, "REDIS_URL="+redis.URL())
	waittest.Until(t, "the new node is connected", func() bool { return !next.degraded() })
	var members []*raw.Client
	for i := range 10 {
		members = append(members, next.device(fmt.Sprint("u", i), "r"))
	}
	waittest.Until(t, "all are back", func() bool { return ask(t, witness, "join-room", "r").Total == 11 })
	witness.Close()
	waittest.Until(t, "the witness is dropped", func() bool { return ask(t, members[0], "join-room", "r").Total == 10 })
	nodes[1].stop()
	last := startNode(t, "REDIS_URL="+redis.URL())
	late := last.device("late")
	waittest.Until(t, "the last node sees all", func() bool { return ask(t, late, "join-room", "r").Total == 11 })
	if !notify(t, late, "u3") {
		t.Error("not delivered")
	}
	members[3].Next("notification")
}

func TestClusterHealth(t *testing.T) {
	t.Parallel()
	redis := redistest.New(t)
	ready := func(n *clusterNode) bool { // after a start a node first waits for the other nodes' state
		status, _ := n.get("/readyz")
		return status == http.StatusOK
	}
	n := startNode(t, "REDIS_URL="+redis.URL())
	strict := startNode(t, "REDIS_URL="+redis.URL(), "REDIS_REQUIRED=true")
	ill := func(what string) {
		t.Helper()
		waittest.Until(t, what+": degraded", func() bool { return n.degraded() && strict.degraded() && ready(n) })
		for _, path := range []string{"/readyz", "/api/ws/health"} {
			status, body := n.get(path)
			reason, _ := body["degraded"].(map[string]any)
			since, err := time.Parse(time.RFC3339, fmt.Sprint(reason["since"]))
			if status != http.StatusOK || fmt.Sprint(reason["reason"]) == "" || err != nil || time.Since(since) > time.Minute {
				t.Errorf("%s: %s answers %d %v", what, path, status, body)
			}
			if status, body := strict.get(path); status != http.StatusServiceUnavailable || fmt.Sprint(body["reason"]) == "" {
				t.Errorf("%s: with REDIS_REQUIRED %s answers %d %v", what, path, status, body)
			}
		}
	}
	well := func(what string) {
		t.Helper()
		waittest.Until(t, what+": well", func() bool { return !n.degraded() && !strict.degraded() && ready(strict) })
		for _, path := range []string{"/readyz", "/api/ws/health"} {
			if status, body := strict.get(path); status != http.StatusOK {
				t.Errorf("%s: %s answers %d %v", what, path, status, body)
			}
		}
	}
	ill("Redis not started")
	redis.Up()
	well("Redis started")
	redis.Kill()
	ill("Redis killed")
	redis.Up()
	well("Redis restarted")
	redis.Pause()
	ill("Redis paused")
	redis.Resume()
	well("Redis resumed")
}

// While Redis is paused, each publish is answered within a bound: with success, or
// with unavailable if the queue for Redis is full.
func TestClusterRedisPaused(t *testing.T) {
	redis := redistest.Start(t)
	n := startCluster(t, redis, 2, "WS_RATE_LIMIT=0")
	ann, near := n[0].device("ann", "r"), n[0].device("near", "r")
	payload := `"` + strings.Repeat("x", 900_000) + `"`
	redis.Pause()
	defer redis.Resume()
	const updates = 24 // more than the queue holds
	start := time.Now()
	for i := range updates {
		before := time.Now()
		a := parseAnswer(t, ann.Ask("publish-update", json.RawMessage(fmt.Sprintf(`{"roomId":"r","type":"%d","payload":%s}`, i, payload))))
		if took := time.Since(before); took > raw.Timeout {
			t.Errorf("update %d was answered after %v", i, took)
		}
		if !a.Success && a.Error.Code != "unavailable" {
			t.Errorf("update %d: error %s", i, a.Error.Code)
		}
		if got := near.Next("update").Arg(0); !strings.Contains(got[:100], fmt.Sprintf(`"type":"%d"`, i)) {
			t.Errorf("near got update %.100s, want %d", got, i)
		}
		ann.Clear()
	}
	t.Logf("%d updates of %d bytes in %v", updates, len(payload), time.Since(start).Round(time.Millisecond))
	redis.Resume()
	far := n[1].device("far")
	waittest.Until(t, "the nodes have rejoined", func() bool { return ask(t, far, "join-room", "r").Total == 3 })
}
