package isotime

import (
	"testing"
	"time"
)

func TestAppend(t *testing.T) {
	for _, at := range []time.Time{
		time.Date(2024, 12, 20, 15, 30, 0, 0, time.UTC),
		time.Date(2024, 2, 29, 23, 59, 59, 999_999_999, time.FixedZone("", -3600)),
		time.Date(1000, 1, 1, 0, 0, 0, 1_000_000, time.UTC),
		time.Date(999, 1, 1, 0, 0, 0, 10_000_000, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 120_000_000, time.UTC),
		time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Time{},
		time.Now(),
	} {
		if got, want := string(Append(nil, at)), at.UTC().Format(Layout); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	var buf [32]byte
	now := time.Now()
	b.Run("here", func(b *testing.B) {
		for b.Loop() {
			Append(buf[:0], now)
		}
	})
	b.Run("by layout", func(b *testing.B) {
		for b.Loop() {
			now.UTC().AppendFormat(buf[:0], Layout)
		}
	})
}
