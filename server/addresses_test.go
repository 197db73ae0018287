package server

import (
	"net/netip"
	"testing"
)

// By default a node accepts 1,000 connections and 1,000 handshakes at once from each
// address of the internet, and any number from local addresses and trusted proxies.
func TestAddressDefaults(t *testing.T) {
	n := start(t, env{"TRUSTED_PROXIES": "127.0.0.1, 198.51.100.0/24", "WS_MAX_HANDSHAKES_PER_SECOND": "5000", "SHUTDOWN_TIMEOUT": "100"})
	opts := n.SocketIO().Engine().Options()
	if opts.MaxSessionsPerAddress != 1000 || opts.MaxHandshakesPerAddress != 200 || opts.HandshakeBurstPerAddress != 1000 {
		t.Errorf("%d connections, %d handshakes, burst %d", opts.MaxSessionsPerAddress, opts.MaxHandshakesPerAddress, opts.HandshakeBurstPerAddress)
	}
	for i := range 1000 {
		if status, body := n.open("203.0.113.1"); status != 200 {
			t.Fatalf("connection %d: %d %s", i, status, body)
		}
	}
	for range 200 {
		if status, body := n.open("203.0.113.1"); status != 429 || body != `{"code":4,"message":"Too many connections from this address"}` {
			t.Fatalf("one too many: %d %s", status, body)
		}
	}
	for _, other := range []string{"", "127.0.0.1", "10.0.0.1", "203.0.113.2", "2001:db8::1", "198.51.100.7"} {
		if status, body := n.open(other); status != 200 {
			t.Errorf("%q: %d %s", other, status, body)
		}
	}
	n.wantLimits(map[string]int{"connectionsPerAddress": 200})
}

func TestMaxHandshakesPerAddress(t *testing.T) {
	n := start(t, env{"WS_MAX_HANDSHAKES_PER_ADDRESS": "1", "TRUSTED_PROXIES": "127.0.0.1", "SHUTDOWN_TIMEOUT": "100"})
	for _, client := range []string{"203.0.113.1", "10.0.0.1", "2001:db8::1"} { // a limit that was set holds for private addresses too
		in, refused := 0, 0
		for range 50 { // fast enough for most to be refused
			switch status, body := n.open(client); {
			case status == 200:
				in++
			case status == 429 && body == `{"code":4,"message":"Too many handshakes from this address"}`:
				refused++
			default:
				t.Errorf("%s: %d %s", client, status, body)
			}
		}
		if in < 5 || refused == 0 {
			t.Errorf("%s: %d got in, %d were refused", client, in, refused)
		}
	}
	if got := n.limits(); got["handshakesPerAddress"] == 0 || len(got) != 1 {
		t.Errorf("counted %v", got)
	}
}

// If only one of the two limits was set, the other one still exempts local addresses.
func TestAddressLimitsAreSetApart(t *testing.T) {
	n := start(t, env{"WS_MAX_CONNECTIONS_PER_ADDRESS": "2000", "SHUTDOWN_TIMEOUT": "100"})
	exempt := n.SocketIO().Engine().Options().ExemptAddress
	if sessions, handshakes := exempt(netip.MustParseAddr("127.0.0.1")); sessions || !handshakes {
		t.Errorf("exempt from %v, %v", sessions, handshakes)
	}
	if sessions, handshakes := exempt(netip.MustParseAddr("203.0.113.1")); sessions || handshakes {
		t.Errorf("an address of the internet is exempt from %v, %v", sessions, handshakes)
	}
}

func TestIsLocalAddress(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1": true, "127.255.0.1": true, "::1": true, "10.9.9.9": true, "172.16.0.1": true, "172.31.255.255": true, "192.168.0.1": true,
		"169.254.1.1": true, "fe80::1": true, "fd12::1": true, "fc00::1": true, "100.64.0.1": true, "100.127.255.255": true, "0.0.0.0": true,
		"172.32.0.1": false, "100.128.0.1": false, "11.0.0.1": false, "203.0.113.1": false, "2001:db8::1": false, "ff02::1": false, "fec0::1": false,
		"64:ff9b::7f00:1": false,
	} {
		if got := isLocalAddress(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if !isLocalAddress(netip.Addr{}) {
		t.Error("the peer of a Unix socket is not local")
	}
}

// A client that keeps sending events that are refused is disconnected after 20 times
// the rate limit, or never if there is no limit.
func TestRefusedEventsEnd(t *testing.T) {
	n := start(t, env{"WS_RATE_LIMIT": "2", "SHUTDOWN_TIMEOUT": "100"})
	c := n.device("ana")
	for range 2 + 40 {
		c.Ask("join-room", "r")
	}
	c.Emit("join-room", "r")
	c.Ended()
	if got := n.limits(); got["refusedEvents"] != 1 || got["userEvents"] != 41 {
		t.Errorf("counted %v", got)
	}
	n.device("ben").Ask("ping")

	n = start(t, env{"WS_RATE_LIMIT": "0", "SHUTDOWN_TIMEOUT": "100"})
	c = n.device("ana")
	for range 3000 {
		c.Emit("join-room", "")
	}
	c.Ask("ping")
	if got := n.limits(); got["refusedEvents"]+got["userEvents"] > 0 {
		t.Errorf("counted %v without a limit", got)
	}
}

// The same holds for refused CONNECTs: 20 times the rate limit, or never if there is none.
func TestRefusedConnectsEnd(t *testing.T) {
	n := start(t, env{"WS_RATE_LIMIT": "2", "SHUTDOWN_TIMEOUT": "100"})
	c := n.device("ana")
	for range 40 {
		c.Send("40/nope,")
	}
	c.Ask("ping")
	c.Send("40/nope,")
	if kicked := c.Ended(); kicked {
		t.Error("the client got DISCONNECT, and does not come back by itself")
	}
	if got := n.limits(); got["refusedConnects"] != 1 {
		t.Errorf("counted %v", got)
	}
	n.device("ben").Ask("ping")

	n = start(t, env{"WS_RATE_LIMIT": "0", "SHUTDOWN_TIMEOUT": "100"})
	c = n.device("ana")
	for range 3000 {
		c.Send("40/nope,")
	}
	c.Ask("ping")
	if got := n.limits(); len(got) > 0 {
		t.Errorf("counted %v without a limit", got)
	}
}
