package socketio_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// rawClient is a connected WebSocket that allocates nothing, for measuring.
type rawClient struct {
	conn net.Conn
	r    *bufio.Reader
}

func dialRaw(t testing.TB, srv *socketiotest.Server) *rawClient {
	t.Helper()
	c := dialRawOpen(t, srv)
	c.write(t, rawFrame("40"))
	c.skip(t)
	return c
}

// dialRawOpen is dialRaw without a namespace.
func dialRawOpen(t testing.TB, srv *socketiotest.Server) *rawClient {
	t.Helper()
	return dialRawWith(t, srv, ws.Dialer{})
}

func dialRawWith(t testing.TB, srv *socketiotest.Server, d ws.Dialer) *rawClient {
	t.Helper()
	conn, r, _, err := d.Dial(context.Background(), "ws"+strings.TrimPrefix(srv.URL, "http")+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if r == nil {
		r = bufio.NewReader(conn)
	}
	c := &rawClient{conn, r}
	c.skip(t)
	return c
}

// rawFrame is a text frame of a client.
func rawFrame(payload string) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(payload))))
}

func (c *rawClient) write(t testing.TB, frame []byte) {
	if _, err := c.conn.Write(frame); err != nil {
		t.Fatal(err)
	}
}

// skip reads a frame of up to 125 bytes, or of up to 64 KiB.
func (c *rawClient) skip(t testing.TB) {
	c.conn.SetReadDeadline(time.Now().Add(engineiotest.Wait))
	head, err := c.r.Peek(2)
	if err != nil {
		t.Fatal(err)
	}
	n := 2 + int(head[1])
	if head[1] == 126 {
		if head, err = c.r.Peek(4); err != nil {
			t.Fatal(err)
		}
		n = 4 + int(head[2])<<8 | int(head[3])
	}
	if _, err := c.r.Discard(n); err != nil {
		t.Fatal(err)
	}
}

// discard reads, on a goroutine, whatever comes until the connection ends.
func (c *rawClient) discard() { go io.Copy(io.Discard, c.conn) }
