package engineio

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gobwas/ws"
)

// pipeClient is the client's end of a WebSocket over net.Pipe, which, unlike a
// socket, works under the clock of testing/synctest.
type pipeClient struct {
	conn net.Conn
	// got has what the server sends: "4hi", "close 1005", and "eof" at the end.
	got chan string
}

// hijackable gives a handler the server's end of a pipe.
type hijackable struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (w hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}

// dialPipe opens a WebSocket, for the session sid unless that is empty. The caller must
// answer pings.
func dialPipe(t testing.TB, srv *Server, sid string) *pipeClient {
	t.Helper()
	client, br := openPipe(t, srv, sid)
	c := &pipeClient{conn: client, got: make(chan string, 10_000)}
	go c.read(br)
	return c
}

// openPipe opens a WebSocket that the test reads.
func openPipe(t testing.TB, srv *Server, sid string) (net.Conn, *bufio.Reader) {
	t.Helper()
	target := "/engine.io/?EIO=4&transport=websocket"
	if sid != "" {
		target += "&sid=" + sid
	}
	return openPipeTo(t, srv, target)
}

// openPipeTo is openPipe for the target of a request.
func openPipeTo(t testing.TB, srv *Server, target string) (net.Conn, *bufio.Reader) {
	t.Helper()
	client, server := net.Pipe()
	r := httptest.NewRequest("GET", target, nil)
	r.Header = wsHeader.Clone()
	go srv.ServeHTTP(hijackable{httptest.NewRecorder(), server}, r)
	br := bufio.NewReader(client)
	resp, err := http.ReadResponse(br, r)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %v, %v", resp, err)
	}
	t.Cleanup(func() { client.Close() })
	return client, br
}

func (c *pipeClient) read(r io.Reader) {
	for {
		f, err := ws.ReadFrame(r)
		switch {
		case err != nil:
			c.got <- "eof"
			return
		case f.Header.OpCode == ws.OpClose:
			code := 1005
			if len(f.Payload) >= 2 {
				code = int(f.Payload[0])<<8 | int(f.Payload[1])
			}
			c.got <- fmt.Sprintf("close %d", code)
		default:
			c.got <- string(f.Payload)
		}
	}
}

func (c *pipeClient) send(packet string) { c.conn.Write(clientFrame(ws.OpText, true, packet)) }

// want checks what comes next.
func (c *pipeClient) want(t testing.TB, want string) {
	t.Helper()
	if got := <-c.got; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// pollOnce is a polling request without a network.
func pollOnce(srv *Server, method, sid, body string) (int, string) {
	w := httptest.NewRecorder()
	target := "/engine.io/?EIO=4&transport=polling"
	if sid != "" {
		target += "&sid=" + sid
	}
	srv.ServeHTTP(w, httptest.NewRequest(method, target, bytes.NewReader([]byte(body))))
	return w.Code, w.Body.String()
}
