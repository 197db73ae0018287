package socketio_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// A negative value means no limit or, for options that cannot be turned off, the default.
func TestOptionsBelowZero(t *testing.T) {
	srv := serve(t, socketio.Options{
		ConnectTimeout: -1, AttachmentTimeout: -1, MaxAttachments: -1, MaxAttachmentBytes: -1, MaxArguments: -1, MaxDepth: -1,
		MaxNamespaces: -1, MaxRefusedConnects: -1, RefusalWindow: -1, MaxPendingEvents: -1, MaxPendingBytes: -1, MaxAnonymousBytes: -1, AckTimeout: -1,
	})
	ns := srv.IO.Namespace("/")
	ns.Handle("count", socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error {
		return e.Reply(e.Len(), len(e.Args()[0].Attachments))
	}))
	busy := make(chan struct{})
	ns.Handle("busy", socketio.HandlerFunc(func(context.Context, *socketio.Socket, *socketio.Event) error { <-busy; return nil }))
	c := dial(t, srv)
	args := make([]any, 2000)
	for i := range args {
		args[i] = i
		if i < 20 {
			args[i] = []byte("x")
		}
	}
	if got := text(c.EmitAck("count", args...)); got != `[2000,20]` {
		t.Errorf("got %s", got)
	}
	c.SendText(`2["count",` + nested(513) + `]`) // refused as by default
	if got := text(c.EmitAck("count", 1)); got != `[1,0]` || srv.IO.LimitCounts().Depth != 1 {
		t.Errorf("got %s, %+v", got, srv.IO.LimitCounts())
	}
	c.Emit("busy")
	for range 500 {
		c.Emit("e", strings.Repeat("x", 10_000))
	}
	for i := range 150 {
		name := fmt.Sprint("/", i)
		srv.IO.Namespace(name)
		if _, refusal := socketiotest.Join(t, c.Conn, name, nil); refusal != nil {
			t.Fatalf("%s: %s", name, refusal)
		}
	}
	close(busy)
	if got := text(c.EmitAck("count", 1)); got != `[1,0]` {
		t.Errorf("got %s", got)
	}
}
