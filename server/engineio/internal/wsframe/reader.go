package wsframe

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Sink receives what a [Reader] has read.
type Sink interface {
	// HandleFrame receives a whole message, with the opcode text or binary, or a
	// control frame. payload is valid until it returns. If it returns false the
	// reader drops the rest of its input.
	HandleFrame(op ws.OpCode, payload []byte) (more bool)
	// AdmitsMessage reports whether the client may send a message of this size, as it is
	// on the wire: compressed, if it is.
	// It is called when a frame's header is known, before its payload is kept, more
	// than once for a frame that comes in pieces, and may block.
	AdmitsMessage(bytes int64) bool
	// Decompress returns the content of a compressed message, in a buffer of its own. It
	// bounds its size, and may block.
	Decompress(payload []byte) ([]byte, *Violation)
}

// Reader turns a client's bytes into messages and control frames. The framing library
// has a reader too, but that one reads from an io.Reader: in the middle of a frame it
// would block a goroutine and keep a buffer, and this one keeps only the unfinished
// frame. The library checks the rules of the protocol and unmasks. The zero value is
// ready to use; one goroutine at a time may use it.
type Reader struct {
	partial []byte // an unfinished frame, header included
	message []byte // the fragments of an unfinished message
	opcode  ws.OpCode
	// Compression says that permessage-deflate (RFC 7692) was negotiated: messages may be
	// compressed. It must be set before the first Feed.
	Compression bool
	compressed  bool // the unfinished message is
	fragments   int
}

// rsv1 marks the first frame of a compressed message (RFC 7692, section 6).
const rsv1 = 4

// MaxFragments bounds the fragments of one message: clients that fragment at
// all do so at kilobytes.
const MaxFragments = 16 * 1024

// Feed reads b, which it may change, and gives the sink each message and control
// frame that b completes, until the sink wants no more. After a violation the
// reader must not be used again.
func (r *Reader) Feed(b []byte, to Sink) *Violation {
	for len(b) > 0 {
		frame := b
		if len(r.partial) > 0 {
			missing, v := r.missing(to)
			if v != nil {
				return v
			}
			n := min(missing, len(b))
			if room := len(r.partial) + n; room > cap(r.partial) {
				// Few copies of a large frame, and little memory for one that is
				// announced and does not come.
				r.partial = slices.Grow(r.partial, min(missing, 3*room))
			}
			r.partial = append(r.partial, b[:n]...)
			frame, b = r.partial, b[n:]
		}
		h, head, v := r.header(frame, to)
		if v != nil {
			return v
		}
		total := head + int(h.Length)
		if head == 0 || len(frame) < total {
			if len(r.partial) == 0 {
				r.partial = append(r.partial, frame...)
				return nil
			}
			continue
		}
		if len(r.partial) > 0 {
			r.partial = nil
		} else {
			b = frame[total:]
		}
		payload := frame[head:total:total]
		ws.Cipher(payload, h.Mask, 0)
		if more, v := r.complete(h, payload, to); v != nil || !more {
			return v
		}
	}
	return nil
}

// missing is how many bytes the unfinished frame is known to lack.
func (r *Reader) missing(to Sink) (int, *Violation) {
	h, head, v := r.header(r.partial, to)
	if v != nil {
		return 0, v
	}
	if head == 0 {
		return headerLen(r.partial) - len(r.partial), nil
	}
	return head + int(h.Length) - len(r.partial), nil
}

// headerLen is the length of the header that b starts with, as far as b says.
func headerLen(b []byte) int {
	if len(b) < 2 {
		return 2
	}
	n := 2
	switch b[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if b[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// header decodes and checks the header of a frame (section 5.2). n is its length,
// 0 if b does not hold all of it.
func (r *Reader) header(b []byte, to Sink) (h ws.Header, n int, v *Violation) {
	n = headerLen(b)
	if len(b) < n || len(b) < 2 {
		return h, 0, nil
	}
	h = ws.Header{
		Fin:    b[0]&0x80 != 0,
		Rsv:    b[0] >> 4 & 7,
		OpCode: ws.OpCode(b[0] & 0xf),
		Masked: b[1]&0x80 != 0,
		Length: int64(b[1] & 0x7f),
	}
	switch h.Length {
	case 126:
		h.Length = int64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		h.Length = int64(binary.BigEndian.Uint64(b[2:]))
	}
	if h.Length < 0 {
		return h, 0, &Violation{CloseTooLarge, ErrTooLarge}
	}
	if h.Masked {
		copy(h.Mask[:], b[n-4:n])
	}
	state := ws.StateServerSide
	if r.opcode != 0 {
		state = state.Set(ws.StateFragmented)
	}
	checked := h
	if r.Compression && h.Rsv == rsv1 && h.OpCode.IsData() && h.OpCode != ws.OpContinuation {
		checked.Rsv = 0
	}
	if err := ws.CheckHeader(checked, state); err != nil {
		return h, 0, &Violation{CloseProtocol, err}
	}
	if !h.OpCode.IsControl() { // they are short
		size := int64(len(r.message)) + h.Length
		if size < h.Length || !to.AdmitsMessage(size) { // the sum may overflow
			return h, 0, &Violation{CloseTooLarge, ErrTooLarge}
		}
	}
	return h, n, nil
}

// complete gives the sink a frame that is whole, or adds it to its message.
func (r *Reader) complete(h ws.Header, payload []byte, to Sink) (more bool, v *Violation) {
	if h.OpCode.IsControl() {
		return to.HandleFrame(h.OpCode, payload), nil
	}
	op, compressed := h.OpCode, h.Rsv == rsv1
	if r.opcode != 0 {
		op, compressed = r.opcode, r.compressed
	}
	if !h.Fin || r.opcode != 0 {
		if r.fragments++; r.fragments > MaxFragments {
			return false, &Violation{ClosePolicy, ErrFragments}
		}
		r.message = append(r.message, payload...)
		if !h.Fin {
			r.opcode, r.compressed = op, compressed
			return true, nil
		}
		payload = r.message
		r.message, r.opcode, r.compressed, r.fragments = nil, 0, false, 0
	}
	if compressed {
		if payload, v = to.Decompress(payload); v != nil {
			return false, v
		}
	}
	if op == ws.OpText && !utf8.Valid(payload) {
		return false, &Violation{CloseNotUTF8, ErrNotText}
	}
	return to.HandleFrame(op, payload), nil
}
