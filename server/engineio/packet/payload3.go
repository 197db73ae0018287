package packet

import (
	"encoding/base64"
	"errors"
	"strconv"
)

// Errors of decoding revision 3.
var (
	ErrLength = errors.New("engineio/packet: invalid length in a payload")
	ErrCut    = errors.New("engineio/packet: a payload ends inside a packet")
)

// maxDigits is how many digits a length may have: more than 99,999,999 never
// fits into a body.
const maxDigits = 8

// The marks of a binary payload.
const (
	textMark   = 0x00
	binaryMark = 0x01
	lengthEnd  = 0xff
)

// DecodeText3 is [DecodeText] for revision 3, in which the type of a packet follows the
// "b" of base64.
func DecodeText3(b []byte) (Packet, error) {
	if len(b) == 0 || b[0] != binaryMarker {
		return DecodeText(b)
	}
	if len(b) == 1 {
		return Packet{}, ErrEmpty
	}
	if b[1] < byte(Open) || b[1] > byte(Noop) {
		return Packet{}, ErrUnknownType
	}
	data, err := decodeBase64(b[2:])
	if err != nil {
		return Packet{}, err
	}
	return Packet{Type: Type(b[1]), Binary: true, Data: data}, nil
}

// DecodeBinary3 decodes a packet of revision 3 that came as bytes: in a binary payload, or
// in a binary frame. Its first byte is the type, as a number.
func DecodeBinary3(b []byte) (Packet, error) {
	if len(b) == 0 {
		return Packet{}, ErrEmpty
	}
	if b[0] > byte(Noop-Open) {
		return Packet{}, ErrUnknownType
	}
	return Packet{Type: Open + Type(b[0]), Binary: true, Data: b[1:]}, nil
}

// DecodePayload3 decodes the body of a long-polling request of revision 3 that is text:
// packets with their lengths in UTF-16 code units, as in "6:4hello2:4€". It calls
// yield as [DecodePayload] does. The body must be valid UTF-8. Empty packets are skipped.
func DecodePayload3(body []byte, yield func(Packet) bool) error {
	return eachPacket3(body, cutText3, yield)
}

// DecodeBinaryPayload3 is [DecodePayload3] for a body of type application/octet-stream.
// The text in it need not be valid UTF-8.
func DecodeBinaryPayload3(body []byte, yield func(Packet) bool) error {
	return eachPacket3(body, cutBinary3, yield)
}

// cut3 cuts the first packet off a payload, and returns the function that decodes it.
type cut3 func(body []byte) (p, rest []byte, decode func([]byte) (Packet, error), err error)

// eachPacket3 decodes the packets of a payload, and skips empty ones.
func eachPacket3(body []byte, cut cut3, yield func(Packet) bool) error {
	if len(body) == 0 {
		return ErrEmpty
	}
	for n := 0; len(body) > 0; n++ {
		if n == MaxPayloadPackets {
			return ErrTooMany
		}
		encoded, rest, decode, err := cut(body)
		if err != nil {
			return err
		}
		if len(encoded) > 0 {
			p, err := decode(encoded)
			if err != nil {
				return err
			}
			if !yield(p) {
				return nil
			}
		}
		body = rest
	}
	return nil
}

func cutText3(body []byte) (p, rest []byte, decode func([]byte) (Packet, error), err error) {
	units, rest, err := textLength(body)
	if err != nil {
		return nil, nil, nil, err
	}
	size, ok := utf16Prefix(rest, units)
	if !ok {
		return nil, nil, nil, ErrCut
	}
	return rest[:size], rest[size:], DecodeText3, nil
}

func cutBinary3(body []byte) (p, rest []byte, decode func([]byte) (Packet, error), err error) {
	decode = DecodeBinary3
	switch body[0] {
	case textMark:
		decode = DecodeText3
	case binaryMark:
	default:
		return nil, nil, nil, ErrLength
	}
	size, rest, err := binaryLength(body[1:])
	switch {
	case err != nil:
		return nil, nil, nil, err
	case size > len(rest):
		return nil, nil, nil, ErrCut
	}
	return rest[:size], rest[size:], decode, nil
}

// textLength decodes digits and the colon that follows them.
func textLength(b []byte) (n int, rest []byte, err error) {
	for i, c := range b[:min(len(b), maxDigits+1)] {
		switch {
		case c == ':' && i > 0:
			return n, b[i+1:], nil
		case c < '0' || c > '9' || i == maxDigits:
			return 0, nil, ErrLength
		}
		n = n*10 + int(c-'0')
	}
	return 0, nil, ErrCut
}

// binaryLength decodes digits, each a byte from 0 to 9, and the 0xff that follows them.
func binaryLength(b []byte) (n int, rest []byte, err error) {
	for i, c := range b[:min(len(b), maxDigits+1)] {
		switch {
		case c == lengthEnd && i > 0:
			return n, b[i+1:], nil
		case c > 9 || i == maxDigits:
			return 0, nil, ErrLength
		}
		n = n*10 + int(c)
	}
	return 0, nil, ErrCut
}

// utf16Prefix returns the length in bytes of the prefix of b that has this many UTF-16
// code units. It reports false if b is shorter, or if the prefix would end within
// a character. b must be valid UTF-8.
func utf16Prefix(b []byte, units int) (bytes int, ok bool) {
	for units > 0 && bytes < len(b) {
		switch c := b[bytes]; {
		case c < 0x80:
			bytes++
		case c < 0xe0:
			bytes += 2
		case c < 0xf0:
			bytes += 3
		default:
			bytes += 4
			units--
		}
		units--
	}
	return bytes, units == 0
}

// utf16Len returns the number of UTF-16 code units of valid UTF-8.
func utf16Len(b []byte) (units int) {
	for _, c := range b {
		if c&0xc0 != 0x80 { // the first byte of a character
			units++
			if c >= 0xf0 {
				units++
			}
		}
	}
	return units
}

// AppendBinary3 appends a binary message as text of revision 3 carries it.
func AppendBinary3(dst, data []byte) []byte {
	return base64.StdEncoding.AppendEncode(append(dst, binaryMarker, byte(Message)), data)
}

// AppendMessage3 appends a binary message as a binary frame or payload of revision 3
// carries it.
func AppendMessage3(dst, data []byte) []byte {
	return append(append(dst, byte(Message-Open)), data...)
}

// AppendTextLength3 appends what precedes a packet in a text payload of revision 3. The
// packet must be valid UTF-8.
func AppendTextLength3(dst, packet []byte) []byte {
	return append(strconv.AppendInt(dst, int64(utf16Len(packet)), 10), ':')
}

// AppendBinaryLength3 appends what precedes a packet, which is text or not, in a binary
// payload of revision 3.
func AppendBinaryLength3(dst, packet []byte, text bool) []byte {
	mark := byte(binaryMark)
	if text {
		mark = textMark
	}
	dst = append(dst, mark)
	start := len(dst)
	dst = strconv.AppendInt(dst, int64(len(packet)), 10)
	for i := start; i < len(dst); i++ {
		dst[i] -= '0'
	}
	return append(dst, lengthEnd)
}
