package hardening_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/puente-io/puente/compat/nodetest"
)

// CVE-2026-69185: a binary packet that announces no attachments is refused, and
// the binary messages after it are not buffered.
func TestZeroAttachments(t *testing.T) {
	n := start(t)
	member := n.user("member", "r")
	for _, packet := range []string{
		`450-["publish-update",{"roomId":"r","type":"x","payload":1}]`, `4500-["publish-update",{"roomId":"r","type":"x","payload":1}]`,
		`450-`, `460-[]`, `450-["publish-update",{"roomId":"r","type":"x","payload":{"_placeholder":true,"num":0}}]`,
	} {
		c := n.user("ana", "r")
		attachment := binaryFrame(strings.Repeat("x", 100_000))
		grown := allocated(func() {
			c.send(packet)
			for range 150 {
				if _, err := c.conn.Write(attachment); err != nil {
					break // the server has closed the connection
				}
			}
			c.ends()
		})
		if grown > 10*mb { // 15 MB were sent
			t.Errorf("%.30s: %d bytes were allocated", packet, grown)
		}
		s := n.session()
		n.do("POST", s, strings.NewReader(`40{"token":"`+n.token("ana")+`"}`))
		n.do("POST", s, strings.NewReader(packet))
		for body := ""; !strings.HasSuffix(body, "\x1e1") && body != "1"; {
			var status int
			if status, body = n.do("GET", s, nil); status != 200 {
				t.Errorf("%.30s over polling: %d %s", packet, status, body)
				break
			}
		}
	}
	member.without(`42["update"`)
	member.alive()
}

// CVE-2026-48809: the size of a payload is checked before it is read into memory,
// in every form that a payload can have.
func TestPayloadSize(t *testing.T) {
	n := start(t, "WS_MAX_HTTP_BUFFER_SIZE=100000")
	bystander := n.user("bystander")
	const announced = 1 << 30

	// A body with a larger Content-Length is refused before it is sent.
	c := n.dial()
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n4", n.session(), announced)
	grown := allocated(func() {
		if got := firstLine(c); !strings.Contains(got, " 413 ") {
			t.Errorf("a body of %d bytes: %q", announced, got)
		}
	})
	if grown > mb {
		t.Errorf("a body with a Content-Length: %d bytes were allocated", grown)
	}
	// A chunked body is refused when it reaches the limit.
	var sent int
	var status string
	session := n.session()
	grown = allocated(func() { sent, status = n.flood(session, true, 200*mb) })
	if status != "" && status != "413" || sent > 20*mb || grown > 8*mb {
		t.Errorf("a body without a length: status %q, %d bytes were sent, %d allocated", status, sent, grown)
	}

	head := binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, announced)
	head = append(head, 0, 0, 0, 0) // the mask
	fragment := clientFrame(ws.OpContinuation, false, strings.Repeat("x", 50_000))
	for name, frames := range map[string][][]byte{
		"one frame":            {head},
		"one byte too many":    {clientFrame(ws.OpText, true, "4"+strings.Repeat("x", 100_000))},
		"fragments":            {clientFrame(ws.OpText, false, "4"), fragment, fragment, fragment},
		"a fragment announced": {clientFrame(ws.OpText, false, "4"), append([]byte{0x00}, head[1:]...)},
	} {
		for _, upgrading := range []bool{false, true} {
			c := n.open()
			if upgrading { // the session has not been upgraded yet
				c = n.probe()
			}
			grown := allocated(func() {
				for _, f := range frames {
					c.conn.Write(f)
				}
				if code := c.closeCode(); code != 1009 {
					t.Errorf("%s, upgrading %v: closed with %d", name, upgrading, code)
				}
			})
			if grown > 2*mb {
				t.Errorf("%s, upgrading %v: %d bytes were allocated", name, upgrading, grown)
			}
		}
	}
	bystander.alive()
}

// The client of the npm package ws receives close code 1009 for a message of any
// size over the limit. It would report another code if a write failed first.
func TestTooLargeForWS(t *testing.T) {
	n := start(t)
	client := nodetest.Start(t, "../..", "oversized.mjs", "ws")
	// A reset overtook the close frame in 11 of 15 messages of 4 MB.
	for size, times := range map[int]int{1_000_001: 20, 4_000_000: 20, 20_000_000: 5} {
		codes := client.Ask(t, map[string]any{"url": "ws://" + n.addr + webSocket, "size": size, "times": times})
		if want := fmt.Sprintf(`{"1009":%d}`, times); codes != want {
			t.Errorf("%d bytes: closed with %s, want %s", size, codes, want)
		}
	}
}

func clientFrame(op ws.OpCode, fin bool, payload string) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, fin, []byte(payload))))
}

// probe opens a WebSocket to upgrade a new polling session, and stops before the
// upgrade packet.
func (n *node) probe() *client {
	n.t.Helper()
	c, err := connectTo(n.addr, strings.Replace(n.session(), "polling", "websocket", 1))
	if err != nil {
		n.t.Fatal(err)
	}
	c.t = n.t
	n.t.Cleanup(func() { c.conn.Close() })
	c.send("2probe")
	if p := c.next(); p != "3probe" {
		n.t.Fatalf("the probe was answered with %q", p)
	}
	return c
}

// closeCode reads until the server's close frame and returns its code, 1005 if
// it has none and 1006 if the connection ends without a close frame.
func (c *client) closeCode() int {
	for {
		f, err := ws.ReadFrame(c.r)
		switch {
		case err != nil:
			return 1006
		case f.Header.OpCode != ws.OpClose:
		case len(f.Payload) < 2:
			return 1005
		default:
			return int(binary.BigEndian.Uint16(f.Payload))
		}
	}
}

// firstLine returns the status line of a response.
func firstLine(conn net.Conn) string {
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return line
}
