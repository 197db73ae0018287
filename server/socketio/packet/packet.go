// Package packet encodes and decodes Socket.IO packets.
//
// It implements the packet encoding of the Socket.IO protocol, revision 5
// (section "Packet encoding"):
//
//	<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]
//
//	0/admin,{"token":"…"}                        CONNECT
//	1/admin,                                     DISCONNECT
//	2["message","hi"]                            EVENT
//	3/admin,12["done"]                           ACK of event 12
//	4{"message":"Not authorized"}                CONNECT_ERROR
//	51-["file",{"_placeholder":true,"num":0}]    BINARY_EVENT, one attachment follows
//	61-7[{"_placeholder":true,"num":0}]          BINARY_ACK, one attachment follows
//
// The JSON is checked, but neither decoded nor changed. Whether a
// packet is binary follows from its attachments, so [Event] and [Ack] stand for
// BINARY_EVENT and BINARY_ACK too.
//
// The package knows nothing of connections or the meaning of arguments.
package packet

import (
	"errors"
	"fmt"
	"strconv"
)

// Type is the type of a packet: its character on the wire.
type Type byte

// Packet types. Those of binary packets exist only on the wire.
const (
	Connect      Type = '0'
	Disconnect   Type = '1'
	Event        Type = '2'
	Ack          Type = '3'
	ConnectError Type = '4'

	binaryEvent Type = '5'
	binaryAck   Type = '6'
)

// Root is the namespace of a packet without a namespace.
const Root = "/"

// Packet is one packet. Its bytes must not change once it is decoded or
// encoded: many connections share a packet.
type Packet struct {
	Type      Type
	Namespace string
	// ID is the acknowledgement id; HasID reports whether there is one.
	ID    uint64
	HasID bool
	// Data is the JSON: an array for Event (its first element the event's name)
	// and Ack, an object for Connect and ConnectError, nothing for Disconnect.
	Data []byte
	// Attachments are the bytes that placeholders in Data name by number. In a
	// decoded packet those that no placeholder names are nil.
	Attachments [][]byte
	// Arguments is the number of arguments of a decoded Event or Ack.
	Arguments int
	// Excess is set in a decoded Connect, Event or Ack that is well-formed but
	// exceeds a limit of the [Decoder], and must be refused: [ErrTooDeep],
	// [ErrTooManyArguments], [ErrReferences], [ErrAttachmentBytes] or, if it has
	// no attachments, [ErrPlaceholder]. Its Data has only an event's name.
	Excess error
}

// Errors of decoding; they may be wrapped.
var (
	ErrType        = errors.New("socketio/packet: unknown packet type")
	ErrAttachments = errors.New("socketio/packet: invalid attachments")
	ErrID          = errors.New("socketio/packet: invalid acknowledgement id")
	ErrPayload     = errors.New("socketio/packet: invalid payload")
	ErrReserved    = errors.New("socketio/packet: reserved event name")
	ErrUnexpected  = errors.New("socketio/packet: text instead of an attachment, or an unannounced attachment")

	// Above Decoder.MaxAttachments.
	ErrTooMany = fmt.Errorf("%w: too many", ErrAttachments)

	// Not errors of the Decoder, but values of Packet.Excess.
	ErrTooDeep          = errors.New("socketio/packet: nested too deeply")
	ErrTooManyArguments = errors.New("socketio/packet: too many arguments")
	ErrReferences       = errors.New("socketio/packet: too many attachments, counted at each placeholder")
	ErrAttachmentBytes  = errors.New("socketio/packet: attachments too large, counted at each placeholder")
	ErrPlaceholder      = errors.New("socketio/packet: placeholder in a packet without attachments")
)

// Reserved reports whether clients or servers use the event name themselves, so
// that it must not be sent.
func Reserved(event string) bool {
	switch event {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

// AppendText appends the text part of the packet. Its attachments are separate
// binary messages.
func AppendText(dst []byte, p *Packet) []byte {
	t := p.Type
	binary := len(p.Attachments) > 0
	if binary {
		t += binaryEvent - Event
	}
	dst = append(dst, byte(t))
	if binary {
		dst = strconv.AppendInt(dst, int64(len(p.Attachments)), 10)
		dst = append(dst, '-')
	}
	if p.Namespace != Root && p.Namespace != "" {
		dst = append(append(dst, p.Namespace...), ',')
	}
	if p.HasID {
		dst = strconv.AppendUint(dst, p.ID, 10)
	}
	return append(dst, p.Data...)
}
