package handlers_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/puente-io/puente/handlers"
	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// BenchmarkPublishUpdate measures an update through the whole server: a WebSocket
// message in, an acknowledgement and the update out. The client sends the same bytes
// each time and does not allocate, so that all allocations are the server's. One
// operation is one event.
func BenchmarkPublishUpdate(b *testing.B) {
	const batch = 64
	sio := socketio.New(socketio.Options{})
	verifier, err := auth.New(auth.Options{Secret: []byte(secret)})
	must(err)
	// The rate limit is on, so that its cost is measured, but never reached.
	svc, err := realtime.New(realtime.Options{Namespace: sio.Namespace("/"), Verifier: verifier, RateLimit: 1 << 40})
	must(err)
	handlers.Register(svc)
	site := serve(sio, sio)
	defer site.stop()

	conn := dialBare(site, "ana")
	defer conn.Close()
	conn.exchange(`420["join-room","r"]`, 1)
	// All acknowledgements have the same id and so the same length.
	const event = `421["publish-update",{"roomId":"r","type":"ORDER_CREATED","payload":{"id":7,"item":"tea","price":[1.50,"EUR"]}}]`
	size := conn.exchange(event, 2)
	var one bytes.Buffer
	must(wsutil.WriteClientText(&one, []byte(event)))
	out, in := bytes.Repeat(one.Bytes(), batch), make([]byte, batch*size)

	b.ReportAllocs()
	b.SetBytes(int64(one.Len()))
	b.ResetTimer()
	for left := b.N; left > 0; left -= batch {
		n := min(left, batch)
		_, err := conn.Write(out[:n*one.Len()])
		must(err)
		_, err = io.ReadFull(conn, in[:n*size])
		must(err)
	}
}

// bare is a WebSocket connection without a background reader.
type bare struct {
	net.Conn
	buffered io.Reader
}

func (c bare) Read(b []byte) (int, error) { return c.buffered.Read(b) }

func dialBare(site *site, user string) bare {
	conn, br, _, err := ws.Dial(context.Background(), "ws"+site.URL[len("http"):]+"/socket.io/?EIO=4&transport=websocket")
	must(err)
	token, err := auth.Sign([]byte(secret), auth.Grant{UserID: ident.Of(user)})
	must(err)
	c := bare{conn, conn}
	if br != nil { // the open packet arrived with the handshake's response
		c.buffered = br
	}
	c.frames(1) // open
	must(wsutil.WriteClientText(conn, []byte(`40{"token":"`+token+`"}`)))
	c.frames(2) // CONNECT, authenticated
	return c
}

// exchange sends a message, reads the given number of frames and returns their total
// size.
func (c bare) exchange(message string, frames int) int {
	must(wsutil.WriteClientText(c, []byte(message)))
	return c.frames(frames)
}

func (c bare) frames(n int) (size int) {
	for range n {
		h, err := ws.ReadHeader(c)
		must(err)
		_, err = io.CopyN(io.Discard, c, h.Length)
		must(err)
		size += ws.HeaderSize(h) + int(h.Length)
	}
	return size
}
