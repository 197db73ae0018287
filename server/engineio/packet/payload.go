package packet

import (
	"bytes"
	"encoding/base64"
	"io"
)

const (
	separator    = 0x1e
	binaryMarker = 'b'
)

// MaxPayloadPackets bounds the packets of one payload. The client sends what it
// has buffered since its last request; nothing legitimate comes near the bound.
const MaxPayloadPackets = 10_000

// DecodePayload decodes the body of a long-polling request and calls yield for
// each packet, in order, until yield returns false. The packets before a
// malformed one are delivered, as on Node; the error says that the rest was not.
func DecodePayload(body []byte, yield func(Packet) bool) error {
	for n := 0; ; n++ {
		if n == MaxPayloadPackets {
			return ErrTooMany
		}
		one, rest, more := bytes.Cut(body, []byte{separator})
		p, err := DecodeText(one)
		if err != nil {
			return err
		}
		if !yield(p) || !more {
			return nil
		}
		body = rest
	}
}

// decodeBase64 takes padded and unpadded text: the browser's client pads, some
// others do not.
func decodeBase64(src []byte) ([]byte, error) {
	src = bytes.TrimRight(src, "=")
	dst := make([]byte, base64.RawStdEncoding.DecodedLen(len(src)))
	n, err := base64.RawStdEncoding.Decode(dst, src)
	if err != nil {
		return nil, ErrBase64
	}
	return dst[:n], nil
}

// AppendSeparator appends what stands between two packets of a payload.
func AppendSeparator(dst []byte) []byte { return append(dst, separator) }

// AppendBinary appends a binary message as a payload carries it.
func AppendBinary(dst, data []byte) []byte {
	return base64.StdEncoding.AppendEncode(append(dst, binaryMarker), data)
}

// WriteBinary writes what AppendBinary appends, of [BinaryLen] bytes.
func WriteBinary(w io.Writer, data []byte) error {
	if _, err := w.Write([]byte{binaryMarker}); err != nil {
		return err
	}
	enc := base64.NewEncoder(base64.StdEncoding, w)
	if _, err := enc.Write(data); err != nil {
		return err
	}
	return enc.Close()
}

// BinaryLen returns the length of a binary message of n bytes in a payload.
func BinaryLen(n int) int { return 1 + base64.StdEncoding.EncodedLen(n) }
