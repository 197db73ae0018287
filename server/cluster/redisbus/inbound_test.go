package redisbus

import "testing"

// The more waits to be delivered, the higher is the backlog.
func TestBacklog(t *testing.T) {
	q := newInbound(16_000)
	d := delivery{payload: string(make([]byte, 1000-128))}
	for i := range 16 {
		want := Low
		switch {
		case i > 12:
			want = Full
		case i > 1:
			want = High
		}
		if got := q.backlog(); got != want {
			t.Errorf("with %d messages: %d, want %d", i, got, want)
		}
		if !q.put(t.Context(), d, func() { t.Error("full") }) {
			t.Fatal("not put")
		}
	}
	for range q.take(t.Context()) {
		q.done(d)
	}
	if got := q.backlog(); got != Low {
		t.Errorf("at the end: %d", got)
	}
}
