package deflate

import (
	"bytes"
	"sync/atomic"

	"github.com/klauspost/compress/flate"
)

// maxKept is how large a buffer may be that a compressor keeps.
const maxKept = 64 << 10

// Compressor compresses messages. Its methods are safe for concurrent use.
type Compressor struct {
	pool *Pool[*writer]

	messages, before, after atomic.Int64
}

// Counts says how many messages were compressed, and their bytes before and after. One
// that would not be smaller counts with its own size in both.
type Counts struct{ Messages, Before, After int64 }

type writer struct {
	flate *flate.Writer
	out   bytes.Buffer
}

// NewCompressor returns a compressor of a level from 1, the fastest, to 9.
func NewCompressor(level int) *Compressor {
	return &Compressor{pool: NewPool(func() *writer {
		w := new(writer)
		w.flate, _ = flate.NewWriter(&w.out, level) // fails for another level only
		return w
	})}
}

// Compress returns the compressed message (section 7.2.1), after room bytes for the
// caller, in a buffer of its own. It returns nil if the message would not be smaller. It
// may wait, but only for other goroutines to compress.
func (c *Compressor) Compress(message []byte, room int) []byte {
	w := c.pool.Get()
	defer c.pool.Put(w)
	w.out.Reset()
	w.flate.Reset(&w.out)
	w.flate.Write(message) // a buffer does not fail
	w.flate.Flush()
	compressed := w.out.Bytes()[:w.out.Len()-len(tail)]
	c.messages.Add(1)
	c.before.Add(int64(len(message)))
	c.after.Add(int64(min(len(compressed), len(message))))
	var b []byte
	if len(compressed) < len(message) {
		b = make([]byte, room+len(compressed))
		copy(b[room:], compressed)
	}
	if w.out.Cap() > maxKept {
		w.out = bytes.Buffer{}
	}
	return b
}

// Counts returns the current counts.
func (c *Compressor) Counts() Counts {
	return Counts{Messages: c.messages.Load(), Before: c.before.Load(), After: c.after.Load()}
}
