package server

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/compat/raw"
)

func TestClientAddr(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("192.0.2.7/32")}
	const peer = "10.0.0.1"
	for _, tc := range []struct {
		name, peer string
		header     []string
		want       string
	}{
		{"nothing", peer, nil, peer},
		{"empty", peer, []string{""}, peer},
		{"one", peer, []string{"203.0.113.9"}, "203.0.113.9"},
		{"what the client wrote", peer, []string{"127.0.0.1, 10.9.9.9, 203.0.113.9"}, "203.0.113.9"},
		{"through two", peer, []string{"198.51.100.1, 203.0.113.9,192.0.2.7"}, "203.0.113.9"},
		{"a line for each proxy", peer, []string{"198.51.100.1", "203.0.113.9", "10.0.0.2"}, "203.0.113.9"},
		{"all trusted", peer, []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"nobody to trust", "203.0.113.1", []string{"198.51.100.1"}, "203.0.113.1"},
		{"trusted by its IPv4 address", "::ffff:10.0.0.1", []string{"203.0.113.9"}, "203.0.113.9"},
		{"mapped", peer, []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"IPv6", "fd00::1", []string{"2001:db8::9"}, "2001:db8::9"},
		{"IPv6 in brackets", peer, []string{"[2001:db8::9]"}, "2001:db8::9"},
		{"IPv6 and port", peer, []string{"[2001:db8::9]:4711"}, "2001:db8::9"},
		{"IPv4 and port", peer, []string{"203.0.113.9:4711"}, "203.0.113.9"},
		{"zone", peer, []string{"fe80::9%eth0"}, "fe80::9"},
		{"zone and port", peer, []string{"[fe80::9%eth0]:4711"}, "fe80::9"},
		{"zone of 30 kB", peer, []string{"fe80::9%" + strings.Repeat("z", 30_000)}, "fe80::9"},
		{"zone on a trusted one", peer, []string{"203.0.113.9, fd00::2%eth0"}, "203.0.113.9"},
		{"not an address", peer, []string{"203.0.113.9, unknown"}, peer},
		{"a name", peer, []string{"client.example"}, peer},
		{"trailing comma", peer, []string{"203.0.113.9,"}, peer},
		{"only commas", peer, []string{strings.Repeat(",", 30_000)}, peer},
		{"leading zeros", peer, []string{"203.0.113.009"}, peer},
		{"a million", peer, []string{strings.Repeat("198.51.100.1,", 1_000_000) + "203.0.113.9"}, "203.0.113.9"},
	} {
		if got := clientAddr(trusted, netip.MustParseAddr(tc.peer), tc.header); got.String() != tc.want {
			t.Errorf("%s: %v, want %s", tc.name, got, tc.want)
		}
	}
	million := []string{strings.Repeat("198.51.100.1,", 1_000_000) + "203.0.113.9"}
	if n := testing.AllocsPerRun(10, func() { clientAddr(trusted, netip.MustParseAddr(peer), million) }); n > 0 {
		t.Errorf("%v allocations for a list of a million", n)
	}
}

// open opens a session by polling as a client behind a proxy.
func (n *node) open(forwarded string) (status int, body string) {
	n.t.Helper()
	status, body, _ = n.do("GET", polling, "", "X-Forwarded-For: "+forwarded)
	return status, body
}

// until asks the node for its limits until a condition holds.
func (n *node) until(what string, so func() bool) {
	n.t.Helper()
	for end := time.Now().Add(raw.Timeout); !so(); n.do("GET", "/healthz", "") {
		if time.Now().After(end) {
			n.t.Fatalf("%s: never", what)
		}
	}
}

// limits returns the counts of the limits that are not 0.
func (n *node) limits() map[string]int {
	n.t.Helper()
	_, body, _ := n.do("GET", "/api/ws/stats", "")
	var stats struct{ Limits map[string]int }
	if err := json.Unmarshal([]byte(body), &stats); err != nil {
		n.t.Fatal(err)
	}
	for name, count := range stats.Limits {
		if count == 0 {
			delete(stats.Limits, name)
		}
	}
	return stats.Limits
}

func (n *node) wantLimits(want map[string]int) {
	n.t.Helper()
	got := n.limits()
	for name, count := range want {
		if got[name] != count {
			n.t.Errorf("%s: %d, want %d", name, got[name], count)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		n.t.Errorf("counted too: %v", got)
	}
}

func TestMaxConnections(t *testing.T) {
	n := start(t, env{"WS_MAX_CONNECTIONS": "2", "SHUTDOWN_TIMEOUT": "100"})
	a, b := n.device("ana"), n.device("ben")
	if status, body, _ := n.do("GET", polling, ""); status != 503 || body != `{"code":4,"message":"Too many connections"}` {
		t.Errorf("one too many: %d %s", status, body)
	}
	a.Ask("ping")
	b.Close()
	n.until("the server has seen it", func() bool { return n.SocketIO().Engine().Count() == 1 })
	n.device("clara")
	n.wantLimits(map[string]int{"connections": 1})
}

// Behind a trusted proxy the limits count by the client's own address, and not by an
// address that the client wrote into a header.
func TestMaxConnectionsPerAddress(t *testing.T) {
	n := start(t, env{"WS_MAX_CONNECTIONS_PER_ADDRESS": "2", "TRUSTED_PROXIES": "127.0.0.1", "SHUTDOWN_TIMEOUT": "100"})
	for _, tc := range []struct {
		forwarded string
		status    int
	}{
		{"203.0.113.1", 200},
		{"203.0.113.1", 200},
		{"203.0.113.1", 429},
		{"198.51.100.1, 203.0.113.1", 429},
		{"127.0.0.1, 203.0.113.1", 429},
		{"::ffff:203.0.113.1", 429},
		{"203.0.113.1, 203.0.113.2", 200},
		{"2001:db8::1", 200},
		{"[2001:db8::2]:4711", 200},
		{"2001:db8::3", 429},
		{"2001:db8:0:1::1", 200},
		{"nonsense", 200}, // counts as the proxy's
		{"more nonsense", 200},
		{"", 429},
	} {
		if status, body := n.open(tc.forwarded); status != tc.status ||
			status == 429 && body != `{"code":4,"message":"Too many connections from this address"}` {
			t.Errorf("%q: %d %s, want %d", tc.forwarded, status, body, tc.status)
		}
	}
	n.wantLimits(map[string]int{"connectionsPerAddress": 6})
}

func TestMaxHandshakesPerSecond(t *testing.T) {
	n := start(t, env{"WS_MAX_HANDSHAKES_PER_SECOND": "1"})
	refused := 0
	for range 50 { // fast enough for the second to be refused
		if status, _, h := n.do("GET", polling, ""); status == 429 && h.Get("Retry-After") == "1" {
			refused++
		}
	}
	if refused == 0 {
		t.Error("all get in")
	}
	n.wantLimits(map[string]int{"handshakes": refused})
}

func TestLimitsAreSet(t *testing.T) {
	n := start(t, env{
		"WS_MAX_SOCKETS_PER_USER": "1", "WS_MAX_ROOMS_PER_SOCKET": "1", "WS_MAX_ATTACHMENTS": "1", "WS_MAX_ARGUMENTS": "3", "WS_CONNECT_TIMEOUT": "100",
		"WS_MAX_QUEUE_BYTES": "70000", "WS_MAX_BACKLOG_BYTES": "80000", "WS_MAX_TOTAL_QUEUE_BYTES": "90000", "WS_SLOW_TIMEOUT": "1000",
		"SHUTDOWN_TIMEOUT": "100",
	})
	c := n.device("ana")
	if _, refusal := raw.Try(t, n.url, raw.Options{Auth: map[string]string{"token": n.token("ana")}}); !strings.Contains(refusal, "rate_limited") {
		t.Errorf("a second socket: %s", refusal)
	}
	c.Ask("join-room", "a")
	if a := c.Ask("join-room", "b"); !strings.Contains(a.Arg(0), "1 rooms at most") {
		t.Errorf("a second room: %s", a.Arg(0))
	}
	ben := n.device("ben")
	ben.Send(`452-["x"]`)
	ben.Ended()
	carl := n.device("carl")
	carl.Send(`42["x",1,2,3,4]`)
	carl.Next("error")
	opts := n.SocketIO().Engine().Options()
	if opts.MaxQueueBytes != 70_000 || opts.MaxBacklogBytes != 80_000 || opts.MaxTotalQueueBytes != 90_000 || opts.SlowTimeout != time.Second {
		t.Errorf("queues of %d, %d and %d bytes for %v", opts.MaxQueueBytes, opts.MaxBacklogBytes, opts.MaxTotalQueueBytes, opts.SlowTimeout)
	}
	n.do("GET", polling, "") // and no CONNECT
	n.until("the connect timeout", func() bool { return n.limits()["connectTimeouts"] > 0 })
	got := n.limits()
	if got["socketsPerUser"] != 1 || got["roomsPerSocket"] != 1 || got["attachments"] != 1 || got["arguments"] != 1 {
		t.Errorf("counted %v", got)
	}
}

// WS_PER_MESSAGE_DEFLATE and what belongs to it reach the engine. 0 is a threshold.
func TestPerMessageDeflate(t *testing.T) {
	opts := start(t, env{}).SocketIO().Engine().Options()
	if opts.PerMessageDeflate || opts.PerMessageDeflateThreshold != 1024 || opts.PerMessageDeflateLevel != 1 {
		t.Errorf("by default %v, from %d bytes, level %d", opts.PerMessageDeflate, opts.PerMessageDeflateThreshold, opts.PerMessageDeflateLevel)
	}
	opts = start(t, env{"WS_PER_MESSAGE_DEFLATE": "true", "WS_PER_MESSAGE_DEFLATE_THRESHOLD": "0", "WS_PER_MESSAGE_DEFLATE_LEVEL": "9"}).SocketIO().Engine().Options()
	if !opts.PerMessageDeflate || opts.PerMessageDeflateThreshold > 0 || opts.PerMessageDeflateLevel != 9 {
		t.Errorf("got %v, from %d bytes, level %d", opts.PerMessageDeflate, opts.PerMessageDeflateThreshold, opts.PerMessageDeflateLevel)
	}
}

// WS_MAX_ATTACHMENTS and WS_MAX_HTTP_BUFFER_SIZE bound what a client can send to others.
// An attachment counts once for each placeholder that names it.
func TestReferencesAreBounded(t *testing.T) {
	n := start(t, env{"WS_MAX_HTTP_BUFFER_SIZE": "2000"})
	ana, ben := n.device("ana"), n.device("ben")
	ana.Ask("join-room", "r")
	ben.Ask("join-room", "r")
	publish := func(places int, attachments ...[]byte) {
		list := make([]string, places)
		for i := range list {
			list[i] = fmt.Sprintf(`{"_placeholder":true,"num":%d}`, i%len(attachments))
		}
		payload := fmt.Sprintf(`{"roomId":"r","type":"%d","payload":[%s]}`, places, strings.Join(list, ","))
		ana.Packet(fmt.Sprintf(`45%d-["publish-update",%s]`, len(attachments), payload), attachments...)
	}
	for _, tc := range []struct {
		places, size int
		message      string
	}{
		{11, 1, "attachments must be at most 10, counted at each place that names one"},
		{3, 700, "attachments must have at most 2000 bytes, counted at each place that names one"},
	} {
		publish(tc.places, make([]byte, tc.size))
		if e := ana.Next("error"); !strings.Contains(e.Arg(1), `"code":"invalid","message":"`+tc.message+`"`) {
			t.Errorf("%d places: %s", tc.places, e.Args)
		}
	}
	publish(2, make([]byte, 1001), make([]byte, 1000))
	ana.Next("error")
	publish(2, make([]byte, 1000))
	if e := ben.Next("update"); !strings.Contains(e.Arg(0), `"type":"2"`) || len(e.Attachments) != 1 {
		t.Errorf("got %s with %d attachments", e.Args, len(e.Attachments))
	}
	n.wantLimits(map[string]int{"references": 3})
}

// 0 turns a limit off.
func TestLimitsZero(t *testing.T) {
	n := start(t, env{"WS_MAX_SOCKETS_PER_USER": "0", "WS_MAX_ROOMS_PER_SOCKET": "0", "WS_RATE_LIMIT": "0", "SHUTDOWN_TIMEOUT": "100"})
	c := n.device("ana")
	n.device("ana")
	for _, room := range []string{"a", "b"} {
		if a := c.Ask("join-room", room); !strings.Contains(a.Arg(0), `"success":true`) {
			t.Errorf("room %s: %s", room, a.Arg(0))
		}
	}
	n.wantLimits(nil)
}
