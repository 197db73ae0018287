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

func BenchmarkFrameReader(b *testing.B) {
	var in []byte
	for range 100 {
		in = append(in, clientFrame(ws.OpText, true, `42["publish-update",{"roomId":"order-123","type":"X","payload":{"n":1}}]`)...)
	}
	buf := make([]byte, len(in))
	r := &frameReader{limit: 1e6}
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, in)
		if err := r.feed(buf, func(ws.OpCode, []byte) bool { return true }); err != nil {
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
