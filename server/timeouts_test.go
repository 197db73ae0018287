package server

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/clienttests/raw"
)

// HARDENING, hostile or broken clients: what a connection may take its time
// for. Heads that do not come or drip, and connections that idle, are closed
// within 90 s; bodies that drip after 45 s; who never sends CONNECT after 45 s.
func TestTimeouts(t *testing.T) {
	const (
		post  = " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + apiKey + "\r\n"
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
		"second head drips":   {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /he", "a", 91 * time.Second},
		"body":                {"POST " + polling + post + "Content-Length: 1000\r\n\r\n4", "x", 46 * time.Second},
		"body of a backend":   {"POST /api/ws/updates" + post + "Content-Length: 1000\r\n\r\n{", " ", 46 * time.Second},
		"chunked body":        {"POST /api/ws/updates" + post + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n{\r\n", 46 * time.Second},
		"body for nobody":     {"POST /nowhere" + post + "Content-Length: 1000\r\n\r\n{", " ", 46 * time.Second},
		"no CONNECT":          {"GET /socket.io/?EIO=4&transport=websocket" + opens, "", time.Minute}, // some of it for the close frame
		"no CONNECT but pong": {"GET /socket.io/?EIO=4&transport=websocket" + opens, "\x81\x81\x00\x00\x00\x003", time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := raw.NewNetwork()
				startOn(t, nil, network)
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
