package deflate

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/flate"
)

// Errors of [Decompressor.Decompress].
var (
	ErrTooLarge = errors.New("compressed message too large")
	ErrCorrupt  = errors.New("compressed message is corrupt")
)

const (
	// tail ends each message and is not sent (section 7.2.1).
	tail = "\x00\x00\xff\xff"
	// last is a block that ends the stream.
	last = "\x01\x00\x00\xff\xff"
)

// Decompressor decompresses messages. Its methods are safe for concurrent use.
type Decompressor struct{ pool *Pool[*reader] }

type reader struct {
	flate io.Reader
	input *bufio.Reader
	buf   [32 << 10]byte
}

// NewDecompressor returns a decompressor.
func NewDecompressor() *Decompressor {
	return &Decompressor{NewPool(func() *reader {
		// The decoder is fastest on a bufio.Reader and some readers that need the message
		// in one piece with its end.
		input := bufio.NewReader(nil)
		return &reader{flate: flate.NewReader(input), input: input}
	})}
}

// Decompress returns the message (section 7.2.2), in a buffer of its own, or ErrTooLarge
// if it has more than limit bytes, or ErrCorrupt. It never produces much more than limit
// bytes, and allocates nothing for a message that is too large. It may wait, but only
// for other goroutines to decompress.
func (d *Decompressor) Decompress(compressed []byte, limit int) ([]byte, error) {
	r := d.pool.Get()
	defer d.pool.Put(r)
	defer r.input.Reset(nil) // it must not keep the message
	r.reset(compressed)
	n, err := r.fill(r.buf[:])
	if err == io.EOF && n <= limit {
		return bytes.Clone(r.buf[:n]), nil
	}
	size := n
	for err == nil && size <= limit {
		n, err = r.fill(r.buf[:])
		size += n
	}
	switch {
	case size > limit:
		return nil, ErrTooLarge
	case err != io.EOF:
		return nil, ErrCorrupt
	}
	// Once more, now that the size is known: a buffer that grows would take up to twice
	// the limit.
	message := make([]byte, size)
	r.reset(compressed)
	if n, err := r.fill(message); n < size {
		return nil, errors.Join(ErrCorrupt, err)
	}
	return message, nil
}

func (r *reader) reset(compressed []byte) {
	r.input.Reset(io.MultiReader(bytes.NewReader(compressed), bytes.NewReader([]byte(tail+last))))
	r.flate.(flate.Resetter).Reset(r.input, nil)
}

// fill reads until b is full or there is an error; io.EOF is the end of the message.
func (r *reader) fill(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = r.flate.Read(b[n:])
		n += m
	}
	return n, err
}
