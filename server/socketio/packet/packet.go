// Package packet turns Socket.IO packets into bytes and back.
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
// The JSON stays as it came: arguments are checked, and not decoded. Whether a
// packet is binary follows from its attachments, so [Event] and [Ack] stand for
// BINARY_EVENT and BINARY_ACK too.
//
// The package knows nothing of connections, and nothing of what arguments mean.
package packet

import (
	"errors"
	"fmt"
	"strconv"
)

// Type is the type of a packet, as the character that stands for it on the wire.
type Type byte

// The packet types. Those of binary packets exist on the wire only.
const (
	Connect      Type = '0'
	Disconnect   Type = '1'
	Event        Type = '2'
	Ack          Type = '3'
	ConnectError Type = '4'

	binaryEvent Type = '5'
	binaryAck   Type = '6'
)

// Root is the namespace that a packet without a namespace belongs to.
const Root = "/"

// Packet is one packet. Its bytes are never changed once it has been decoded or
// encoded: packets are shared by many connections.
type Packet struct {
	Type      Type
	Namespace string
	// ID is the acknowledgement id; HasID tells whether there is one.
	ID    uint64
	HasID bool
	// Data is the JSON: an array for Event (its first element the event's name)
	// and Ack, an object for Connect and ConnectError, nothing for Disconnect.
	Data []byte
	// Attachments are what the placeholders in Data stand for, by number. Those
	// of a decoded packet that no placeholder names are nil.
	Attachments [][]byte
	// Arguments is how many arguments a decoded Event or Ack has.
	Arguments int
	// Excess is set in a decoded Connect, Event or Ack that is well-formed and must
	// be refused, since it is more than a [Decoder] allows: [ErrTooDeep],
	// [ErrTooManyArguments], [ErrReferences] or [ErrAttachmentBytes]. Of its data
	// only an event's name is left.
	Excess error
}

// Errors that decoding returns, alone or wrapped.
var (
	ErrType        = errors.New("packet: unknown packet type")
	ErrAttachments = errors.New("packet: illegal attachments")
	ErrID          = errors.New("packet: illegal acknowledgement id")
	ErrPayload     = errors.New("packet: invalid payload")
	ErrReserved    = errors.New("packet: reserved event name")
	ErrUnexpected  = errors.New("packet: text where an attachment is due, or an attachment where none is")

	// More than a Decoder allows.
	ErrTooMany = fmt.Errorf("%w: too many", ErrAttachments)

	// More than a Decoder allows too, but no error of it: see Packet.Excess.
	ErrTooDeep          = errors.New("packet: nested too deeply")
	ErrTooManyArguments = errors.New("packet: too many arguments")
	ErrReferences       = errors.New("packet: too many attachments, counted at each placeholder")
	ErrAttachmentBytes  = errors.New("packet: attachments too large, counted at each placeholder")
)

// Reserved reports whether an event name has a meaning of its own in the
// clients or servers and must not be sent.
func Reserved(event string) bool {
	switch event {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

// AppendText appends the text part of the packet; its attachments follow as
// binary messages of their own.
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
