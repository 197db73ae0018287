// Package wire parses and encodes what a client needs below Engine.IO: WebSocket frames (RFC 6455) and HTTP/1.1 responses.
// Parsing is incremental and does not allocate, because the cost of the load generator bounds the load.
package wire

import (
	"encoding/binary"
	"errors"

	"github.com/gobwas/ws"
)

// Errors of this package.
var (
	ErrMasked   = errors.New("wire: a server must not mask its frames")
	ErrReserved = errors.New("wire: frame with reserved bits or opcode")
	ErrTooLarge = errors.New("wire: frame or body larger than 256 MiB")
	ErrHTTP     = errors.New("wire: malformed HTTP response")
)

const maxLength = 256 << 20 // bytes; no correct server sends more

// Frame is a frame from the server.
type Frame struct {
	OpCode     ws.OpCode
	Fin        bool
	Compressed bool   // RSV1, which begins a compressed message (RFC 7692, section 6)
	Payload    []byte // aliases the buffer that was parsed
}

// ParseFrame parses the frame at the start of b (RFC 6455, section 5.2) and returns its size in bytes, or 0 if b does not
// hold a complete frame.
func ParseFrame(b []byte) (f Frame, size int, err error) { return parseFrame(b, 0x70) }

// ParseDeflateFrame is ParseFrame for a connection with permessage-deflate.
func ParseDeflateFrame(b []byte) (f Frame, size int, err error) { return parseFrame(b, 0x30) }

func parseFrame(b []byte, reserved byte) (f Frame, size int, err error) {
	if len(b) < 2 {
		return f, 0, nil
	}
	f.Fin, f.OpCode = b[0]&0x80 != 0, ws.OpCode(b[0]&0x0f)
	f.Compressed = b[0]&0x40 != 0
	if b[0]&reserved != 0 || f.OpCode.IsReserved() || f.Compressed && f.OpCode != ws.OpText && f.OpCode != ws.OpBinary {
		return f, 0, ErrReserved
	}
	if b[1]&0x80 != 0 {
		return f, 0, ErrMasked
	}
	head, length := 2, uint64(b[1])
	switch {
	case length == 126 && len(b) < 4, length == 127 && len(b) < 10:
		return f, 0, nil
	case length == 126:
		head, length = 4, uint64(binary.BigEndian.Uint16(b[2:]))
	case length == 127:
		head, length = 10, binary.BigEndian.Uint64(b[2:])
	}
	if length > maxLength {
		return f, 0, ErrTooLarge
	}
	size = head + int(length)
	if len(b) < size {
		return f, 0, nil
	}
	f.Payload = b[head:size]
	return f, size, nil
}

// AppendFrame appends a masked frame whose payload is the concatenation of parts.
//
// The mask must not be zero: for a zero mask Node's ws skips the unmasking that real clients cost it.
func AppendFrame(dst []byte, op ws.OpCode, mask [4]byte, parts ...[]byte) []byte {
	length := 0
	for _, p := range parts {
		length += len(p)
	}
	dst = append(dst, 0x80|byte(op))
	switch {
	case length < 126:
		dst = append(dst, 0x80|byte(length))
	case length < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(length))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(length))
	}
	dst = append(dst, mask[:]...)
	start := len(dst)
	for _, p := range parts {
		dst = append(dst, p...)
	}
	ws.Cipher(dst[start:], mask, 0)
	return dst
}
