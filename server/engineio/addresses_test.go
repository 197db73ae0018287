package engineio

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"
)

// tryFrom tries to open n sessions from an address, closes each at once, and returns how
// many were accepted.
func tryFrom(srv *Server, sessions chan *recorder, peer string, n int) (in int) {
	for range n {
		if status, _, _ := openFrom(srv, peer); status == 200 {
			in++
			(<-sessions).session.close(ReasonForcedClose, nil)
		}
	}
	return in
}

func TestMaxHandshakesPerAddress(t *testing.T) {
	opts := Options{MaxHandshakesPerAddress: 4, HandshakeBurstPerAddress: 10, MaxHandshakesPerSecond: 1000}
	inBubble(t, opts, func(t *testing.T, srv *Server, sessions chan *recorder) {
		if in := tryFrom(srv, sessions, "192.0.2.1:1", 50); in != 10 {
			t.Errorf("a burst of %d", in)
		}
		status, body, h := openFrom(srv, "[::ffff:192.0.2.1]:2")
		if status != 429 || body != `{"code":4,"message":"Too many handshakes from this address"}` || h.Get("Retry-After") != "1" {
			t.Errorf("one too many: %d %s %v", status, body, h)
		}
		// Other addresses have limits of their own; a /64 counts as one address.
		if in := tryFrom(srv, sessions, "192.0.2.2:1", 10); in != 10 {
			t.Errorf("another address: %d of 10", in)
		}
		in := 0
		for i := range 20 {
			in += tryFrom(srv, sessions, fmt.Sprintf("[2001:db8::%x]:1", i), 1)
		}
		if in != 10 {
			t.Errorf("of one /64: %d", in)
		}
		time.Sleep(250 * time.Millisecond)
		if in := tryFrom(srv, sessions, "192.0.2.1:1", 50); in != 1 {
			t.Errorf("a quarter of a second later: %d", in)
		}
		time.Sleep(time.Minute)
		if in := tryFrom(srv, sessions, "192.0.2.1:1", 50); in != 10 {
			t.Errorf("a minute later: a burst of %d", in)
		}
		if got := srv.LimitCounts(); got != (LimitCounts{HandshakesPerAddress: 40 + 1 + 10 + 49 + 40}) {
			t.Errorf("counts %+v", got)
		}
	})
}

// What an address has used of its limit is remembered after its sessions have ended, and
// while others are open.
func TestHandshakesOfOpenSessions(t *testing.T) {
	inBubble(t, Options{MaxHandshakesPerAddress: 1, HandshakeBurstPerAddress: 4}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		for range 3 {
			openFrom(srv, "192.0.2.1:1")
		}
		if in := tryFrom(srv, sessions, "192.0.2.1:1", 5); in != 1 {
			t.Errorf("%d more got in", in)
		}
		for len(sessions) > 0 {
			(<-sessions).session.close(ReasonForcedClose, nil)
		}
		if in := tryFrom(srv, sessions, "192.0.2.1:1", 5); in != 0 {
			t.Errorf("%d got in once the sessions were gone", in)
		}
		time.Sleep(2 * time.Second)
		if in := tryFrom(srv, sessions, "192.0.2.1:1", 5); in != 2 {
			t.Errorf("%d got in two seconds later", in)
		}
	})
}

// A request that cannot become a session does not count towards the limit of its address,
// and a request that this limit refuses does not count towards the limit of all.
func TestHandshakeLimitsTakeTurns(t *testing.T) {
	opts := Options{MaxHandshakesPerAddress: 2, HandshakeBurstPerAddress: 2, MaxHandshakesPerSecond: 6, MaxSessionsPerAddress: 2}
	inBubble(t, opts, func(t *testing.T, srv *Server, sessions chan *recorder) {
		bad := wsHeader.Clone()
		bad.Set("Sec-WebSocket-Version", "7")
		for _, tc := range []struct {
			query  string
			header http.Header
		}{
			{"EIO=3&transport=polling", nil}, {"transport=polling", nil}, {"EIO=4&transport=x", nil}, {"EIO=4&transport=websocket", nil},
			{"EIO=4&transport=polling&sid=x", nil}, {"EIO=4&transport=websocket", bad}, {"EIO=3&transport=websocket", wsHeader},
		} {
			for range 20 {
				r := httptest.NewRequest("GET", "/engine.io/?"+tc.query, nil)
				r.RemoteAddr = "192.0.2.1:1"
				if tc.header != nil {
					r.Header = tc.header.Clone()
				}
				w := httptest.NewRecorder()
				if srv.ServeHTTP(w, r); w.Code != 400 {
					t.Errorf("%s: %d %s", tc.query, w.Code, w.Body)
				}
			}
		}
		if in := tryFrom(srv, sessions, "192.0.2.1:1", 100); in != 2 {
			t.Errorf("after bad requests %d of 2 get in", in)
		}
		for i := range 2 {
			if in := tryFrom(srv, sessions, fmt.Sprintf("192.0.2.1%d:1", i), 2); in != 2 {
				t.Errorf("address %d: %d of 2 get in", i, in)
			}
		}
		if got := srv.LimitCounts(); got != (LimitCounts{HandshakesPerAddress: 98, UnsupportedProtocols: 60}) {
			t.Errorf("counts %+v", got)
		}
		// All six handshakes of this second are used up. A refusal for that reason does
		// not count towards the limit of the address.
		if status, body, _ := openFrom(srv, "192.0.2.20:1"); status != 429 || body != `{"code":4,"message":"Too many handshakes"}` {
			t.Errorf("the seventh: %d %s", status, body)
		}
		time.Sleep(334 * time.Millisecond)
		if in := tryFrom(srv, sessions, "192.0.2.20:1", 2); in != 2 {
			t.Errorf("a third of a second later %d of 2 get in", in)
		}
	})
}

func TestExemptAddress(t *testing.T) {
	local := netip.MustParseAddr("127.0.0.1")
	opts := Options{
		MaxHandshakesPerAddress: 3, HandshakeBurstPerAddress: 3, MaxSessionsPerAddress: 1,
		ExemptAddress: func(client netip.Addr) (bool, bool) { return client == local || !client.IsValid(), client == local },
	}
	inBubble(t, opts, func(t *testing.T, srv *Server, sessions chan *recorder) {
		for peer, most := range map[string]int{"127.0.0.1:1": 20, "[::ffff:127.0.0.1]:1": 20, "@": 3, "192.0.2.1:1": 1} {
			in := 0
			for range 20 {
				if status, _, _ := openFrom(srv, peer); status == 200 {
					in++
				}
			}
			if in != most {
				t.Errorf("%s: %d of 20 got in, want %d", peer, in, most)
			}
		}
	})
}

// However many addresses connect, the number of remembered ones is bounded, and they are
// forgotten after a while.
func TestAddressesAreForgotten(t *testing.T) {
	opts := Options{MaxHandshakesPerAddress: 200, AllowRequest: func(*http.Request) error { return errors.New("no") }}
	inBubble(t, opts, func(t *testing.T, srv *Server, _ chan *recorder) {
		a := &srv.admission
		most := 0
		for i := range 100_000 {
			// No session is opened, so only the handshake is remembered, for 5 ms.
			at := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(i >> 16), byte(i >> 8), byte(i)})
			openFrom(srv, netip.AddrPortFrom(at, 1).String())
			most = max(most, len(a.addresses.resting)+len(a.addresses.rested))
		}
		if most < maxResting/2 || most > 2*maxResting {
			t.Errorf("%d addresses were kept", most)
		}
		for range 2 {
			time.Sleep(5 * time.Second) // a burst
			openFrom(srv, "192.0.2.1:1")
		}
		if n := len(a.addresses.resting) + len(a.addresses.rested) + len(a.addresses.open); n > 2 {
			t.Errorf("%d addresses are kept", n)
		}
	})
}
