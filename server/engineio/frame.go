package engineio

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"github.com/gobwas/ws"

	"github.com/puente-io/puente/server/engineio/packet"
)

// Frame is one message (or control packet) to a client. It was framed for the
// WebSocket when it was made, so that sending it to many encodes nothing again;
// long-polling takes the packet out of the frame. A Frame is immutable and may
// be sent to any number of sessions of one server at once.
type Frame struct {
	wire []byte // header and payload of an unmasked WebSocket frame; before it there is room
	head uint8  // length of the header
	// text: the payload starts with the packet's type character.
	text bool
	// plain asks not to compress the frame, or a polling response for it.
	plain bool
	// counted: it is the copy of a queue that is counted among the frame's users.
	counted bool
}

// A frame's buffer begins with the number of queues that hold the frame and are
// counted, in the machine's order of bytes: every buffer is aligned to at least 8
// bytes by Go's allocator. Then comes room for the longest header of an unmasked
// frame: opcode, length code, 64 bits of length (RFC 6455, section 5.2).
const (
	usersRoom  = 8
	headerRoom = 10
	frameRoom  = usersRoom + headerRoom
)

// users returns how many counted queues hold the frame.
func (f *Frame) users() *atomic.Int32 {
	return (*atomic.Int32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(f.wire)), int(f.head)-frameRoom))
}

// count counts the bytes of a frame that no counted queue has held, in held.
func (f *Frame) count(held *atomic.Int64) {
	if held == nil || len(f.wire) == 0 {
		return
	}
	f.counted = true
	if f.users().Add(1) == 1 {
		held.Add(int64(f.size()))
	}
}

// uncount undoes count.
func (f *Frame) uncount(held *atomic.Int64) {
	if f.counted {
		f.counted = false
		if f.users().Add(-1) == 0 {
			held.Add(-int64(f.size()))
		}
	}
}

// size returns how many bytes the frame holds.
func (f *Frame) size() int { return len(f.wire) + frameRoom - int(f.head) }

// StartText returns a buffer to which the caller appends a text message of
// about n bytes and which [FinishText] turns into a frame, so that a message is
// encoded in the buffer that it is sent from.
func StartText(n int) []byte {
	b := make([]byte, frameRoom+1, frameRoom+1+n)
	b[frameRoom] = byte(packet.Message)
	return b
}

// FinishText makes a frame of a buffer from [StartText]. The message must be
// valid UTF-8. The buffer belongs to the frame from then on.
func FinishText(b []byte) Frame { return seal(b, ws.OpText) }

// TextFrame returns a frame with a copy of a text message.
func TextFrame(msg []byte) Frame {
	return FinishText(append(StartText(len(msg)), msg...))
}

// StartBinary is [StartText] for a binary message and [FinishBinary].
func StartBinary(n int) []byte { return make([]byte, frameRoom, frameRoom+n) }

// FinishBinary makes a frame of a buffer from [StartBinary]. The buffer belongs to the
// frame from then on.
func FinishBinary(b []byte) Frame { return seal(b, ws.OpBinary) }

// BinaryFrame returns a frame with a copy of a binary message.
func BinaryFrame(msg []byte) Frame {
	return FinishBinary(append(StartBinary(len(msg)), msg...))
}

// Uncompressed returns a copy that is never compressed on a WebSocket, and that does not
// make a polling response worth compressing.
func (f Frame) Uncompressed() Frame {
	f.plain = true
	return f
}

// in returns the frame in a form.
func (f Frame) in(want form) Frame {
	if f.text || want&(formBase64|formProtocol3) == 0 {
		return f
	}
	data := f.payload()
	var out Frame
	switch {
	case want&formBase64 == 0:
		b := make([]byte, frameRoom, frameRoom+1+len(data))
		out = seal(packet.AppendMessage3(b, data), ws.OpBinary)
	case want&formProtocol3 == 0:
		b := make([]byte, frameRoom, frameRoom+packet.BinaryLen(len(data)))
		out = seal(packet.AppendBinary(b, data), ws.OpText)
	default:
		b := make([]byte, frameRoom, frameRoom+1+packet.BinaryLen(len(data)))
		out = seal(packet.AppendBinary3(b, data), ws.OpText)
	}
	out.plain = f.plain
	return out
}

// Len returns the length of the frame on a WebSocket, in bytes.
func (f Frame) Len() int { return len(f.wire) }

func (f Frame) payload() []byte { return f.wire[f.head:] }

func controlFrame(t packet.Type, data string) Frame {
	b := make([]byte, frameRoom, frameRoom+1+len(data))
	return seal(append(append(b, byte(t)), data...), ws.OpText)
}

// seal writes the header right before the payload and cuts off the unused room.
func seal(b []byte, op ws.OpCode) Frame {
	n := len(b) - frameRoom
	start := frameRoom - 2
	switch {
	case n < 126:
		b[frameRoom-1] = byte(n)
	case n <= 0xffff:
		start = frameRoom - 4
		b[start+1] = 126
		binary.BigEndian.PutUint16(b[start+2:], uint16(n))
	default:
		start = frameRoom - 10
		b[start+1] = 127
		binary.BigEndian.PutUint64(b[start+2:], uint64(n))
	}
	b[start] = 0x80 | byte(op) // FIN
	return Frame{wire: b[start:], head: uint8(frameRoom - start), text: op == ws.OpText}
}

// The control packets are the same for everyone.
var (
	pingFrame  = controlFrame(packet.Ping, "")
	pongFrame  = controlFrame(packet.Pong, "")
	noopFrame  = controlFrame(packet.Noop, "")
	closeFrame = controlFrame(packet.Close, "")
	probeFrame = controlFrame(packet.Pong, packet.Probe)
)
