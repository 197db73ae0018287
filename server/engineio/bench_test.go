package engineio

import (
	"io"
	"testing"

	"github.com/gobwas/ws"
)

// One message each way over a WebSocket, one at a time.
func BenchmarkEcho(b *testing.B) {
	e := serve(b, Options{})
	e.accept = acceptFuncs(HandlerFuncs{Message: func(s *Session, data []byte, _ bool) { s.SendNow(TextFrame(data)) }})
	conn := rawWebSocket(b, e, "")
	if _, err := ws.ReadFrame(conn); err != nil { // the open packet
		b.Fatal(err)
	}
	frame, answer := clientFrame(ws.OpText, true, "4some text"), make([]byte, 12)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(frame); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, answer); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkQueue(b *testing.B) {
	var q queue
	f := TextFrame([]byte("some text"))
	buf := make([]byte, 0, chunkSize)
	b.ReportAllocs()
	for b.Loop() {
		for range 8 {
			q.push(f)
		}
		q.pack(buf)
	}
}
