package engineio

import (
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
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

// What 1,000 silent WebSockets hold on the heap, the clients' side included, with
// and without the values of their requests.
func BenchmarkIdleSession(b *testing.B) {
	for name, choose := range map[string]func(*http.Request) context.Context{
		"values": nil, "none": func(*http.Request) context.Context { return nil },
	} {
		b.Run(name, func(b *testing.B) {
			const sessions = 1000
			for b.Loop() {
				e := serve(b, Options{Context: choose})
				e.accept = acceptFuncs(HandlerFuncs{})
				rawWebSocket(b, e, "")
				before := heap()
				conns := make([]net.Conn, sessions)
				for i := range conns {
					conns[i] = rawWebSocket(b, e, "")
				}
				b.ReportMetric(float64(heap()-before)/sessions, "B/session")
				for _, c := range conns {
					c.Close()
				}
			}
		})
	}
}

// heap returns the bytes of the live objects.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
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
