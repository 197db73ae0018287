package engineio

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/waittest"
)

// rawWebSocket opens a WebSocket whose bytes nobody reads, for the session sid unless that
// is empty. early is sent right after the request.
func rawWebSocket(t testing.TB, e *endpoint, sid string, early ...[]byte) net.Conn {
	t.Helper()
	conn := upgradeRequest(t, e, sid, early...)
	conn.SetDeadline(time.Now().Add(engineiotest.Wait))
	for tail := ""; !strings.HasSuffix(tail, "\r\n\r\n"); {
		b := make([]byte, 1)
		if _, err := io.ReadFull(conn, b); err != nil {
			t.Fatalf("no answer to the upgrade: %q, %v", tail, err)
		}
		tail += string(b)
	}
	return conn
}

func upgradeRequest(t testing.TB, e *endpoint, sid string, early ...[]byte) net.Conn {
	t.Helper()
	host := strings.TrimSuffix(strings.TrimPrefix(e.url, "http://"), "/engine.io/")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if sid != "" {
		sid = "&sid=" + sid
	}
	head := fmt.Sprintf("GET /engine.io/?EIO=4&transport=websocket%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", sid, host)
	conn.Write(append([]byte(head), join(early...)...))
	return conn
}

// readFrame returns the opcode and payload of the next frame, or "eof".
func readFrame(r io.Reader) string {
	f, err := ws.ReadFrame(r)
	if err != nil {
		return "eof"
	}
	return fmt.Sprintf("%d %s", f.Header.OpCode, f.Payload)
}

func TestUpgrade(t *testing.T) {
	e := serve(t, Options{})
	c, r := e.dial(t, true)
	c.SendText("before")
	c.Upgrade()
	c.SendText("after")
	if a, b := c.Text(), c.Text(); a != "before" || b != "after" {
		t.Errorf("got %q, %q", a, b)
	}
	r.session.mu.Lock()
	if r.session.ws == nil || r.session.probe != nil {
		t.Error("the upgrade is not complete")
	}
	r.session.mu.Unlock()
	if status, body, _ := request(t, "GET", e.url+"?EIO=4&transport=polling&sid="+c.Handshake.SID, nil, nil); status != 400 || !strings.Contains(body, `"code":3`) {
		t.Errorf("a poll after the upgrade: %d %s", status, body)
	}
	conn := rawWebSocket(t, e, c.Handshake.SID)
	if got := readFrame(conn); got != "8 " {
		t.Errorf("a second upgrade got %q", got)
	}
	c.SendText("still here")
	if got := c.Text(); got != "still here" {
		t.Errorf("got %q", got)
	}
}

// A thousand messages each way around an upgrade: all arrive, in order.
func TestUpgradeLosesNothing(t *testing.T) {
	const n = 1000
	for range 5 {
		e := serve(t, Options{})
		sessions := make(chan *recorder, 1)
		e.accept = accepting(sessions)
		c := engineiotest.Dial(t, e.url, engineiotest.Options{Polling: true})
		r := <-sessions
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range n {
				r.session.Send(TextFrame([]byte(strconv.Itoa(i))))
			}
		})
		wg.Go(func() {
			for i := range n {
				c.SendText(strconv.Itoa(i))
			}
		})
		wg.Go(func() {
			for i := range n {
				if m, err := c.Receive(); err != nil || string(m.Data) != strconv.Itoa(i) {
					t.Errorf("the client got %q for message %d (%v)", m.Data, i, err)
					return
				}
			}
		})
		wg.Go(func() {
			for i := range n {
				select {
				case got := <-r.messages:
					if got != strconv.Itoa(i) {
						t.Errorf("the server got %q for message %d", got, i)
						return
					}
				case <-time.After(engineiotest.Wait):
					t.Errorf("the server does not get message %d", i)
					return
				}
			}
		})
		c.Upgrade()
		wg.Wait()
	}
}

func TestUpgradeProbe(t *testing.T) {
	text := func(s string) []byte { return clientFrame(ws.OpText, true, s) }
	for _, tc := range []struct {
		name string
		send []byte
		want []string
	}{
		{"not a probe", text("2other"), []string{"8 ", "eof"}},
		{"a message", text("4hi"), []string{"8 ", "eof"}},
		{"not a packet", text("x"), []string{"8 ", "eof"}},
		{"binary", clientFrame(ws.OpBinary, true, "x"), []string{"8 ", "eof"}},
		{"abandoned", join(text("2probe"), clientFrame(ws.OpClose, true, "\x03\xe8")), []string{"1 3probe", "8 \x03\xe8", "eof"}},
		{"against the rules", []byte{0xc1, 0x80, 0, 0, 0, 0}, []string{"8 \x03\xea", "eof"}},
		{"a control frame", join(clientFrame(ws.OpPing, true, "p"), text("2probe")), []string{"10 p", "1 3probe"}},
		{"early data", text("2probe"), []string{"1 3probe"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := serve(t, Options{})
			c, r := e.dial(t, true)
			var conn net.Conn
			if tc.name == "early data" {
				conn = rawWebSocket(t, e, c.Handshake.SID, tc.send)
			} else {
				conn = rawWebSocket(t, e, c.Handshake.SID)
				conn.Write(tc.send)
			}
			for _, want := range tc.want {
				if got := readFrame(conn); got != want {
					t.Fatalf("got %q, want %q", got, want)
				}
			}
			if tc.want[len(tc.want)-1] != "eof" {
				conn.Close()
			}
			waittest.Until(t, "the probe is forgotten", func() bool {
				r.session.mu.Lock()
				defer r.session.mu.Unlock()
				return r.session.probe == nil
			})
			c.SendText("still polling")
			if got := c.Text(); got != "still polling" || r.session.Transport() != "polling" {
				t.Errorf("got %q over %s", got, r.session.Transport())
			}
			c.Upgrade() // after a failed upgrade another one succeeds
			c.SendText("upgraded")
			if got := c.Text(); got != "upgraded" || r.session.Transport() != "websocket" {
				t.Errorf("got %q over %s", got, r.session.Transport())
			}
		})
	}
}

// A client may send messages in the same segment as the WebSocket request.
func TestEarlyData(t *testing.T) {
	e := serve(t, Options{})
	conn := rawWebSocket(t, e, "", clientFrame(ws.OpText, true, "4a"), clientFrame(ws.OpText, true, "4b"))
	r := bufio.NewReader(conn)
	if got := readFrame(r); !strings.HasPrefix(got, "1 0{") {
		t.Errorf("got %q", got)
	}
	if a, b := readFrame(r), readFrame(r); a != "1 4a" || b != "1 4b" {
		t.Errorf("got %q, %q", a, b)
	}
}

// If the session ends during an upgrade, the WebSocket that is being probed is closed.
func TestUpgradeEndsWithTheSession(t *testing.T) {
	e := serve(t, Options{})
	c, r := e.dial(t, true)
	conn := rawWebSocket(t, e, c.Handshake.SID)
	conn.Write(clientFrame(ws.OpText, true, "2probe"))
	if got := readFrame(conn); got != "1 3probe" {
		t.Fatalf("got %q", got)
	}
	c.SendPacket("1")
	r.reason(t)
	if got := readFrame(conn); got != "8 " {
		t.Errorf("got %q", got)
	}
}

// Connections that are reset while they are upgraded leave nothing behind.
func TestUpgradeResets(t *testing.T) {
	n := 10_000
	if testing.Short() || raceEnabled {
		n = 500
	}
	e := serve(t, Options{})
	c, r := e.dial(t, true)
	sid := c.Handshake.SID
	for i := range n {
		of := sid
		if i%2 == 0 {
			of = ""
		}
		conn := upgradeRequest(t, e, of, clientFrame(ws.OpText, true, "2probe"))
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
	waittest.Until(t, "the sessions end", func() bool { return e.Count() == 1 })
	waittest.Until(t, "the probe is forgotten", func() bool {
		r.session.mu.Lock()
		defer r.session.mu.Unlock()
		return r.session.probe == nil
	})
	c.Upgrade()
	c.SendText("still here")
	if got := c.Text(); got != "still here" {
		t.Errorf("got %q", got)
	}
}
