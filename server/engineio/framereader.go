package engineio

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// frameReader takes a client's bytes as they come and gives its messages. It
// is our own and not the framing library's reader because that one pulls from
// an io.Reader and would have to be parked in the middle of a frame with its
// buffer; this one keeps nothing but an unfinished frame. The rules of the
// protocol and the unmasking are the library's.
type frameReader struct {
	limit   int      // bytes of a message
	session *Session // where not nil: whose messages may be bounded more closely

	partial   []byte // an unfinished frame, header included
	message   []byte // the fragments of an unfinished message
	opcode    ws.OpCode
	fragments int
}

// maxFragments bounds the fragments of one message: clients that fragment at
// all do so at kilobytes.
const maxFragments = 16 * 1024

// violation is an error together with the status that answers it.
type violation struct {
	code closeCode
	error
}

// feed takes b, which it may change, and calls yield for each message and
// control frame that b completes until yield returns false. What it passes is
// valid during the call.
func (r *frameReader) feed(b []byte, yield func(ws.OpCode, []byte) bool) error {
	for len(b) > 0 {
		frame := b
		if len(r.partial) > 0 {
			missing, err := r.missing()
			if err != nil {
				return err
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
		h, head, err := r.header(frame)
		if err != nil {
			return err
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
		if more, err := r.complete(h, payload, yield); err != nil || !more {
			return err
		}
	}
	return nil
}

// missing is how many bytes the unfinished frame is known to lack.
func (r *frameReader) missing() (int, error) {
	h, head, err := r.header(r.partial)
	if err != nil {
		return 0, err
	}
	if head == 0 {
		return headerLen(r.partial) - len(r.partial), nil
	}
	return head + int(h.Length) - len(r.partial), nil
}

// headerLen is the length of the header that b starts with, as far as b tells.
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

// header decodes and checks the header of a frame; its length is 0 where b does
// not hold it whole (RFC 6455, section 5.2).
func (r *frameReader) header(b []byte) (h ws.Header, n int, err error) {
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
		return h, 0, violation{closeTooLarge, errTooLarge}
	}
	if h.Masked {
		copy(h.Mask[:], b[n-4:n])
	}
	state := ws.StateServerSide
	if r.opcode != 0 {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return h, 0, violation{closeProtocol, err}
	}
	if !h.OpCode.IsControl() { // others are short
		// Compared before they are added: a client may announce so many bytes that the
		// sum overflows.
		if h.Length > int64(r.limit-len(r.message)) || r.session != nil && !r.session.admits(int64(len(r.message))+h.Length) {
			return h, 0, violation{closeTooLarge, errTooLarge}
		}
	}
	return h, n, nil
}

func (r *frameReader) complete(h ws.Header, payload []byte, yield func(ws.OpCode, []byte) bool) (more bool, err error) {
	if h.OpCode.IsControl() {
		return yield(h.OpCode, payload), nil
	}
	op := h.OpCode
	if r.opcode != 0 {
		op = r.opcode
	}
	if !h.Fin || r.opcode != 0 {
		if r.fragments++; r.fragments > maxFragments {
			return false, violation{closePolicy, errFragments}
		}
		r.message = append(r.message, payload...)
		if !h.Fin {
			r.opcode = op
			return true, nil
		}
		payload = r.message
		r.message, r.opcode, r.fragments = nil, 0, 0
	}
	if op == ws.OpText && !utf8.Valid(payload) {
		return false, violation{closeNotUTF8, errNotText}
	}
	return yield(op, payload), nil
}
