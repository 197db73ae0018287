package engineio

import (
	"bytes"
	"io"

	"github.com/puente-io/puente/server/engineio/packet"
)

// encoding is how the packets of an answer to a poll are encoded. It is decided once for
// each answer, whatever has been queued for it.
type encoding uint8

const (
	encodingText    encoding = iota // protocol 4: separated
	encodingText3                   // protocol 3: each behind its length
	encodingBinary3                 // protocol 3, if a packet is binary and the client takes that
)

// encodingOf returns the encoding of an answer that has these frames.
func (s *Session) encodingOf(frames []Frame) encoding {
	if s.Protocol() == 4 {
		return encodingText
	}
	for i := range frames {
		if !frames[i].text { // with formBase64 all are
			return encodingBinary3
		}
	}
	return encodingText3
}

func (e encoding) contentType() string {
	if e == encodingBinary3 {
		return "application/octet-stream"
	}
	return "text/plain; charset=UTF-8"
}

// appendHead appends what precedes packet number i of an answer.
func (e encoding) appendHead(dst []byte, i int, f Frame) []byte {
	switch e {
	case encodingText3:
		return packet.AppendTextLength3(dst, f.payload())
	case encodingBinary3:
		return packet.AppendBinaryLength3(dst, f.payload(), f.text)
	}
	if i > 0 {
		dst = packet.AppendSeparator(dst)
	}
	return dst
}

// length returns the length of an answer.
func (e encoding) length(frames []Frame) (n int) {
	var head [16]byte
	for i, f := range frames {
		n += len(e.appendHead(head[:0], i, f))
		if f.text || e == encodingBinary3 {
			n += len(f.payload())
		} else {
			n += packet.BinaryLen(len(f.payload()))
		}
	}
	return n
}

// writeTo writes an answer, without a copy of what the frames carry.
func (e encoding) writeTo(w io.Writer, frames []Frame) error {
	var head [16]byte
	for i, f := range frames {
		if h := e.appendHead(head[:0], i, f); len(h) > 0 {
			if _, err := w.Write(h); err != nil {
				return err
			}
		}
		var err error
		if f.text || e == encodingBinary3 {
			_, err = w.Write(f.payload())
		} else {
			err = packet.WriteBinary(w, f.payload())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// appendTo appends an answer to a buffer.
func (e encoding) appendTo(buf *bytes.Buffer, frames []Frame) {
	for i, f := range frames {
		buf.Write(e.appendHead(buf.AvailableBuffer(), i, f))
		if f.text || e == encodingBinary3 {
			buf.Write(f.payload())
		} else {
			buf.Write(packet.AppendBinary(buf.AvailableBuffer(), f.payload()))
		}
	}
}
