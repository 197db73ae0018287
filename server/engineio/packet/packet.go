// Package packet encodes and decodes Engine.IO packets and payloads.
//
// It implements the packet encoding of the Engine.IO protocol, revisions 4 and 3
// (section "Packet encoding"; functions whose name ends in 3 are for revision 3). A
// packet is one character that names its type, followed by its data:
//
//	0{"sid":"…"}   open      server → client, once
//	1              close     either
//	2 | 2probe     ping      server → client; "2probe" client → server
//	3 | 3probe     pong      client → server; "3probe" server → client
//	4…             message   either
//	5              upgrade   client → server, over the new transport
//	6              noop      server → client, ends a poll
//
// In revision 3 it is the client that pings.
//
// In revision 4 binary messages have no type character. A WebSocket carries them in binary frames as
// they are. Long-polling, whose bodies are text, and WebSockets of clients whose
// handshake has the query parameter b64 carry them as "b" followed by standard base64. A
// long-polling body (a payload) is a list of packets joined by the record separator,
// U+001E.
//
// In revision 3 a binary message begins with its type: a binary frame with the byte 0x04,
// base64 with "b4". Each packet of a payload comes after its length, and the payload is
// text or, if the client takes that and a packet is binary, bytes as a whole:
//
//	6:4hello6:b4AQID                                    lengths in UTF-16 code units
//	00 06 ff "4hello" 01 04 ff 04 01 02 03              00 text or 01 binary; lengths in bytes
//
// The package knows nothing of HTTP, time or goroutines; its functions are
// safe for concurrent use.
package packet

import "errors"

// Type is the type of a packet, as the character that stands for it on the wire.
type Type byte

// The packet types.
const (
	Open    Type = '0'
	Close   Type = '1'
	Ping    Type = '2'
	Pong    Type = '3'
	Message Type = '4'
	Upgrade Type = '5'
	Noop    Type = '6'
)

// String returns the name the protocol document gives the type.
func (t Type) String() string {
	switch t {
	case Open:
		return "open"
	case Close:
		return "close"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	case Message:
		return "message"
	case Upgrade:
		return "upgrade"
	case Noop:
		return "noop"
	}
	return "unknown"
}

// Probe is the data of the ping and the pong that test a new transport before
// a session is upgraded to it.
const Probe = "probe"

// Errors that decoding returns.
var (
	ErrEmpty       = errors.New("engineio/packet: empty packet")
	ErrUnknownType = errors.New("engineio/packet: unknown packet type")
	ErrBase64      = errors.New("engineio/packet: invalid base64 in a binary packet")
	ErrTooMany     = errors.New("engineio/packet: too many packets in a payload")
)

// Packet is one decoded packet.
type Packet struct {
	Type Type
	// Binary is true for a binary message, false for text.
	Binary bool
	// Data is what follows the type. It shares memory with the bytes that were
	// decoded, unless the packet was base64.
	Data []byte
}

// DecodeText decodes a packet that came as text: in a payload, or in a text
// frame; clients that cannot send binary frames send base64 too.
// It returns ErrEmpty, ErrUnknownType or ErrBase64 for what is not a packet.
func DecodeText(b []byte) (Packet, error) {
	if len(b) == 0 {
		return Packet{}, ErrEmpty
	}
	if b[0] == binaryMarker {
		data, err := decodeBase64(b[1:])
		if err != nil {
			return Packet{}, err
		}
		return Packet{Type: Message, Binary: true, Data: data}, nil
	}
	if b[0] < byte(Open) || b[0] > byte(Noop) {
		return Packet{}, ErrUnknownType
	}
	return Packet{Type: Type(b[0]), Data: b[1:]}, nil
}
