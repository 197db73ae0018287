package notepack

import (
	"encoding/binary"
	"unicode/utf8"
)

// Size is what a value amounts to, see [Check].
type Size struct {
	// JSON is the length of its JSON, about: at most, if no map has numbers as keys. It
	// does not include the binary values.
	JSON int
	// Binaries is the number of binary values, BinaryBytes the sum of their lengths.
	Binaries, BinaryBytes int
}

// Check checks that msg begins with a well-formed value and returns its size and the
// rest of msg. It takes linear time and no memory, however deep the value is. A
// [Decoder] may still refuse a value that has passed: for its depth, its binary values
// or the keys of its maps.
func Check(msg []byte) (s Size, rest []byte, err error) {
	b := msg
	// Every value takes at least a byte, so this ends before left overflows.
	for left := uint64(1); left > 0; left-- {
		if uint64(len(b)) < left {
			return s, nil, ErrSyntax
		}
		h, ok := headOf(b)
		if !ok || len(b)-h.size < h.body {
			return s, nil, ErrSyntax
		}
		body := b[h.size : h.size+h.body]
		b = b[h.size+h.body:]
		left += h.elements
		s.JSON += h.json + len(",")
		switch h.kind {
		case kindText:
			s.JSON += quotedLen(body)
		case kindBinary:
			s.Binaries++
			s.BinaryBytes += len(body)
		}
	}
	return s, b, nil
}

// kind is what a value is, as far as Check distinguishes it.
type kind uint8

const (
	kindOther kind = iota
	kindText
	kindBinary
)

// head is what the first bytes of a value say.
type head struct {
	kind     kind
	size     int    // of the head
	body     int    // bytes that follow it
	elements uint64 // values that follow it
	json     int    // bytes of its JSON at most, without its text or its elements
}

// The longest JSON of some values.
const (
	maxFloatText = len("-0.0000012345678901234567")
	dateText     = len(`"2024-12-20T15:30:00.000Z"`)
)

// scalars are the heads that the first byte alone determines, from 0xc0 on.
var scalars = [0x40]head{
	0x00: {size: 1, json: len("null")},
	0x02: {size: 1, json: len("false")},
	0x03: {size: 1, json: len("true")},
	0x0a: {size: 1, body: 4, json: maxFloatText},
	0x0b: {size: 1, body: 8, json: maxFloatText},
	0x0c: {size: 1, body: 1, json: len("255")},
	0x0d: {size: 1, body: 2, json: len("65535")},
	0x0e: {size: 1, body: 4, json: len("4294967295")},
	0x0f: {size: 1, body: 8, json: len("18446744073709551615")},
	0x10: {size: 1, body: 1, json: len("-128")},
	0x11: {size: 1, body: 2, json: len("-32768")},
	0x12: {size: 1, body: 4, json: len("-2147483648")},
	0x13: {size: 1, body: 8, json: len("-9223372036854775808")},
}

// headOf returns the head of the value that b, which is not empty, begins with.
func headOf(b []byte) (h head, ok bool) {
	switch c := b[0]; {
	case c < 0x80:
		return head{size: 1, json: len("127")}, true
	case c < 0x90:
		return head{size: 1, elements: 2 * uint64(c&0x0f), json: len("{}")}, true
	case c < 0xa0:
		return head{size: 1, elements: uint64(c & 0x0f), json: len("[]")}, true
	case c < 0xc0:
		return head{kind: kindText, size: 1, body: int(c & 0x1f)}, true
	case c >= 0xe0:
		return head{size: 1, json: len("-32")}, true
	case c >= 0xc4 && c <= 0xc6:
		n, size, ok := lengthOf(b, c-0xc4)
		return head{kind: kindBinary, size: size, body: int(n)}, ok
	case c >= 0xc7 && c <= 0xc9:
		n, size, ok := lengthOf(b, c-0xc7)
		return extHead(b, size, int(n)), ok && len(b) > size
	case c >= 0xd4 && c <= 0xd8:
		return extHead(b, 1, 1<<(c-0xd4)), len(b) > 1
	case c >= 0xd9 && c <= 0xdb:
		n, size, ok := lengthOf(b, c-0xd9)
		return head{kind: kindText, size: size, body: int(n)}, ok
	case c == 0xdc || c == 0xdd:
		n, size, ok := lengthOf(b, c-0xdc+1)
		return head{size: size, elements: uint64(n), json: len("[]")}, ok
	case c == 0xde || c == 0xdf:
		n, size, ok := lengthOf(b, c-0xde+1)
		return head{size: size, elements: 2 * uint64(n), json: len("{}")}, ok
	default:
		h = scalars[c-0xc0]
		return h, h.size > 0
	}
}

// lengthOf returns the length of 1<<log bytes behind the first byte of b, and the size of
// both.
func lengthOf(b []byte, log byte) (n uint32, size int, ok bool) {
	size = 1 + 1<<log
	if len(b) < size {
		return 0, size, false
	}
	switch log {
	case 0:
		n = uint32(b[1])
	case 1:
		n = uint32(binary.BigEndian.Uint16(b[1:]))
	default:
		n = binary.BigEndian.Uint32(b[1:])
	}
	return n, size, true
}

// extHead returns the head of an extension whose type is at b[at]. Of those that are not
// dates or undefined the data is a binary value.
func extHead(b []byte, at, n int) head {
	h := head{size: at + 1, body: n}
	switch {
	case len(b) <= at: // cut off
	case isUndefined(b):
		h.json = len("null")
	case isDate(b[0], int8(b[at]), n):
		h.json = dateText
	default:
		h.kind, h.json = kindBinary, len("[-128,]")
	}
	return h
}

// isDate reports whether an extension with the first byte c is a date: notepack's own, or
// a timestamp as the specification of MessagePack has them.
func isDate(c byte, typ int8, n int) bool {
	return typ == 0 && c == 0xd7 || typ == -1 && (n == 4 || n == 8 || n == 12)
}

// isUndefined reports whether b begins with JavaScript's undefined.
func isUndefined(b []byte) bool { return len(b) >= 3 && b[0] == 0xd4 && b[1] == 0 }

// quotedLen returns the length of a text in JSON, with its quotes.
func quotedLen(text []byte) int {
	n := len(text) + len(`""`)
	for _, c := range text {
		n += int(escapeRoom[c])
	}
	if utf8.Valid(text) {
		return n
	}
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			n += len("\ufffd") - 1
		}
		text = text[size:]
	}
	return n
}

// escapeRoom is how many bytes a character takes more in JSON.
var escapeRoom = func() (room [256]uint8) {
	for c := range room[:' '] {
		room[c] = uint8(len(`\u0000`) - 1)
	}
	for _, c := range "\b\f\n\r\t\"\\" {
		room[c] = 1
	}
	return room
}()
