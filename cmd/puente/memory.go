package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What stays in memory is connections, thousands of small things; what comes
// and goes is messages. One percentage of garbage for all times would be too
// little for the few connections that are busy and too much for the many that
// are silent. So a small heap gets room enough that the collector rests, a
// large one half its size, and a process with nothing to do gives all of it
// back to the system.
const (
	room       = 32 << 20 // bytes allocated between two collections of a small heap
	leastRoom  = 50       // percent of what lives: of a large heap
	mostRoom   = 400      // and at most, since a heap that was small a moment ago may not be
	tendEvery  = 500 * time.Millisecond
	quietBytes = 128 << 10 // allocated in tendEvery at most where nothing is going on
	quietTicks = 2         // for so long, before memory is given back
	worthwhile = 8 << 20   // bytes allocated since it last was
)

// tending decides how much memory the process keeps.
type tending struct {
	allocated uint64 // so far, at the last tick
	released  uint64 // and when memory was given back
	quiet     int    // ticks without much of it
}

// tick is told how many bytes live, and how many were ever allocated. It
// returns how much garbage to allow, in percent of what lives, and whether to
// give memory back now.
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

// tendMemory sets the collector's pace and gives memory back until ctx ends.
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
