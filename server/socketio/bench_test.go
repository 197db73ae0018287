package socketio_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/puente-io/puente/server/socketio"
)

// The whole way: socket, frame, packet, handler, acknowledgement, socket.
func BenchmarkEcho(b *testing.B) {
	srv := serve(b, socketio.Options{})
	srv.IO.Namespace("/").Handle("echo", socketio.Func(func(_ context.Context, _ *socketio.Socket, in string) (string, error) { return in, nil }))
	frame := rawFrame(`420["echo","some text"]`)
	b.Run("serial", func(b *testing.B) {
		c := dialRaw(b, srv)
		b.ReportAllocs()
		for b.Loop() {
			c.write(b, frame)
			c.skip(b)
		}
	})
	b.Run("pipelined", func(b *testing.B) { // 32 at once, which share system calls
		c := dialRaw(b, srv)
		var batch []byte
		for range 32 {
			batch = append(batch, frame...)
		}
		b.ReportAllocs()
		for i := 0; i < b.N; i += 32 {
			c.write(b, batch)
			for range 32 {
				c.skip(b)
			}
		}
	})
}

// Clients that read get a broadcast; the time is that of one broadcast to all of them.
func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			srv := serve(b, socketio.Options{})
			for range n {
				dialRaw(b, srv).discard()
			}
			ns := srv.IO.Namespace("/")
			payload := map[string]any{"status": "completed", "n": 12345}
			b.ReportAllocs()
			for b.Loop() {
				if err := ns.Emit(context.Background(), "update", payload); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/recipient")
		})
	}
}

func BenchmarkAppendArg(b *testing.B) {
	type update struct {
		RoomID  string         `json:"roomId"`
		Payload socketio.Value `json:"payload"`
	}
	value := socketio.Value{JSON: []byte(`{"status":"completed","n":12345}`)}
	for name, arg := range map[string]any{
		"string": "some text", "value": value, "struct": update{"order-123", value},
		"map": map[string]any{"status": "completed", "n": 12345},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 1024)
			for b.Loop() {
				if _, _, err := socketio.AppendArg(buf, nil, arg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	v := socketio.Value{JSON: []byte(`{"roomId":"order-123","type":"ORDER_STATUS_CHANGED","payload":{"status":"completed","n":12345}}`)}
	b.ReportAllocs()
	for b.Loop() {
		var in struct {
			RoomID, Type string
			Payload      socketio.Value
		}
		if err := v.Decode(&in); err != nil {
			b.Fatal(err)
		}
	}
}
