package engineio

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// queue holds the frames of one session that its transport has not taken, in
// order. Session.mu guards it. It holds no memory while it is empty.
type queue struct {
	held   *atomic.Int64 // the bytes that all queues hold; nil: not counted
	frames *[]Frame
	first  int // frames before it are gone
	bytes  int
	list   int // bytes of the list of frames that have been counted
}

const (
	// countedFrom is how many bytes a queue holds before they are counted: most
	// hold fewer, for a moment, and counting has a price.
	countedFrom = 4 << 10
	// countedEntries is how many frames it then holds before its list is counted.
	countedEntries = 128
	entrySize      = int(unsafe.Sizeof(Frame{}))
)

var frameSlices = sync.Pool{New: func() any { s := make([]Frame, 0, 16); return &s }}

func (q *queue) empty() bool { return q.frames == nil }

func (q *queue) push(frames ...Frame) {
	if q.frames == nil {
		q.frames = frameSlices.Get().(*[]Frame)
	}
	if n := len(*q.frames); q.first > 16 && q.first > n/2 {
		// A queue that is never empty must not grow without bound.
		rest := copy(*q.frames, (*q.frames)[q.first:])
		clear((*q.frames)[rest:])
		*q.frames, q.first = (*q.frames)[:rest], 0
	}
	*q.frames = append(*q.frames, frames...)
	for i := range frames {
		q.bytes += len(frames[i].wire)
	}
	if q.bytes > countedFrom && q.held != nil {
		q.count(len(frames))
	}
}

// count counts the last frames of the queue, and its list.
func (q *queue) count(n int) {
	list := *q.frames
	for i := len(list) - n; i < len(list); i++ {
		list[i].count(q.held)
	}
	if len(list) > countedEntries {
		q.countList(cap(list) * entrySize)
	}
}

// countList counts the given bytes for the list of frames.
func (q *queue) countList(bytes int) {
	q.held.Add(int64(bytes - q.list))
	q.list = bytes
}

// pack moves frames to the end of buf as far as its capacity reaches. A frame
// that alone is larger comes back by itself, if buf is empty; the caller must
// uncount it.
func (q *queue) pack(buf []byte) (packed []byte, large Frame) {
	if q.frames == nil {
		return buf, large
	}
	rest := (*q.frames)[q.first:]
	for i, f := range rest {
		if len(f.wire) > cap(buf)-len(buf) {
			if len(buf) == 0 {
				large = f
				rest[i].counted = false // pop must not uncount it
				i++
			}
			q.pop(i)
			return buf, large
		}
		buf = append(buf, f.wire...)
	}
	q.pop(len(rest))
	return buf, large
}

// take moves frames out until they have the given number of bytes, one at least.
// The caller must uncount them.
func (q *queue) take(bytes int) []Frame {
	all := q.all()
	n := 0
	for ; n < len(all) && bytes > 0; n++ {
		bytes -= len(all[n].wire)
	}
	taken := append([]Frame(nil), all[:n]...)
	for i := range all[:n] {
		all[i].counted = false
	}
	q.pop(n)
	return taken
}

func (q *queue) pop(n int) {
	gone := (*q.frames)[q.first : q.first+n]
	for i := range gone {
		q.bytes -= len(gone[i].wire)
		if gone[i].counted {
			gone[i].uncount(q.held)
		}
	}
	if q.first += n; q.first < len(*q.frames) {
		clear(gone)
		return
	}
	q.free()
}

// all returns the frames; they stay valid until recycle.
func (q *queue) all() []Frame {
	if q.frames == nil {
		return nil
	}
	return (*q.frames)[q.first:]
}

// recycle empties the queue.
func (q *queue) recycle() {
	for _, f := range q.all() {
		f.uncount(q.held)
	}
	q.free()
}

// free releases the list, none of whose frames is counted any more. The garbage collector
// gets large ones.
func (q *queue) free() {
	if q.list > 0 {
		q.countList(0)
	}
	if p := q.frames; p != nil && cap(*p) <= 1024 {
		clear(*p)
		*p = (*p)[:0]
		frameSlices.Put(p)
	}
	*q = queue{held: q.held}
}
