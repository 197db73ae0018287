package engineio

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/waittest"
)

func TestWebSocketEcho(t *testing.T) {
	for _, overTLS := range []bool{false, true} {
		e := serveOn(t, Options{}, overTLS)
		c, r := e.dial(t, false)
		big := strings.Repeat("é", 400_000)
		for _, msg := range []string{"", "a", strings.Repeat("b", 126), strings.Repeat("c", 70_000), big} {
			c.SendText(msg)
			if got := c.Text(); got != msg {
				t.Errorf("TLS %v: %d bytes became %d", overTLS, len(msg), len(got))
			}
			r.message(t)
		}
		c.SendBinary([]byte{0, 1, 255})
		if m := c.Next(); !m.Binary || !bytes.Equal(m.Data, []byte{0, 1, 255}) {
			t.Errorf("binary: %+v", m)
		}
		if r.session.Request().Secure != overTLS {
			t.Error("Secure is wrong")
		}
		r.session.Send(TextFrame([]byte("last")))
		r.session.Close()
		if got, end := c.Text(), c.End(); got != "last" || end.Code != 1005 {
			t.Errorf("TLS %v: at the end %q, then %+v", overTLS, got, end)
		}
		if got := r.reason(t); got != ReasonForcedClose {
			t.Errorf("reason %q", got)
		}
	}
}

// The close code must reach the client even if it sends more bytes. (A connection that is
// just closed would answer them with a reset.)
func TestWebSocketViolations(t *testing.T) {
	frame := func(op ws.OpCode, fin bool, payload string) string { return string(clientFrame(op, fin, payload)) }
	for _, tc := range []struct {
		name, in string
		code     int
		reason   Reason
	}{
		{"RSV", "\xc1\x80\x00\x00\x00\x00", 1002, ReasonTransportError},
		{"reserved opcode", "\x83\x80\x00\x00\x00\x00", 1002, ReasonTransportError},
		{"unmasked", "\x81\x024x", 1002, ReasonTransportError},
		{"high bit of the length", "\x81\xff\x80\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00", 1009, ReasonTransportError},
		{"control frame over 125 bytes", frame(ws.OpPing, true, strings.Repeat("x", 126)), 1002, ReasonTransportError},
		{"131,072 fragments", frame(ws.OpText, false, "4") + strings.Repeat(frame(ws.OpContinuation, false, "x"), 131_072), 1008, ReasonTransportError},
		{"not UTF-8", frame(ws.OpText, true, "4\xff"), 1007, ReasonTransportError},
		{"over the limit", frame(ws.OpText, true, strings.Repeat("4", 1_000_001)), 1009, ReasonTransportError},
		{"over the limit in fragments", strings.Repeat(frame(ws.OpContinuation, false, strings.Repeat("4", 100_000)), 11), 1009, ReasonTransportError},
		{"over the limit in fragments whose sum overflows", "\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", 1009, ReasonTransportError},
		{"close frame of one byte", frame(ws.OpClose, true, "\x03"), 1002, ReasonTransportError},
		{"close frame with a reserved status", frame(ws.OpClose, true, "\x03\xed"), 1002, ReasonTransportError},
		{"close frame with a status of no range", frame(ws.OpClose, true, "\xff\xff"), 1002, ReasonTransportError},
		{"close frame that is not UTF-8", frame(ws.OpClose, true, "\x03\xe8\xff"), 1007, ReasonTransportError},
		{"close frame", frame(ws.OpClose, true, "\x03\xe8bye"), 1000, ReasonTransportClose},
		{"not a packet", frame(ws.OpText, true, "x"), 1005, ReasonParseError},
		{"empty packet", frame(ws.OpText, true, ""), 1005, ReasonParseError},
		{"ping of the client", frame(ws.OpText, true, "2"), 1005, ReasonTransportError},
		{"close packet", frame(ws.OpText, true, "1"), 1005, ReasonTransportClose},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := serve(t, Options{})
			other, _ := e.dial(t, false)
			c, r := e.dial(t, false)
			in := tc.in
			if strings.HasPrefix(tc.name, "over the limit in") { // the first fragment is the message's
				in = frame(ws.OpText, false, "4") + in
			}
			c.WriteRaw([]byte(in))
			c.WriteRaw(bytes.Repeat(clientFrame(ws.OpText, true, "4more"), 1000))
			if end := c.End(); end.Code != tc.code {
				t.Errorf("closed with %+v, want %d", end, tc.code)
			}
			if got := r.reason(t); got != tc.reason {
				t.Errorf("reason %q, want %q", got, tc.reason)
			}
			other.SendText("still here")
			if got := other.Text(); got != "still here" {
				t.Errorf("the other client got %q", got)
			}
		})
	}
}

// Unsolicited pongs change nothing, and pings are answered, however many come.
func TestWebSocketControlFlood(t *testing.T) {
	e := serve(t, Options{})
	c, r := e.dial(t, false)
	c.WriteRaw(bytes.Repeat(clientFrame(ws.OpPong, true, "x"), 100_000))
	c.WriteRaw(bytes.Repeat(clientFrame(ws.OpText, true, "3"), 100_000))
	c.WriteRaw(bytes.Repeat(clientFrame(ws.OpPing, true, "x"), 1000))
	c.SendText("still here")
	if got := c.Text(); got != "still here" {
		t.Errorf("got %q", got)
	}
	r.session.mu.Lock()
	defer r.session.mu.Unlock()
	if r.session.waiting.in != e.pings {
		t.Error("the session does not wait for its ping")
	}
}

// A client that sends pings and reads no pongs is disconnected.
func TestWebSocketPingFlood(t *testing.T) {
	e := serve(t, Options{})
	conn := rawWebSocket(t, e, "")
	r := e.next(t)
	var flooding sync.WaitGroup
	flooding.Go(func() {
		flood := bytes.Repeat(clientFrame(ws.OpPing, true, strings.Repeat("x", 125)), 1000)
		for {
			if _, err := conn.Write(flood); err != nil {
				return
			}
		}
	})
	if got := r.reason(t); got != ReasonSlowConsumer {
		t.Errorf("reason %q", got)
	}
	conn.SetReadDeadline(time.Now().Add(engineiotest.Wait))
	if _, err := io.Copy(io.Discard, conn); isTimeout(err) {
		t.Error("the connection is not closed")
	}
	conn.Close()
	flooding.Wait()
}

func TestWebSocketBrokenConnection(t *testing.T) {
	e := serve(t, Options{})
	c, r := e.dial(t, false)
	c.Break()
	if got := r.reason(t); got != ReasonTransportClose && got != ReasonTransportError {
		t.Errorf("reason %q", got)
	}
	waittest.Until(t, "the session is forgotten", func() bool { return e.Count() == 0 })
}

// A WebSocket handshake is accepted in every form that proxies give it, and in no other.
func TestWebSocketHandshakeForms(t *testing.T) {
	e := serve(t, Options{})
	const (
		rest     = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		upgrades = "Upgrade: websocket\r\n" + rest
		accept   = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
	)
	for name, tc := range map[string]struct {
		version, header string
		want            int
	}{
		"plain":                    {"1.1", "Host: x\r\nConnection: Upgrade\r\n" + upgrades, 101},
		"HTTP/1.0":                 {"1.0", "Host: x\r\nConnection: upgrade\r\n" + upgrades, 101},
		"HTTP/1.0, keep-alive":     {"1.0", "Host: x\r\nConnection: keep-alive, upgrade\r\n" + upgrades, 101},
		"HTTP/1.0 without a host":  {"1.0", "Connection: upgrade\r\n" + upgrades, 101},
		"a list":                   {"1.1", "Host: x\r\nConnection: keep-alive, Upgrade\r\n" + upgrades, 101},
		"a list without blanks":    {"1.1", "Host: x\r\nConnection: upgrade,keep-alive\r\n" + upgrades, 101},
		"tabs and empty elements":  {"1.1", "Host: x\r\nConnection: ,\tkeep-alive ,\tUPGRADE\t,\r\n" + upgrades, 101},
		"two lines":                {"1.1", "Host: x\r\nConnection: keep-alive\r\nConnection: Upgrade\r\n" + upgrades, 101},
		"two lines, the first":     {"1.1", "Host: x\r\nconnection: upgrade\r\n" + upgrades + "CONNECTION: close\r\n", 101},
		"case":                     {"1.1", "Host: x\r\nCONNECTION: uPGRADE\r\nUPGRADE: WebSocket\r\n" + rest, 101},
		"another name":             {"1.1", "Host: x\r\nConnection: upgraded\r\n" + upgrades, 400},
		"part of a name":           {"1.1", "Host: x\r\nConnection: keep-alive, x-upgrade\r\n" + upgrades, 400},
		"no Connection":            {"1.1", "Host: x\r\n" + upgrades, 400},
		"no Connection, HTTP/1.0":  {"1.0", upgrades, 400},
		"no Upgrade":               {"1.1", "Host: x\r\nConnection: Upgrade\r\n" + rest, 400},
		"Upgrade to something":     {"1.1", "Host: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" + rest, 400},
		"no key, by two lines":     {"1.1", "Host: x\r\nConnection: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", 400},
		"another version, by 1.0.": {"1.0", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 7\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(e.url, "http://"), "/engine.io/"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(engineiotest.Wait))
			// The client does not wait for the answer.
			fmt.Fprintf(conn, "GET /engine.io/?EIO=4&transport=websocket HTTP/%s\r\n%s\r\n\x81\x82\x00\x00\x00\x004x", tc.version, tc.header)
			br := bufio.NewReader(conn)
			resp, err := http.ReadResponse(br, nil)
			if err != nil || resp.StatusCode != tc.want {
				t.Fatalf("%+v, %v, want %d", resp, err, tc.want)
			}
			if tc.want != 101 {
				return
			}
			if resp.Proto != "HTTP/1.1" || resp.Header.Get("Sec-WebSocket-Accept") != accept || resp.Header.Get("Upgrade") != "websocket" || resp.Header.Get("Connection") != "Upgrade" {
				t.Errorf("%s %v", resp.Proto, resp.Header)
			}
			if open := readFrame(br); !strings.HasPrefix(open, "1 0{") {
				t.Fatalf("open packet %q", open)
			}
			if got := e.next(t).message(t); got != "x" {
				t.Errorf("message %q", got)
			}
		})
	}
}

// Only a GET opens a WebSocket.
func TestWebSocketHandshakeMethod(t *testing.T) {
	e := serve(t, Options{})
	_, r := e.dial(t, true)
	status, body, _ := request(t, "POST", e.url+"?EIO=4&transport=websocket&sid="+r.session.ID(), wsHeader, nil)
	if status != 405 || body != "Invalid HTTP method" {
		t.Errorf("%d %s", status, body)
	}
}

// A header with 64 KiB of blanks takes no more time than reading it. (In the npm package
// ws the time grew with the square of their number, CVE-2021-32640.) NewHTTPServer does
// not even accept a header of this size.
func TestWebSocketProtocolHeader(t *testing.T) {
	e := serve(t, Options{})
	other, _ := e.dial(t, false)
	blanks := strings.Repeat(" ", 64<<10)
	for protocols, want := range map[string]string{
		"a," + blanks + "b":                 "101 Switching Protocols",
		"a," + blanks + ",b":                "400 Bad Request",
		"a" + blanks + "b":                  "400 Bad Request",
		strings.Repeat("a, ", 20_000) + "b": "400 Bad Request", // a protocol is named twice
		strings.Repeat(",", 64<<10):         "400 Bad Request",
	} {
		conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(e.url, "http://"), "/engine.io/"))
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(engineiotest.Wait))
		fmt.Fprintf(conn, "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: %s\r\n\r\n", protocols)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.Status != want {
			t.Errorf("%.5q and so on: %+v, %v, want %s", protocols, resp, err, want)
		}
		if got := resp.Header.Get("Sec-Websocket-Protocol"); want[:3] == "101" && got != "a" {
			t.Errorf("%.5q and so on: the protocol is %q", protocols, got)
		}
		conn.Close()
	}
	other.SendText("still here")
	other.Text()
}
