package engineio

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/engineio/internal/wsframe"
	"github.com/puente-io/puente/server/waittest"
)

func TestMaxSessions(t *testing.T) {
	e := serve(t, Options{MaxSessions: 2, CORS: &CORS{Origins: []string{"*"}}})
	c, _ := e.dial(t, false)
	e.dial(t, true)
	status, body, h := request(t, "GET", e.url+"?EIO=4&transport=polling", nil, nil)
	if status != 503 || body != `{"code":4,"message":"Too many connections"}` || h.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("polling: %d %s %v", status, body, h)
	}
	status, body, _ = request(t, "GET", e.url+"?EIO=4&transport=websocket", wsHeader, nil)
	if status != 503 || body != "Too many connections" {
		t.Errorf("WebSocket: %d %s", status, body)
	}
	c.SendText("still there")
	if got := c.Text(); got != "still there" {
		t.Errorf("got %q", got)
	}
	if got := e.LimitCounts(); got != (LimitCounts{Connections: 2}) {
		t.Errorf("counts %+v", got)
	}
	c.Close()
	waittest.Until(t, "a place is free", func() bool { return e.Count() == 1 })
	e.dial(t, false)
}

// A place becomes free however its session ends, and also if a handshake ends without a
// session.
func TestPlacesComeBack(t *testing.T) {
	e := serve(t, Options{
		MaxSessions: 1, MaxSessionsPerAddress: 1, UpgradeTimeout: 10 * time.Second,
		AllowRequest: func(r *http.Request) error {
			if r.Header.Get("X-Refuse") != "" {
				return errors.New("no")
			}
			return nil
		},
		InitialHeaders: func(_ http.Header, r *http.Request) {
			if r.Header.Get("X-Panic") != "" {
				panic(http.ErrAbortHandler)
			}
		},
	})
	handshake := func(query string, header http.Header) func() {
		return func() {
			r, err := http.NewRequest("GET", e.url+query, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header = header
			tr := new(http.Transport)
			defer tr.CloseIdleConnections()
			if resp, err := tr.RoundTrip(r); err == nil {
				resp.Body.Close()
			}
		}
	}
	broken := wsHeader.Clone()
	broken.Set("Sec-WebSocket-Version", "7")
	for _, way := range []struct {
		name string
		use  func()
	}{
		{"closed by a WebSocket's client", func() {
			c, _ := e.dial(t, false)
			c.Close()
		}},
		{"connection reset", func() {
			c, _ := e.dial(t, false)
			c.Break()
		}},
		{"close packet over polling", func() {
			c, _ := e.dial(t, true)
			c.SendPacket("1")
			c.Close()
		}},
		{"closed by the server", func() {
			c, r := e.dial(t, false)
			r.session.Close()
			c.Close()
		}},
		{"closed by the server, upgraded", func() {
			c, r := e.dial(t, true)
			c.Upgrade()
			r.session.Close()
			c.Close()
		}},
		{"slow consumer", func() {
			_, r := e.dial(t, false)
			r.session.overrun()
		}},
		{"not a packet", func() {
			c, _ := e.dial(t, false)
			c.SendPacket("x")
		}},
		{"WebSocket handshake that is none", handshake("?EIO=4&transport=websocket", broken)},
		{"upgrade for polling", handshake("?EIO=4&transport=polling", wsHeader)},
		{"protocol 3", handshake("?EIO=3&transport=polling", nil)},
		{"refused by the program", handshake("?EIO=4&transport=polling", http.Header{"X-Refuse": {"1"}})},
		{"panic of the program", handshake("?EIO=4&transport=polling", http.Header{"X-Panic": {"1"}})},
		{"reset during the handshake", func() { upgradeRequest(t, e, "").Close(); <-e.sessions }},
	} {
		t.Run(way.name, func(t *testing.T) {
			way.use()
			waittest.Until(t, "the place is free", func() bool { return e.places() == 0 })
		})
	}
	for range 2 { // no way above has freed a place twice
		c, _ := e.dial(t, true)
		if status, _, _ := request(t, "GET", e.url+"?EIO=4&transport=polling", nil, nil); status != 429 {
			t.Errorf("the limit does not hold any more: %d", status)
		}
		c.SendPacket("1")
		c.Close()
		waittest.Until(t, "the place is free", func() bool { return e.places() == 0 })
	}
}

// places is how many places are taken.
func (srv *Server) places() int {
	srv.admission.mu.Lock()
	defer srv.admission.mu.Unlock()
	return srv.admission.open
}

// A client that does not answer its ping keeps its place until the ping timeout.
func TestPlaceOfASilentClient(t *testing.T) {
	inBubble(t, Options{MaxSessions: 1}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		pollOnce(srv, "GET", "", "")
		<-sessions
		time.Sleep(45*time.Second - time.Nanosecond)
		if status, _ := pollOnce(srv, "GET", "", ""); status != 503 {
			t.Errorf("before the ping timeout: %d", status)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if status, _ := pollOnce(srv, "GET", "", ""); status != 200 {
			t.Errorf("after it: %d", status)
		}
	})
}

// If many clients connect at once, exactly as many are admitted as there are places.
func TestMaxSessionsAtOnce(t *testing.T) {
	srv := New(Options{MaxSessions: 10}, acceptFuncs(HandlerFuncs{}))
	defer shut(t, srv)
	var in atomic.Int64
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if status, _ := pollOnce(srv, "GET", "", ""); status == 200 {
				in.Add(1)
			}
		})
	}
	wg.Wait()
	if n, refused := in.Load(), srv.LimitCounts().Connections; n != 10 || refused != 190 {
		t.Errorf("%d got in and %d were refused", n, refused)
	}
}

// openFrom asks for a session as a peer, and returns the answer.
func openFrom(srv *Server, peer string) (status int, body string, header http.Header) {
	r := httptest.NewRequest("GET", "/engine.io/?EIO=4&transport=polling", nil)
	r.RemoteAddr = peer
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

func TestMaxSessionsPerAddress(t *testing.T) {
	sessions := make(chan *recorder, 100)
	srv := New(Options{MaxSessionsPerAddress: 2}, accepting(sessions))
	defer shut(t, srv)
	for _, peer := range []string{"192.0.2.1:1", "[::ffff:192.0.2.1]:2", "192.0.2.2:1", "[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8:0:1::1]:1", "@", ""} {
		if status, body, _ := openFrom(srv, peer); status != 200 {
			t.Errorf("%s: %d %s", peer, status, body)
		}
	}
	for _, peer := range []string{"192.0.2.1:3", "[2001:db8::3%eth0]:1", "@"} {
		status, body, h := openFrom(srv, peer)
		if status != 429 || body != `{"code":4,"message":"Too many connections from this address"}` || h.Get("Retry-After") != "1" {
			t.Errorf("%s: %d %s %v", peer, status, body, h)
		}
	}
	if got := srv.LimitCounts(); got != (LimitCounts{ConnectionsPerAddress: 3}) {
		t.Errorf("counts %+v", got)
	}
	(<-sessions).session.close(ReasonForcedClose, nil)
	if status, _, _ := openFrom(srv, "192.0.2.1:4"); status != 200 {
		t.Errorf("from an address with a free place: %d", status)
	}
}

func TestNetwork(t *testing.T) {
	for _, tc := range []struct{ remote, want string }{
		{"192.0.2.1:4711", "192.0.2.1"},
		{"192.0.2.1", "192.0.2.1"},
		{"[::ffff:192.0.2.1]:4711", "192.0.2.1"},
		{"[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2::"},
		{"[2001:db8:1:2:ffff::]:4711", "2001:db8:1:2::"},
		{"2001:db8:1:2::9", "2001:db8:1:2::"},
		{"[fe80::1%eth0]:4711", "fe80::"},
		{"fe80::1%" + strings.Repeat("z", 1000), "fe80::"},
		{"", ""},
		{"@", ""},
		{"192.0.2.1:99999", ""},
		{"192.0.2.256:1", ""},
		{"example.com:80", ""},
		{strings.Repeat(":", 1000), ""},
	} {
		want := netip.Addr{}
		if tc.want != "" {
			want = netip.MustParseAddr(tc.want)
		}
		if got := network(tc.remote); got != want {
			t.Errorf("network(%.50q) = %v, want %v", tc.remote, got, want)
		}
	}
}

func TestMaxHandshakesPerSecond(t *testing.T) {
	inBubble(t, Options{MaxHandshakesPerSecond: 4, MaxSessionsPerAddress: 5}, func(t *testing.T, srv *Server, _ chan *recorder) {
		tryAll := func(n int) (in int) {
			for range n {
				if status, _, _ := openFrom(srv, "192.0.2.1:1"); status == 200 {
					in++
				}
			}
			return in
		}
		if in := tryAll(4); in != 4 {
			t.Errorf("%d of 4 got in at once", in)
		}
		status, body, h := openFrom(srv, "192.0.2.2:1")
		if status != 429 || body != `{"code":4,"message":"Too many handshakes"}` || h.Get("Retry-After") != "1" {
			t.Errorf("one too many: %d %s %v", status, body, h)
		}
		time.Sleep(250 * time.Millisecond)
		if in := tryAll(10); in != 1 {
			t.Errorf("%d got in a quarter of a second later", in)
		}
		// The address has had its five handshakes: further attempts cost other addresses nothing.
		time.Sleep(time.Second)
		tryAll(100)
		for i := range 4 {
			if status, _, _ := openFrom(srv, "192.0.2.3:1"); status != 200 {
				t.Errorf("handshake %d of another address: %d", i, status)
			}
		}
		if got := srv.LimitCounts(); got.Handshakes != 1 || got.ConnectionsPerAddress != 9+100 {
			t.Errorf("counts %+v", got)
		}
	})
}

// Each limit that stops a session is counted once, and no other counter changes.
func TestLimitCounts(t *testing.T) {
	big := func() io.Reader { return strings.NewReader(strings.Repeat("4", 1_000_001)) }
	for _, tc := range []struct {
		name string
		opts Options
		hit  func(e *endpoint)
		want LimitCounts
	}{
		{"body too large", Options{}, func(e *endpoint) {
			url, _ := open(t, e)
			request(t, "POST", url, nil, big())
		}, LimitCounts{MessageBytes: 1}},
		{"message too large", Options{}, func(e *endpoint) {
			c, _ := e.dial(t, false)
			c.SendText(strings.Repeat("x", 1_000_001))
			c.End()
		}, LimitCounts{MessageBytes: 1}},
		{"fragments", Options{}, func(e *endpoint) {
			c, _ := e.dial(t, false)
			c.WriteRaw([]byte("\x01\x81\x00\x00\x00\x004" + strings.Repeat("\x00\x81\x00\x00\x00\x00x", wsframe.MaxFragments)))
			c.End()
		}, LimitCounts{Fragments: 1}},
		{"packets", Options{}, func(e *endpoint) {
			url, _ := open(t, e)
			request(t, "POST", url, nil, strings.NewReader(strings.Repeat("3\x1e", 100_000)+"3"))
		}, LimitCounts{PayloadPackets: 1}},
		{"queue", Options{MaxBacklogBytes: 10}, func(e *endpoint) {
			_, r := open(t, e)
			for range 3 {
				r.session.Send(TextFrame([]byte("a queue of ten bytes")))
			}
		}, LimitCounts{QueueBytes: 1}},
		{"body that does not come", Options{BodyTimeout: 50 * time.Millisecond}, func(e *endpoint) {
			url, _ := open(t, e)
			answerOf(halfPost(t, url))
		}, LimitCounts{BodyTimeouts: 1}},
		{"upgrade that does not come", Options{UpgradeTimeout: 50 * time.Millisecond}, func(e *endpoint) {
			_, r := e.dial(t, true)
			conn := rawWebSocket(t, e, r.session.ID())
			io.Copy(io.Discard, conn)
		}, LimitCounts{UpgradeTimeouts: 1}},
		{"clients of other protocols", Options{}, func(e *endpoint) {
			for _, query := range []string{"EIO=3&transport=polling", "transport=polling", "EIO=5&transport=polling", "EIO=&transport=polling", "EIO=4&EIO=3&transport=polling"} {
				request(t, "GET", e.url+"?"+query, nil, nil)
			}
			request(t, "GET", e.url+"?EIO=3&transport=websocket", wsHeader, nil)
		}, LimitCounts{UnsupportedProtocols: 6}},
		{"none", Options{}, func(e *endpoint) {
			c, r := e.dial(t, true)
			c.Upgrade()
			c.SendText("x")
			r.message(t)
			c.SendPacket("garbage")
			c.End()
		}, LimitCounts{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := serve(t, tc.opts)
			tc.hit(e)
			ctx, cancel := context.WithTimeout(t.Context(), engineiotest.Wait)
			defer cancel()
			e.Close(ctx) // what has happened has been counted then
			if got := e.LimitCounts(); got != tc.want {
				t.Errorf("counts %+v, want %+v", got, tc.want)
			}
		})
	}
}
