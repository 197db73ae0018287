package types

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// BufferInterface is a binary argument as handlers receive it (a *BytesBuffer), or a
// text (a *StringBuffer): bytes that are read from the front and written at the end.
type BufferInterface interface {
	io.ReadWriteSeeker
	io.ReaderFrom
	io.WriterTo
	io.ByteScanner
	io.ByteWriter
	io.RuneScanner
	io.StringWriter
	WriteRune(rune) (int, error)
	Bytes() []byte
	AvailableBuffer() []byte
	fmt.Stringer
	fmt.GoStringer
	Len() int
	Size() int64
	Cap() int
	Available() int
	Truncate(int)
	Reset()
	Grow(int)
	Next(int) []byte
	ReadBytes(byte) ([]byte, error)
	ReadString(byte) (string, error)
	Clone() BufferInterface
}

// Buffer is like a bytes.Buffer that keeps what has been read, so that Seek can go
// back to it. It is not safe for concurrent use.
type Buffer struct {
	b    []byte
	at   int // b[:at] has been read
	last int // bytes of the last ReadByte or ReadRune, for Unread
}

// Errors of a Buffer.
var (
	errSeek   = errors.New("types: Seek to a position outside of the buffer")
	errUnread = errors.New("types: Unread without a Read before it")
)

// NewBuffer returns a buffer of these bytes, which belong to it from then on.
func NewBuffer(b []byte) *Buffer { return &Buffer{b: b} }

// NewBufferString returns a buffer of a text.
func NewBufferString(s string) *Buffer { return &Buffer{b: []byte(s)} }

// Bytes returns the bytes that have not been read. They are the buffer's.
func (b *Buffer) Bytes() []byte { return b.b[b.at:] }

// String returns the bytes that have not been read.
func (b *Buffer) String() string {
	if b == nil {
		return "<nil>"
	}
	return string(b.b[b.at:])
}

// Len returns the number of bytes that have not been read.
func (b *Buffer) Len() int { return len(b.b) - b.at }

// Size returns the number of bytes, read ones included.
func (b *Buffer) Size() int64 { return int64(len(b.b)) }

// Cap returns how many bytes fit without an allocation, those in the buffer included.
func (b *Buffer) Cap() int { return cap(b.b) }

// Available returns how many bytes can be written without an allocation.
func (b *Buffer) Available() int { return cap(b.b) - len(b.b) }

// AvailableBuffer returns an empty slice of the free space, to append to and Write.
func (b *Buffer) AvailableBuffer() []byte { return b.b[len(b.b):] }

// Grow makes room for n bytes. It panics if n is negative.
func (b *Buffer) Grow(n int) { b.b = slices.Grow(b.b, n) }

// Truncate keeps the first n bytes of those that have not been read.
func (b *Buffer) Truncate(n int) { b.b, b.last = b.b[:b.at+n], 0 }

// Reset removes all bytes.
func (b *Buffer) Reset() { b.b, b.at, b.last = b.b[:0], 0, 0 }

// Write appends bytes. The error is always nil.
func (b *Buffer) Write(p []byte) (int, error) {
	b.b, b.last = append(b.b, p...), 0
	return len(p), nil
}

// WriteString is Write for a text.
func (b *Buffer) WriteString(s string) (int, error) {
	b.b, b.last = append(b.b, s...), 0
	return len(s), nil
}

// WriteByte is Write for one byte.
func (b *Buffer) WriteByte(c byte) error {
	b.b, b.last = append(b.b, c), 0
	return nil
}

// WriteRune is Write for one character.
func (b *Buffer) WriteRune(r rune) (int, error) {
	before := len(b.b)
	b.b, b.last = utf8.AppendRune(b.b, r), 0
	return len(b.b) - before, nil
}

// ReadFrom appends all that r has.
func (b *Buffer) ReadFrom(r io.Reader) (int64, error) {
	w := bytes.NewBuffer(b.b)
	n, err := w.ReadFrom(r)
	b.b, b.last = w.Bytes(), 0
	return n, err
}

// WriteTo writes what has not been read.
func (b *Buffer) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(b.Bytes())
	b.at, b.last = b.at+n, 0
	return int64(n), err
}

// Next reads n bytes, or fewer at the end. They are the buffer's.
func (b *Buffer) Next(n int) []byte {
	p := b.b[b.at : b.at+min(n, b.Len())]
	b.at, b.last = b.at+len(p), 0
	return p
}

// Read implements io.Reader.
func (b *Buffer) Read(p []byte) (int, error) {
	if b.Len() == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return copy(p, b.Next(len(p))), nil
}

// ReadByte reads one byte, or returns io.EOF.
func (b *Buffer) ReadByte() (byte, error) {
	p := b.Next(1)
	if len(p) == 0 {
		return 0, io.EOF
	}
	b.last = 1
	return p[0], nil
}

// ReadRune reads one character, or returns io.EOF.
func (b *Buffer) ReadRune() (r rune, size int, err error) {
	if b.Len() == 0 {
		return 0, 0, io.EOF
	}
	r, size = utf8.DecodeRune(b.Bytes())
	b.Next(size)
	b.last = size
	return r, size, nil
}

// UnreadByte takes the last ReadByte or ReadRune back by one byte.
func (b *Buffer) UnreadByte() error { return b.unread(min(b.last, 1)) }

// UnreadRune takes the last ReadRune back.
func (b *Buffer) UnreadRune() error { return b.unread(b.last) }

func (b *Buffer) unread(n int) error {
	if n == 0 {
		return errUnread
	}
	b.at, b.last = b.at-n, 0
	return nil
}

// ReadBytes reads up to and including delim. Without one it reads all, and returns
// io.EOF.
func (b *Buffer) ReadBytes(delim byte) ([]byte, error) {
	if i := bytes.IndexByte(b.Bytes(), delim); i >= 0 {
		return bytes.Clone(b.Next(i + 1)), nil
	}
	return bytes.Clone(b.Next(b.Len())), io.EOF
}

// ReadString is ReadBytes for texts.
func (b *Buffer) ReadString(delim byte) (string, error) {
	p, err := b.ReadBytes(delim)
	return string(p), err
}

// Seek implements io.Seeker, within what is in the buffer.
func (b *Buffer) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += int64(b.at)
	case io.SeekEnd:
		offset += int64(len(b.b))
	}
	if offset < 0 || offset > int64(len(b.b)) {
		return 0, errSeek
	}
	b.at, b.last = int(offset), 0
	return offset, nil
}

// Clone returns a copy.
func (b *Buffer) Clone() *Buffer {
	if b == nil {
		return nil
	}
	return &Buffer{b: bytes.Clone(b.b), at: b.at, last: b.last}
}

// BytesBuffer is a buffer that is sent as a binary attachment.
type BytesBuffer struct{ *Buffer }

// NewBytesBuffer returns a buffer of these bytes, which belong to it from then on.
func NewBytesBuffer(b []byte) BufferInterface { return &BytesBuffer{NewBuffer(b)} }

// NewBytesBufferString returns a buffer of the bytes of a text.
func NewBytesBufferString(s string) BufferInterface { return &BytesBuffer{NewBufferString(s)} }

// NewBytesBufferReader returns a buffer of all that r has.
func NewBytesBufferReader(r io.Reader) (BufferInterface, error) {
	b := NewBytesBuffer(nil)
	_, err := b.ReadFrom(r)
	return b, err
}

// Clone returns a copy.
func (b *BytesBuffer) Clone() BufferInterface { return &BytesBuffer{b.Buffer.Clone()} }

// GoString implements fmt.GoStringer.
func (b *BytesBuffer) GoString() string { return fmt.Sprintf("%v", b.Bytes()) }

// StringBuffer is a buffer that is sent as a text.
type StringBuffer struct{ *Buffer }

// NewStringBuffer returns a buffer of these bytes, which belong to it from then on.
func NewStringBuffer(b []byte) BufferInterface { return &StringBuffer{NewBuffer(b)} }

// NewStringBufferString returns a buffer of a text.
func NewStringBufferString(s string) BufferInterface { return &StringBuffer{NewBufferString(s)} }

// NewStringBufferReader returns a buffer of all that r has.
func NewStringBufferReader(r io.Reader) (BufferInterface, error) {
	b := NewStringBuffer(nil)
	_, err := b.ReadFrom(r)
	return b, err
}

// Clone returns a copy.
func (b *StringBuffer) Clone() BufferInterface { return &StringBuffer{b.Buffer.Clone()} }

// GoString implements fmt.GoStringer.
func (b *StringBuffer) GoString() string { return b.String() }

// MarshalJSON encodes the buffer as a string.
func (b *StringBuffer) MarshalJSON() ([]byte, error) { return json.Marshal(b.String()) }

// UnmarshalJSON decodes a string.
func (b *StringBuffer) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	b.Buffer = NewBufferString(s)
	return nil
}
