package engineio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/puente-io/puente/server/waittest"
)

// oversized returns one frame with a payload of size bytes.
func oversized(size int) []byte {
	frame := binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, uint64(size))
	return append(append(frame, 0, 0, 0, 0), bytes.Repeat([]byte("4"), size)...)
}

// A client that sends its whole message before it reads anything still receives the close
// code, however much of the message the server has not read.
func TestCloseCodeArrives(t *testing.T) {
	times := 10 // a reset overtook the close frame in 11 of 15
	for _, overTLS := range []bool{false, true} {
		e := serveOn(t, Options{}, overTLS)
		for name, tc := range map[string]struct {
			in    []byte
			times int
			code  int
		}{
			"4 MB":            {oversized(4_000_000), times, 1009},
			"20 MB":           {oversized(20_000_000), times / 2, 1009},
			"20 MiB":          {oversized(20 << 20), times / 2, 1009},
			"RSV":             {append([]byte("\xc1\x80\x00\x00\x00\x00"), make([]byte, 4_000_000)...), times / 2, 1002},
			"not UTF-8":       {append(clientFrame(ws.OpText, true, "4\xff"), make([]byte, 4_000_000)...), times / 2, 1007},
			"fragments":       {append(append(clientFrame(ws.OpText, false, "4"), bytes.Repeat(clientFrame(ws.OpContinuation, false, "x"), 20_000)...), make([]byte, 4_000_000)...), times / 2, 1008},
			"not a packet":    {append(clientFrame(ws.OpText, true, "x"), make([]byte, 4_000_000)...), times / 2, 1005},
			"close, and more": {append(clientFrame(ws.OpClose, true, "\x03\xe8"), make([]byte, 4_000_000)...), times / 2, 1000},
		} {
			for range tc.times {
				c, r := e.dial(t, false)
				c.WriteRaw(tc.in)
				if end := c.End(); end.Code != tc.code {
					t.Fatalf("%s, TLS %v: closed with %+v, want %d", name, overTLS, end, tc.code)
				}
				<-r.closed
				c.Close()
			}
		}
	}
}

// A client that breaks a rule while it tries an upgrade receives the close code too,
// and its session goes on over polling.
func TestCloseCodeArrivesWhileProbing(t *testing.T) {
	e := serve(t, Options{})
	for name, tc := range map[string]struct {
		in   []byte
		code int
	}{
		"too large":   {oversized(4_000_000), 1009},
		"RSV":         {append([]byte("\xc1\x80\x00\x00\x00\x00"), make([]byte, 4_000_000)...), 1002},
		"not a probe": {append(clientFrame(ws.OpText, true, "4x"), make([]byte, 4_000_000)...), 1005},
	} {
		for range 20 {
			_, r := open(t, e)
			conn := rawWebSocket(t, e, r.session.ID())
			if _, err := conn.Write(tc.in); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := closeCodeOf(conn); got != tc.code {
				t.Fatalf("%s: closed with %d, want %d", name, got, tc.code)
			}
			conn.Close()
			if !r.session.Open() {
				t.Fatalf("%s: the session has ended", name)
			}
			r.session.close(ReasonForcedClose, nil)
		}
	}
}

func closeCodeOf(r io.Reader) int {
	for {
		f, err := ws.ReadFrame(r)
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

// After the close frame the server reads at most a bounded number of bytes, and the
// connection ends anyway.
func TestThrownAwayIsBounded(t *testing.T) {
	message := oversized(64 << 20) // more than the bound and the buffers of both sides
	for _, overTLS := range []bool{false, true} {
		e := serveOn(t, Options{}, overTLS)
		c, r := e.dial(t, false)
		conn := r.session.ws
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			c.WriteRaw(message) // fails when the server cuts the client off
		}()
		<-r.closed
		waittest.Until(t, "the connection is gone", func() bool {
			e.mu.RLock()
			defer e.mu.RUnlock()
			_, lingers := e.lingering[conn]
			return !lingers
		})
		<-sent
		e.goroutines.Wait() // for the one that reads
		if n := conn.discarded; n < 20<<20 || n > 21<<20 {
			t.Errorf("TLS %v: %d bytes were read", overTLS, n)
		}
	}
}

// A session that is closing soon stops reading from a client that keeps sending messages
// and does not answer the close frame.
func TestClosingSessionStopsListening(t *testing.T) {
	e := serve(t, Options{MaxHTTPBufferSize: 10_000, CloseTimeout: time.Hour})
	conn := rawWebSocket(t, e, "")
	defer conn.Close()
	r := e.next(t)
	conn.Write(clientFrame(ws.OpText, true, "4hello"))
	<-r.messages // the server reads from it now: a session that it closes before that does not wait
	r.session.Close()
	if got := closeCodeOf(conn); got != 1005 {
		t.Errorf("closed with %d", got)
	}
	if e.Count() != 1 {
		t.Error("the session did not wait for the client's close frame")
	}
	conn.Write(bytes.Repeat(clientFrame(ws.OpText, true, "4"+strings.Repeat("x", 1000)), 100))
	waittest.Until(t, "the session has ended", func() bool { return e.Count() == 0 })
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection: %v", err)
	}
}

// A client that reads the answer to a POST only when it has sent its body reads
// 413.
func TestPollingTooLargeIsAnswered(t *testing.T) {
	e := serve(t, Options{})
	payload := bytes.Repeat([]byte("4"), 4_000_000)
	chunked := fmt.Appendf(nil, "%x\r\n%s\r\n0\r\n\r\n", len(payload), payload)
	for i := range 20 {
		url, r := open(t, e)
		host, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		body := payload
		if i%2 == 0 {
			fmt.Fprintf(conn, "POST /%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", path, host, len(body))
		} else {
			fmt.Fprintf(conn, "POST /%s HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n", path, host)
			body = chunked
		}
		if _, err := conn.Write(body); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		if line := answerOf(conn); line != "HTTP/1.1 413 Request Entity Too Large\r\n" {
			t.Fatalf("request %d: %q", i, line)
		}
		conn.Close()
		if got := r.reason(t); got != ReasonTransportError {
			t.Errorf("reason %q", got)
		}
	}
}
