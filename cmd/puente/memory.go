package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Connections stay in memory, as thousands of small objects; messages are garbage soon.
// One fixed GOGC would collect too often for a few busy connections, and keep too much
// garbage for many silent ones. So a small heap may grow by a fixed size between
// collections, a large one by half, and an idle process returns its free memory to the
// system.
const (
	room       = 32 << 20 // bytes that a small heap may grow by between collections
	leastRoom  = 50       // GOGC of a large heap, in percent
	mostRoom   = 400      // the largest GOGC, because a small heap may grow suddenly
	tendEvery  = 500 * time.Millisecond
	quietBytes = 128 << 10 // a process is idle if it allocates at most this in tendEvery,
	quietTicks = 2         // so many times in succession
	worthwhile = 8 << 20   // bytes allocated since memory was last returned
)

// tending decides how much memory the process keeps.
type tending struct {
	allocated uint64 // bytes allocated until the last tick
	released  uint64 // bytes allocated until memory was last returned
	quiet     int    // idle ticks in succession
}

// tick takes the bytes that are live and the bytes that were allocated so far. It
// returns the GOGC to set, in percent, and whether to return memory to the system now.
func (t *tending) tick(live, allocated uint64) (percent int, release bool) {
	percent = int(min(max(room*100/max(live, 1), leastRoom), mostRoom))
	if t.quiet++; allocated-t.allocated > quietBytes {
		t.quiet = 0
	}
	t.allocated = allocated
	if t.quiet >= quietTicks && allocated-t.released >= worthwhile {
		t.released, release = allocated, true
	}
	return percent, release
}

// tendMemory adjusts GOGC and returns memory to the system until ctx ends.
func tendMemory(ctx context.Context) {
	var t tending
	heap := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	percent := mostRoom
	debug.SetGCPercent(percent)
	every := time.NewTicker(tendEvery)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
		metrics.Read(heap)
		p, release := t.tick(heap[0].Value.Uint64(), heap[1].Value.Uint64())
		if p != percent {
			percent = p
			debug.SetGCPercent(p)
		}
		if release {
			debug.FreeOSMemory()
		}
	}
}
