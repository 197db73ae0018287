package server

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/compat/raw"
)

// HARDENING, hostile or broken clients: how long a connection may take. It is closed
// within 90 s if its headers do not come or only drip in, or if it is idle, after 45 s
// if a body only drips in, and after 45 s without CONNECT.
func TestTimeouts(t *testing.T) {
	const (
		bundle     = "/socket.io/socket.io.js"
		post       = " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + apiKey + "\r\n"
		unfinished = post + "Origin: https://app.example\r\nContent-Length: 1000\r\n\r\nx"

		opens = " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	)
	for name, tc := range map[string]struct {
		text, drip string
		within     time.Duration
	}{
		"silent":              {"", "", 90 * time.Second},
		"dripping request":    {"G", "E", 90 * time.Second},
		"dripping headers":    {"GET " + polling + " HTTP/1.1\r\nHost: x\r\n", "X-A: 1\r\n", 90 * time.Second},
		"dripping a header":   {"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ", "x", 90 * time.Second},
		"idle":                {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "", 91 * time.Second},
		"second head drips":   {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /he", "a", 46 * time.Second},
		"body":                {"POST " + polling + post + "Content-Length: 1000\r\n\r\n4", "x", 46 * time.Second},
		"body of a backend":   {"POST /api/ws/updates" + post + "Content-Length: 1000\r\n\r\n{", " ", 46 * time.Second},
		"chunked body":        {"POST /api/ws/updates" + post + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n{\r\n", 46 * time.Second},
		"body for nobody":     {"POST /nowhere" + post + "Content-Length: 1000\r\n\r\n{", " ", 46 * time.Second},
		"body of the bundle":  {"POST " + bundle + unfinished, "", 46 * time.Second},
		"bundle with a body":  {"GET " + bundle + unfinished, "", 46 * time.Second},
		"bundle in chunks":    {"GET " + bundle + post + "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", 46 * time.Second},
		"bundle, continue":    {"GET " + bundle + post + "Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n", "", 46 * time.Second},
		"304 with a body":     {"GET " + bundle + post + "If-None-Match: \"4.8.4\"\r\nContent-Length: 1000\r\n\r\n", "", 46 * time.Second},
		"OPTIONS *":           {"OPTIONS *" + unfinished, "", 46 * time.Second},
		"OPTIONS * dripping":  {"OPTIONS *" + unfinished, "x", 46 * time.Second},
		"OPTIONS /":           {"OPTIONS /" + unfinished, "", 46 * time.Second},
		"preflight":           {"OPTIONS " + polling + unfinished, "", 46 * time.Second},
		"bundle's preflight":  {"OPTIONS " + bundle + unfinished, "", 46 * time.Second},
		"handshake, a body":   {"GET " + polling + unfinished, "", 46 * time.Second},
		"refused, a body":     {"GET /socket.io/?EIO=4&transport=no" + unfinished, "", 46 * time.Second},
		"HEAD with a body":    {"HEAD " + polling + unfinished, "", 46 * time.Second},
		"health with a body":  {"GET /healthz" + unfinished, "", 46 * time.Second},
		"ready with a body":   {"GET /readyz" + unfinished, "", 46 * time.Second},
		"redirect with one":   {"GET /api/../api/ws/health" + unfinished, "", 46 * time.Second},
		"wrong key, a body":   {"POST /api/ws/updates HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{", "", 46 * time.Second},
		"wrong method":        {"PATCH /api/ws/updates" + unfinished, "", 46 * time.Second},
		"HTTP/1.0 body":       {"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1000\r\n\r\nx", "", 46 * time.Second},
		"refused upgrade":     {"GET /socket.io/?EIO=4&transport=no HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1000\r\n\r\n", "", 46 * time.Second},
		"no CONNECT":          {"GET /socket.io/?EIO=4&transport=websocket" + opens, "", time.Minute}, // some of it for the close frame
		"no CONNECT but pong": {"GET /socket.io/?EIO=4&transport=websocket" + opens, "\x81\x81\x00\x00\x00\x003", time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := raw.NewNetwork()
				startOn(t, env{"WS_CORS_ORIGINS": "https://app.example"}, network)
				conn, err := network.Dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				ended := make(chan time.Duration, 1)
				go func() {
					io.Copy(io.Discard, conn)
					ended <- time.Since(began)
				}()
				var dripping sync.WaitGroup
				dripping.Go(func() { drip(conn, tc.text, tc.drip) })
				if took := <-ended; took > tc.within || took < tc.within/2 {
					t.Errorf("closed after %v, want within %v", took, tc.within)
				}
				conn.Close()
				dripping.Wait()
			})
		})
	}
}

// drip writes text, and then more every five seconds until the connection ends.
func drip(conn net.Conn, text, more string) {
	for _, err := io.WriteString(conn, text); err == nil; _, err = io.WriteString(conn, more) {
		if more == "" {
			return
		}
		time.Sleep(5 * time.Second)
	}
}

// An answer that nobody reads ends its connection, on every route. The network
// has no buffers, so the first answer blocks.
func TestUnreadAnswers(t *testing.T) {
	const end = " HTTP/1.1\r\nHost: x\r\nOrigin: https://app.example\r\n"
	for name, request := range map[string]string{
		"health":           "GET /healthz" + end + "\r\n",
		"bundle":           "GET /socket.io/socket.io.js" + end + "\r\n",
		"304":              "GET /socket.io/socket.io.js" + end + "If-None-Match: \"4.8.4\"\r\n\r\n",
		"404":              "GET /nowhere" + end + "\r\n",
		"redirect":         "GET /api/../api/ws/health" + end + "\r\n",
		"OPTIONS *":        "OPTIONS *" + end + "\r\n",
		"OPTIONS /":        "OPTIONS /" + end + "\r\n",
		"preflight":        "OPTIONS " + polling + end + "\r\n",
		"handshake":        "GET " + polling + end + "\r\n",
		"refused":          "GET /socket.io/?EIO=4&transport=no" + end + "\r\n",
		"refused upgrade":  "GET /socket.io/?EIO=4&transport=no" + end + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"upgrade":          "GET /socket.io/?EIO=4&transport=websocket" + end + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		"no key":           "POST /api/ws/updates" + end + "Content-Length: 2\r\n\r\n{}",
		"refused update":   "POST /api/ws/updates" + end + "Authorization: Bearer " + apiKey + "\r\nContent-Length: 2\r\n\r\n{}",
		"list":             "GET /api/ws/users" + end + "Authorization: Bearer " + apiKey + "\r\n\r\n",
		"continue":         "POST /api/ws/updates" + end + "Authorization: Bearer " + apiKey + "\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
		"other expectance": "GET /healthz" + end + "Expect: more\r\n\r\n",
		"not HTTP":         "GET\r\n\r\n",
		"large headers":    "GET /healthz" + end + "X-Long: " + strings.Repeat("x", 40<<10) + "\r\n\r\n",
		"HTTP/1.0":         "GET /healthz HTTP/1.0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := raw.NewNetwork()
				startOn(t, env{"WS_CORS_ORIGINS": "https://app.example"}, network)
				conn, err := network.Dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				began := time.Now()
				for err == nil { // a client that sends one request behind the other
					_, err = io.WriteString(conn, request)
				}
				if took := time.Since(began); took > 46*time.Second {
					t.Errorf("closed after %v", took)
				}
			})
		})
	}
}

// The answer to a poll that has waited for long has as much time as any other answer.
func TestAnswerOfALongPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := raw.NewNetwork()
		n := startOn(t, env{"WS_PING_INTERVAL": "120000"}, network)
		began := time.Now()
		_, open, _ := n.do("GET", polling, "")
		_, sid, _ := strings.Cut(open, `"sid":"`)
		sid, _, _ = strings.Cut(sid, `"`)
		if status, body, _ := n.do("POST", polling+"&sid="+sid, "40{\"token\":\""+n.token("ana")+"\"}"); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		for {
			status, body, _ := n.do("GET", polling+"&sid="+sid, "")
			if status != 200 {
				t.Fatalf("%d %s", status, body)
			}
			if body == "2" {
				break
			}
		}
		if waited := time.Since(began); waited < 2*time.Minute {
			t.Errorf("pinged after %v", waited)
		}
	})
}

// Headers are bounded.
func TestHeaderLimit(t *testing.T) {
	n := start(t, nil)
	status, _, _ := n.do("GET", polling, "", "X-Long: "+strings.Repeat("x", 64<<10))
	if status != 431 {
		t.Errorf("64 KiB of a header: %d", status)
	}
	status, _, _ = n.do("GET", polling, "", "Sec-WebSocket-Protocol: a"+strings.Repeat(" ", 64<<10)+"b")
	if status != 431 {
		t.Errorf("64 KiB of blanks: %d", status)
	}
	n.device("ana").Ask("ping")
}
