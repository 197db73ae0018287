package socketio_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

var deflating = socketio.Options{Engine: engineio.Options{PerMessageDeflate: true}}

// dialDeflate is dialRaw with permessage-deflate.
func dialDeflate(t testing.TB, srv *socketiotest.Server) *rawClient {
	t.Helper()
	c := dialRawWith(t, srv, ws.Dialer{Extensions: []httphead.Option{wsflate.Parameters{}.Option()}})
	c.write(t, rawFrame("40"))
	c.skip(t)
	return c
}

// frame returns the next frame, unmasked and as it is.
func (c *rawClient) frame(t testing.TB) ws.Frame {
	t.Helper()
	f, err := ws.ReadFrame(c.r)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A broadcast is compressed once, however many clients get it.
func TestBroadcastCompressesOnce(t *testing.T) {
	srv := serve(t, deflating)
	ns := srv.IO.Namespace("/")
	var compressed, plain []*rawClient
	for range 10 {
		compressed, plain = append(compressed, dialDeflate(t, srv)), append(plain, dialRaw(t, srv))
	}
	large := strings.Repeat("x", 4096)
	for i, tc := range []struct {
		name string
		emit func(ctx context.Context) error
		rsv  byte
		want int64
	}{
		{"namespace", func(ctx context.Context) error { return ns.Emit(ctx, "update", large) }, 4, 1},
		{"room", func(ctx context.Context) error { return ns.Except("nobody").Emit(ctx, "update", large) }, 4, 1},
		{"volatile", func(ctx context.Context) error { return ns.Except("nobody").Volatile().Emit(ctx, "update", large) }, 4, 1},
		{"short", func(ctx context.Context) error { return ns.Emit(ctx, "update", large[:900]) }, 0, 0},
		{"uncompressed", func(ctx context.Context) error { return ns.Except("nobody").Compress(false).Emit(ctx, "update", large) }, 0, 0},
	} {
		before := srv.IO.Engine().CompressionCounts().Messages
		if err := tc.emit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := srv.IO.Engine().CompressionCounts().Messages - before; got != tc.want {
			t.Errorf("%d %s: %d compressions", i, tc.name, got)
		}
		for _, c := range compressed {
			if f := c.frame(t); f.Header.Rsv != tc.rsv || tc.rsv != 0 && f.Header.Length > 200 {
				t.Errorf("%s: with the extension came %+v", tc.name, f.Header)
			}
		}
		for _, c := range plain {
			if f := c.frame(t); f.Header.Rsv != 0 {
				t.Errorf("%s: without it came %+v", tc.name, f.Header)
			}
		}
	}
}

// One broadcast of 4 KiB to 500 clients with the extension and 500 without, and to 1,000
// without.
func BenchmarkBroadcastDeflate(b *testing.B) {
	var text strings.Builder
	for i := range 56 {
		fmt.Fprintf(&text, `{"id":%d,"status":"completed","at":"2024-12-20T15:%02d:00.000Z","n":%d}`, i, i, i*7919%100_000)
	}
	for _, deflated := range []int{0, 500} {
		b.Run(fmt.Sprint(deflated), func(b *testing.B) {
			srv := serve(b, deflating)
			for i := range 1000 {
				if i < deflated {
					dialDeflate(b, srv).discard()
				} else {
					dialRaw(b, srv).discard()
				}
			}
			ns := srv.IO.Namespace("/")
			payload := text.String()
			b.ReportAllocs()
			for b.Loop() {
				if err := ns.Emit(context.Background(), "update", payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
