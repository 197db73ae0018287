package engineio

import "sync"

// queue holds the frames of one session that its transport has not taken, in
// order. Session.mu guards it. It holds no memory while it is empty.
type queue struct {
	frames *[]Frame
	first  int // frames before it are gone
	bytes  int
}

var frameSlices = sync.Pool{New: func() any { s := make([]Frame, 0, 16); return &s }}

func (q *queue) empty() bool { return q.frames == nil }

func (q *queue) push(frames ...Frame) {
	if q.frames == nil {
		q.frames = frameSlices.Get().(*[]Frame)
	}
	if n := len(*q.frames); q.first > 16 && q.first > n/2 {
		// A queue that is never empty must not grow for ever.
		rest := copy(*q.frames, (*q.frames)[q.first:])
		clear((*q.frames)[rest:])
		*q.frames, q.first = (*q.frames)[:rest], 0
	}
	*q.frames = append(*q.frames, frames...)
	for _, f := range frames {
		q.bytes += len(f.wire)
	}
}

// pack moves frames to the end of buf as far as its capacity reaches. A frame
// that alone is larger comes back by itself, where buf is empty.
func (q *queue) pack(buf []byte) (packed, large []byte) {
	if q.frames == nil {
		return buf, nil
	}
	rest := (*q.frames)[q.first:]
	for i, f := range rest {
		if len(f.wire) > cap(buf)-len(buf) {
			if len(buf) == 0 {
				large = f.wire
				i++
			}
			q.pop(i)
			return buf, large
		}
		buf = append(buf, f.wire...)
	}
	q.pop(len(rest))
	return buf, nil
}

func (q *queue) pop(n int) {
	gone := (*q.frames)[q.first : q.first+n]
	for _, f := range gone {
		q.bytes -= len(f.wire)
	}
	if q.first += n; q.first < len(*q.frames) {
		clear(gone)
		return
	}
	q.recycle()
}

// all returns the frames; they stay valid until recycle.
func (q *queue) all() []Frame {
	if q.frames == nil {
		return nil
	}
	return (*q.frames)[q.first:]
}

// recycle empties the queue. Large slices are left to the garbage collector.
func (q *queue) recycle() {
	if p := q.frames; p != nil && cap(*p) <= 1024 {
		clear(*p)
		*p = (*p)[:0]
		frameSlices.Put(p)
	}
	*q = queue{}
}
