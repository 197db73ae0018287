package packet

import (
	"bytes"
	"slices"
)

// Decoder decodes the packets of one connection. It is not safe for concurrent
// use. After an error it must not be used again.
type Decoder struct {
	// MaxAttachments bounds the attachments of a packet. 0: 10, as on Node.
	MaxAttachments int
	// MaxDepth bounds the nesting of the JSON. 0: [DefaultMaxDepth].
	MaxDepth int

	pending *pending
}

// pending is a packet that lacks attachments.
type pending struct {
	packet Packet
	want   int
}

const defaultMaxAttachments = 10

// Pending reports whether a packet has been announced whose attachments have
// not all come.
func (d *Decoder) Pending() bool { return d.pending != nil }

// Text decodes a text message. complete is false where attachments must follow.
// The packet shares no memory with b.
func (d *Decoder) Text(b []byte) (p Packet, complete bool, err error) {
	if d.pending != nil {
		return p, false, ErrUnexpected
	}
	p, attachments, err := d.parse(b)
	if err != nil {
		return p, false, err
	}
	if attachments > 0 {
		d.pending = &pending{p, attachments}
		return Packet{}, false, nil
	}
	return p, true, nil
}

// Binary takes an attachment. complete is true where it was the last one.
// The packet shares no memory with b.
func (d *Decoder) Binary(b []byte) (p Packet, complete bool, err error) {
	if d.pending == nil {
		return p, false, ErrUnexpected
	}
	w := d.pending
	w.packet.Attachments = append(w.packet.Attachments, bytes.Clone(b))
	if len(w.packet.Attachments) < w.want {
		return p, false, nil
	}
	d.pending = nil
	return w.packet, true, nil
}

func (d *Decoder) parse(b []byte) (p Packet, attachments int, err error) {
	if len(b) == 0 {
		return p, 0, ErrType
	}
	p.Type, b = Type(b[0]), b[1:]
	switch p.Type {
	case Connect, Disconnect, Event, Ack, ConnectError:
	case binaryEvent, binaryAck:
		p.Type -= binaryEvent - Event
		if attachments, b, err = d.attachments(b); err != nil {
			return p, 0, err
		}
	default:
		return p, 0, ErrType
	}
	p.Namespace = Root
	if len(b) > 0 && b[0] == '/' {
		name, rest, _ := bytes.Cut(b, []byte{','})
		p.Namespace, b = string(name), rest
	}
	if p.ID, p.HasID, b, err = ackID(b); err != nil {
		return p, 0, err
	}
	if err := d.check(p.Type, b, attachments); err != nil {
		return p, 0, err
	}
	if len(b) > 0 {
		p.Data = bytes.Clone(b)
	}
	return p, attachments, nil
}

// attachments decodes the number of attachments that a binary packet announces.
// Zero is refused, as by socket.io-parser since 4.2.7 (CVE-2026-69185): a packet
// without attachments has a type of its own.
func (d *Decoder) attachments(b []byte) (n int, rest []byte, err error) {
	limit := d.MaxAttachments
	if limit == 0 {
		limit = defaultMaxAttachments
	}
	for i, c := range b {
		switch {
		case c == '-' && n > 0:
			return n, b[i+1:], nil
		case c < '0' || c > '9':
			return 0, nil, ErrAttachments
		}
		if n = n*10 + int(c-'0'); n > limit {
			return 0, nil, ErrTooMany
		}
	}
	return 0, nil, ErrAttachments
}

// ackID takes the digits at the start of b. Ids beyond what JavaScript counts
// exactly cannot be answered and are refused.
func ackID(b []byte) (id uint64, has bool, rest []byte, err error) {
	i := 0
	for ; i < len(b) && '0' <= b[i] && b[i] <= '9'; i++ {
		if id = id*10 + uint64(b[i]-'0'); id > 1<<53-1 {
			return 0, false, nil, ErrID
		}
	}
	return id, i > 0, b[i:], nil
}

// check checks that the JSON is what a packet of the type may have. An event
// or ack without any is let through, as on Node, and means nothing.
func (d *Decoder) check(t Type, b []byte, attachments int) error {
	if len(b) == 0 {
		return nil
	}
	s := scanner{b: b, maxDepth: d.MaxDepth, strict: true, attachments: attachments}
	if err := s.document(); err != nil {
		return err
	}
	switch first := b[s.start]; t {
	case Connect:
		if first != '{' {
			return ErrPayload
		}
	case ConnectError:
		if first != '{' && first != '"' {
			return ErrPayload
		}
	case Ack:
		if first != '[' {
			return ErrPayload
		}
	case Event:
		if first != '[' {
			return ErrPayload
		}
		name, _, err := Name(b)
		if err != nil {
			return err
		}
		if Reserved(name) {
			return ErrReserved
		}
	case Disconnect:
		return ErrPayload
	}
	return nil
}

// Name splits the data of an event into its name and the JSON of its arguments,
// without the brackets around them. A number is a name, as on Node. The data
// must be valid JSON; name and args may share its memory.
func Name(data []byte) (name string, args []byte, err error) {
	s := scanner{b: data}
	s.space()
	if s.peek() != '[' {
		return "", nil, ErrPayload
	}
	s.i++
	s.space()
	start := s.i
	switch c := s.peek(); {
	case c == '"', c == '-', '0' <= c && c <= '9':
		if err := s.value(); err != nil {
			return "", nil, err
		}
	default:
		return "", nil, ErrPayload
	}
	name = view(data[start:s.i])
	if data[start] == '"' {
		if name, err = unquote(data[start:s.i]); err != nil {
			return "", nil, err
		}
	}
	s.space()
	if s.peek() == ',' {
		s.i++
	}
	end := bytes.LastIndexByte(data, ']')
	if end < s.i {
		return "", nil, ErrPayload
	}
	return name, data[s.i:end], nil
}

// Elements returns the JSON texts of a list of values that are separated by
// commas, such as the args of [Name]. They share memory with list, which must
// be valid.
func Elements(list []byte) [][]byte {
	s := scanner{b: list}
	var out [][]byte
	for s.space(); s.i < len(list); s.space() {
		start := s.i
		if s.value() != nil {
			return out
		}
		out = append(out, slices.Clip(list[start:s.i]))
		s.space()
		if s.peek() != ',' {
			return out
		}
		s.i++
	}
	return out
}

// Single returns list's only value, or false where there is not exactly one. It
// saves the list of [Elements] in the most common case.
func Single(list []byte) ([]byte, bool) {
	s := scanner{b: list}
	s.space()
	start := s.i
	if s.i == len(list) || s.value() != nil {
		return nil, false
	}
	end := s.i
	s.space()
	return slices.Clip(list[start:end]), s.i == len(list)
}

// Members calls yield for each member of a JSON object: its name, and the text
// of its value, which shares memory with object. It reports false, perhaps after
// some calls, where object is not one valid object, [DefaultMaxDepth] deep at
// most.
func Members(object []byte, yield func(name string, value []byte)) bool {
	s := scanner{b: object, maxDepth: DefaultMaxDepth}
	s.space()
	if s.peek() != '{' {
		return false
	}
	s.depth, s.i = 1, s.i+1
	s.space()
	for more := s.peek() != '}'; more; {
		s.space()
		from := s.i
		if s.peek() != '"' || s.str() != nil {
			return false
		}
		name, err := unquote(object[from:s.i])
		s.space()
		if err != nil || s.peek() != ':' {
			return false
		}
		s.i++
		s.space()
		from = s.i
		if s.value() != nil {
			return false
		}
		yield(name, slices.Clip(object[from:s.i]))
		s.space()
		switch s.peek() {
		case ',':
			s.i++
		case '}':
			more = false
		default:
			return false
		}
	}
	s.i++
	s.space()
	return s.i == len(object)
}
