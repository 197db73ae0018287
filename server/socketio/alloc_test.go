//go:build !race

package socketio_test

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// An additional recipient of a broadcast costs no allocation.
func TestAllocsPerRecipient(t *testing.T) {
	srv := serve(t, socketio.Options{})
	noAllocsPerRecipient(t, srv, func() { dialRaw(t, srv).discard() })
}

// A broadcast is encoded once for each parser: a recipient more costs no allocation,
// whatever it speaks.
func TestAllocsPerMixedRecipient(t *testing.T) {
	srv := serve(t, socketio.Options{})
	noAllocsPerRecipient(t, srv, func() {
		dialRaw(t, srv).discard()
		dialRawMsgpack(t, srv).discard()
	})
}

// noAllocsPerRecipient compares broadcasts to 20 sockets and to 220. connect connects
// some.
func noAllocsPerRecipient(t *testing.T, srv *socketiotest.Server, connect func()) {
	t.Helper()
	ns := srv.IO.Namespace("/")
	measure := func(n int) float64 {
		for ns.Count() < n {
			connect()
		}
		emit := func() {
			if err := ns.Emit(context.Background(), "update", "payload"); err != nil {
				t.Error(err)
			}
		}
		for range 200 { // fill the pools
			emit()
		}
		return testing.AllocsPerRun(1000, emit)
	}
	few, many := measure(20), measure(220)
	t.Logf("%.1f allocations for 20 recipients, %.1f for 220", few, many)
	if per := (many - few) / 200; per > 0.02 {
		t.Errorf("%.3f allocations per recipient, want 0", per)
	}
}

// The allocations of an event that is acknowledged with its own argument are: the bytes of
// the packet, the event, the list of events, the decoded argument, the same as an any, and
// the frame of the reply.
func TestAllocsPerEcho(t *testing.T) {
	const most = 7 // 6, and one for pools that a collection has emptied
	srv := serve(t, socketio.Options{})
	srv.IO.Namespace("/").Handle("echo", socketio.Func(func(_ context.Context, _ *socketio.Socket, in string) (string, error) { return in, nil }))
	c := dialRaw(t, srv)
	frame := rawFrame(`420["echo","some text"]`)
	echo := func() {
		c.write(t, frame)
		c.skip(t)
	}
	for range 200 {
		echo()
	}
	got := testing.AllocsPerRun(2000, echo)
	t.Logf("%.1f allocations per echo", got)
	if got > most {
		t.Errorf("%.1f allocations per echo, want at most %d", got, most)
	}
}

// A packet that this server has no recipient for is not encoded.
func TestAllocsWithoutRecipients(t *testing.T) {
	ns := serve(t, socketio.Options{}).IO.Namespace("/")
	text := socketio.Value{JSON: []byte(`"` + strings.Repeat("x", 1<<20) + `"`)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		if err := ns.To("nobody").Emit(t.Context(), "update", text); err != nil {
			t.Error(err)
		}
	}
	runtime.ReadMemStats(&after)
	// The argument is copied once for the packet, and not a second time for a frame.
	if per := (after.TotalAlloc - before.TotalAlloc) / 10; per > 3<<19 {
		t.Errorf("%d bytes allocated for an event of 1 MiB to an empty room", per)
	}
}
