package socketio_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// Each limit that stops a client is counted once, no other counter changes, and other
// clients do not notice.
func TestLimitCounts(t *testing.T) {
	engine := func(c engineio.LimitCounts) socketio.LimitCounts { return socketio.LimitCounts{LimitCounts: c} }
	say := func(packets ...string) func(*engineiotest.Conn) {
		return func(c *engineiotest.Conn) {
			for _, p := range packets {
				c.SendText(p)
			}
		}
	}
	deep := strings.Repeat(`{"a":`, 6) + `1` + strings.Repeat(`}`, 6)
	for _, tc := range []struct {
		name string
		hit  func(*engineiotest.Conn)
		want socketio.LimitCounts
	}{
		{"attachments", say(`0`, `53-["echo"]`), socketio.LimitCounts{Attachments: 1}},
		{"malformed attachments", say(`0`, `5x-["echo"]`), socketio.LimitCounts{}},
		{"arguments", say(`0`, `2["echo",1,2,3,4]`, `x`), socketio.LimitCounts{Arguments: 1}},
		{"arguments of an acknowledgement", say(`0`, `31[1,2,3,4]`, `x`), socketio.LimitCounts{Arguments: 1}},
		{"depth", say(`0`, `2["echo",`+deep+`]`, `x`), socketio.LimitCounts{Depth: 1}},
		{"depth of an acknowledgement", say(`0`, `31[`+deep+`]`, `x`), socketio.LimitCounts{Depth: 1}},
		{"depth of CONNECT", say(`0`+deep, `x`), socketio.LimitCounts{Depth: 1}},
		{"namespaces", say(`0`, `0/a,`, `0/b,`, `x`), socketio.LimitCounts{Namespaces: 1}},
		{"no CONNECT", say(), socketio.LimitCounts{ConnectTimeouts: 1}},
		{"no attachment", say(`0`, `51-["echo",{"_placeholder":true,"num":0}]`), socketio.LimitCounts{AttachmentTimeouts: 1}},
		{"message", say(`0`, `2["echo","`+strings.Repeat("x", 1000)+`"]`), engine(engineio.LimitCounts{MessageBytes: 1})},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opts := socketio.Options{
				MaxAttachments: 2, MaxArguments: 3, MaxDepth: 5, MaxNamespaces: 2,
				ConnectTimeout: 20 * time.Second, AttachmentTimeout: 20 * time.Second,
				Engine: engineio.Options{MaxHTTPBufferSize: 1000},
			}
			inBubble(t, opts, func(t *testing.T, io *socketio.Server, opts engineiotest.Options) {
				io.Namespace("/").Handle("echo", echo)
				for _, name := range []string{"/a", "/b"} {
					io.Namespace(name)
				}
				good, _ := socketiotest.Join(t, engineiotest.Dial(t, endpoint, opts), "/", nil)
				c := engineiotest.Dial(t, endpoint, opts)
				tc.hit(c)
				c.End()
				synctest.Wait()
				if got := io.LimitCounts(); got != tc.want {
					t.Errorf("counts %+v, want %+v", got, tc.want)
				}
				if got := text(good.EmitAck("echo", "alive")); got != `["alive"]` {
					t.Errorf("another client got %s", got)
				}
			})
		})
	}
}

// If a client sends faster than its handlers work, the server stops reading from it, and
// counts that.
func TestPendingEventsCount(t *testing.T) {
	busy := make(chan struct{})
	srv := serve(t, socketio.Options{MaxPendingEvents: 2})
	srv.IO.Namespace("/").Handle("wait", socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error {
		<-busy
		e.Return()
		return nil
	}))
	c := dial(t, srv)
	c.Emit("wait")
	for range 10 {
		c.Emit("wait")
	}
	deadline := time.After(engineiotest.Wait)
	for srv.IO.LimitCounts().PendingEvents == 0 {
		select {
		case <-deadline:
			t.Fatal("ten events wait, and no client was stopped")
		case <-time.After(time.Millisecond):
		}
	}
	close(busy)
	c.EmitAck("wait")
}
