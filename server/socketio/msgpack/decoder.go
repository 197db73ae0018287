package msgpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/puente-io/puente/server/internal/notepack"
	"github.com/puente-io/puente/server/socketio/packet"
)

// Decoder decodes the packets of one connection. Its limits are those of
// [packet.Decoder], with the same defaults. It may be copied and used by many goroutines.
type Decoder struct {
	// MaxAttachments bounds the binary values of a packet; one with more has an Excess,
	// as one that exceeds another limit.
	MaxAttachments int
	// MaxAttachmentBytes bounds their bytes.
	MaxAttachmentBytes int
	// MaxArguments bounds the arguments of a packet.
	MaxArguments int
	// MaxDepth bounds the nesting of each argument and of the payload of a Connect.
	MaxDepth int
}

// Errors of decoding, besides those of package packet.
var (
	ErrSyntax    = errors.New("socketio/msgpack: malformed")
	ErrNamespace = errors.New("socketio/msgpack: invalid namespace")
)

// Packs reports whether a binary message may be a packet: whether it begins with a map.
func Packs(msg []byte) bool {
	return len(msg) > 0 && (msg[0]&0xf0 == 0x80 || msg[0] == 0xde || msg[0] == 0xdf)
}

// Decode decodes a packet, which shares no memory with msg. A Connect's binary values
// are in its JSON, as JSON.stringify writes a Buffer; those of an Event or Ack are its
// attachments. It refuses what socket.io-msgpack-parser refuses, and names of events that
// [packet.Decoder] refuses.
func (d Decoder) Decode(msg []byte) (p packet.Packet, err error) {
	f, err := fieldsOf(msg)
	if err != nil {
		return p, err
	}
	if p.Type, err = typeOf(f.typ); err != nil {
		return p, err
	}
	if p.Namespace, err = namespaceOf(f.nsp); err != nil {
		return p, err
	}
	if len(f.id) > 0 {
		if p.ID, err = idOf(f.id); err != nil {
			return p, err
		}
		p.HasID = true
	}
	switch p.Type {
	case packet.Connect:
		if len(f.data) > 0 {
			err = d.payload(&p, f)
		}
	case packet.Disconnect:
		if len(f.data) > 0 {
			err = packet.ErrPayload
		}
	case packet.ConnectError:
		err = d.payload(&p, f)
	default:
		err = d.list(&p, f)
	}
	return p, err
}

// fields are the values of a packet; those that are missing or undefined are empty.
type fields struct {
	typ, nsp, data, id []byte
	size               notepack.Size // of data
}

// fieldsOf finds the fields of a packet, and checks that all of msg is well-formed. Of a
// repeated key the last counts, as in JavaScript.
func fieldsOf(msg []byte) (f fields, err error) {
	if !Packs(msg) {
		return f, ErrSyntax
	}
	n, b := containerOf(msg)
	for ; n > 0; n-- {
		key := b
		if _, b, err = notepack.Check(key); err != nil {
			return f, ErrSyntax
		}
		key = key[:len(key)-len(b)]
		value := b
		var size notepack.Size
		if size, b, err = notepack.Check(value); err != nil {
			return f, ErrSyntax
		}
		value = value[:len(value)-len(b)]
		if value[0] == 0xd4 && value[1] == 0 {
			value = nil
		}
		if !isText(key) {
			continue
		}
		switch string(textOf(key)) {
		case "type":
			f.typ = value
		case "nsp":
			f.nsp = value
		case "id":
			f.id = value
		case "data":
			f.data, f.size = value, size
		}
	}
	if len(b) > 0 {
		return f, fmt.Errorf("%w: %d bytes behind the packet", ErrSyntax, len(b))
	}
	return f, nil
}

// containerOf returns the number of elements of an array or pairs of a map, and what
// follows the header. A header that is cut off has none, and leaves something that is not
// well-formed.
func containerOf(b []byte) (n uint32, rest []byte) {
	switch c := b[0]; {
	case c < 0xa0:
		return uint32(c & 0x0f), b[1:]
	case (c == 0xdc || c == 0xde) && len(b) >= 3:
		return uint32(binary.BigEndian.Uint16(b[1:])), b[3:]
	case len(b) >= 5:
		return binary.BigEndian.Uint32(b[1:]), b[5:]
	}
	return 0, b
}

// isText reports whether a value is a string.
func isText(value []byte) bool {
	return len(value) > 0 && (value[0]&0xe0 == 0xa0 || value[0] >= 0xd9 && value[0] <= 0xdb)
}

// isArray reports whether a value is an array.
func isArray(value []byte) bool {
	return len(value) > 0 && (value[0]&0xf0 == 0x90 || value[0] == 0xdc || value[0] == 0xdd)
}

// textOf returns the text of a string that is well-formed.
func textOf(value []byte) []byte {
	if c := value[0]; c >= 0xd9 {
		return value[1+1<<(c-0xd9):]
	}
	return value[1:]
}

func typeOf(value []byte) (packet.Type, error) {
	n, ok := integer(value)
	if !ok || n < 0 || n > int64(packet.ConnectError-packet.Connect) {
		return 0, packet.ErrType
	}
	return packet.Connect + packet.Type(n), nil
}

func namespaceOf(value []byte) (string, error) {
	if !isText(value) {
		return "", ErrNamespace
	}
	text := textOf(value)
	if string(text) == packet.Root {
		return packet.Root, nil // the common case
	}
	return strings.ToValidUTF8(string(text), "\ufffd"), nil
}

// idOf returns an acknowledgement id; [packet.Decoder] has the same limits.
func idOf(value []byte) (uint64, error) {
	n, ok := integer(value)
	if !ok || n < 0 || n > 1<<53-1 {
		return 0, packet.ErrID
	}
	return uint64(n), nil
}

// integer returns the value of a number that JavaScript considers an integer.
func integer(value []byte) (n int64, ok bool) {
	if len(value) == 0 {
		return 0, false
	}
	be, b := binary.BigEndian, value[1:]
	var f float64
	switch c := value[0]; {
	case c < 0x80, c >= 0xe0:
		return int64(int8(c)), true
	case c == 0xca:
		f = float64(math.Float32frombits(be.Uint32(b)))
	case c == 0xcb:
		f = math.Float64frombits(be.Uint64(b))
	case c == 0xcc:
		return int64(b[0]), true
	case c == 0xcd:
		return int64(be.Uint16(b)), true
	case c == 0xce:
		return int64(be.Uint32(b)), true
	case c == 0xcf:
		u := be.Uint64(b)
		return int64(u), u <= math.MaxInt64
	case c == 0xd0:
		return int64(int8(b[0])), true
	case c == 0xd1:
		return int64(int16(be.Uint16(b))), true
	case c == 0xd2:
		return int64(int32(be.Uint32(b))), true
	case c == 0xd3:
		return int64(be.Uint64(b)), true
	default:
		return 0, false
	}
	if f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// payload decodes the data of a CONNECT or CONNECT_ERROR.
func (d Decoder) payload(p *packet.Packet, f fields) error {
	if !Packs(f.data) && (p.Type == packet.Connect || !isText(f.data)) {
		return packet.ErrPayload
	}
	if f.size.Binaries > d.maxAttachments() {
		p.Excess = packet.ErrReferences
		return nil
	}
	const perBuffer = len(`{"type":"Buffer","data":[]}`)
	room := f.size.JSON + f.size.Binaries*perBuffer + f.size.BinaryBytes*len("255,")
	v := notepack.Decoder{JSON: make([]byte, 0, room), InText: true, MaxDepth: d.maxDepth()}
	_, err := v.Value(f.data)
	if p.Excess, err = excess(&v, err); p.Excess == nil {
		p.Data = v.JSON
	}
	return err
}

// list decodes the data of an EVENT or ACK.
func (d Decoder) list(p *packet.Packet, f fields) error {
	if !isArray(f.data) {
		return packet.ErrPayload
	}
	n, b := containerOf(f.data)
	arguments := int(n)
	v := notepack.Decoder{MaxDepth: d.maxDepth()}
	if p.Type == packet.Event {
		arguments--
	}
	p.Excess = d.exceeds(f.size, arguments)
	if p.Excess == nil {
		placeholders := len(packet.AppendPlaceholder(nil, f.size.Binaries)) * f.size.Binaries
		v.JSON = make([]byte, 0, f.size.JSON+placeholders)
	}
	v.JSON = append(v.JSON, '[')
	if p.Type == packet.Event {
		if arguments < 0 || Packs(b) || isArray(b) {
			return packet.ErrPayload // and what else is no name, Name refuses
		}
		var err error
		if b, err = v.Value(b); err != nil {
			return fmt.Errorf("%w: %w", ErrSyntax, err)
		}
		v.JSON = append(v.JSON, ']')
		name, _, err := packet.Name(v.JSON)
		if err != nil {
			return err
		}
		if packet.Reserved(name) {
			return packet.ErrReserved
		}
		v.JSON = v.JSON[:len(v.JSON)-1]
	}
	head := len(v.JSON)
	for i := 0; i < arguments && p.Excess == nil; i++ {
		if len(v.JSON) > len("[") {
			v.JSON = append(v.JSON, ',')
		}
		var err error
		b, err = v.Value(b)
		if p.Excess, err = excess(&v, err); err != nil {
			return err
		}
	}
	if p.Excess != nil {
		p.Data = append(bytes.Clone(v.JSON[:head]), ']')
		return nil
	}
	p.Data, p.Arguments = append(v.JSON, ']'), arguments
	p.Attachments = cloned(v.Attachments, f.size.BinaryBytes)
	return nil
}

// exceeds returns the excess of a list of arguments that shows before they are decoded,
// or nil.
func (d Decoder) exceeds(size notepack.Size, arguments int) error {
	most := d.MaxArguments
	if most == 0 {
		most = packet.DefaultMaxArguments
	}
	switch {
	case most > 0 && arguments > most:
		return packet.ErrTooManyArguments
	case size.Binaries > d.maxAttachments():
		return packet.ErrReferences
	case d.MaxAttachmentBytes > 0 && size.BinaryBytes > d.MaxAttachmentBytes:
		return packet.ErrAttachmentBytes
	}
	return nil
}

// excess says what an error of decoding a value means: an excess, or an error.
func excess(v *notepack.Decoder, err error) (excess, problem error) {
	switch {
	case errors.Is(err, notepack.ErrDepth):
		return packet.ErrTooDeep, nil
	case v.Marked:
		return packet.ErrPlaceholder, nil
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	return nil, nil
}

func (d Decoder) maxAttachments() int {
	if d.MaxAttachments == 0 {
		return packet.DefaultMaxAttachments
	}
	return d.MaxAttachments
}

func (d Decoder) maxDepth() int {
	if d.MaxDepth == 0 {
		return packet.DefaultMaxDepth
	}
	return d.MaxDepth
}

// cloned copies byte strings of n bytes together.
func cloned(list [][]byte, n int) [][]byte {
	if len(list) == 0 {
		return nil
	}
	all := make([]byte, 0, n)
	for i, b := range list {
		start := len(all)
		all = append(all, b...)
		list[i] = all[start:len(all):len(all)]
	}
	return list
}
