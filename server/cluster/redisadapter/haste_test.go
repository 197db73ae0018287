package redisadapter

import (
	"testing"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// The more waits to be delivered, the less a delivery may wait.
func TestHaste(t *testing.T) {
	q := newInbound(16_000)
	d := delivery{payload: string(make([]byte, 1000-128))}
	for i := range 16 {
		want := adapter.Patient
		switch {
		case i > 12:
			want = adapter.Pressed
		case i > 1:
			want = adapter.Hurried
		}
		if got := q.haste(); got != want {
			t.Errorf("with %d messages: %d, want %d", i, got, want)
		}
		if !q.put(t.Context(), d, func() { t.Error("full") }) {
			t.Fatal("not put")
		}
	}
	for range q.take(t.Context()) {
		q.done(d)
	}
	if got := q.haste(); got != adapter.Patient {
		t.Errorf("at the end: %d", got)
	}
}
