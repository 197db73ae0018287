package main

import "testing"

func TestGarbageAllowed(t *testing.T) {
	for _, tc := range []struct{ live, percent int }{
		{0, 400}, {1 << 20, 400}, {8 << 20, 400}, {16 << 20, 200}, {32 << 20, 100}, {64 << 20, 50}, {4 << 30, 50},
	} {
		if got, _ := new(tending).tick(uint64(tc.live), 0); got != tc.percent {
			t.Errorf("%d bytes live: %d %%, want %d", tc.live, got, tc.percent)
		}
	}
}

func TestMemoryIsGivenBack(t *testing.T) {
	var tend tending
	var allocated uint64
	step := func(bytes uint64) bool {
		allocated += bytes
		_, release := tend.tick(1<<20, allocated)
		return release
	}
	for i, tc := range []struct {
		bytes   uint64
		release bool
	}{
		{64 << 20, false}, {quietBytes, false}, {64 << 20, false}, // a pause is no rest
		{quietBytes, false}, {quietBytes, true}, // a rest is
		{0, false}, {0, false}, // of which there is nothing more to be had
		{worthwhile - quietBytes, false}, {0, false}, {quietBytes, true},
	} {
		if got := step(tc.bytes); got != tc.release {
			t.Errorf("step %d: release %v, want %v", i, got, tc.release)
		}
	}
}
