package packet

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Decoder decodes the packets of one connection. It is not safe for concurrent
// use, and must not be used after an error.
type Decoder struct {
	// MaxAttachments bounds the attachments that a packet announces, and its
	// placeholders that name one; a packet with more placeholders has an
	// Excess. 0: 10, as on Node.
	MaxAttachments int
	// MaxAttachmentBytes bounds the bytes of a packet's attachments, counted
	// once per placeholder; a packet with more has an Excess. 0: no limit.
	MaxAttachmentBytes int
	// MaxArguments bounds the arguments of a packet; one with more has an
	// Excess. 0: [DefaultMaxArguments]; negative: no limit.
	MaxArguments int
	// MaxDepth bounds the nesting of each argument and of the payload of a
	// Connect; a packet that exceeds it has an Excess. 0: [DefaultMaxDepth].
	MaxDepth int

	pending *pending
}

// DefaultMaxAttachments and DefaultMaxArguments are the defaults of a Decoder.
// The official clients' decoders have the same limit of attachments.
const (
	DefaultMaxAttachments = 10
	DefaultMaxArguments   = 1000
)

// pending is a packet whose attachments are incomplete.
type pending struct {
	packet Packet
	want   int
	// references are the numbers that placeholders name, sorted, without those
	// of received attachments.
	references []int
	bytes      int // of the attachments, counted at each reference
}

// Pending reports whether the decoder waits for attachments of a packet.
func (d *Decoder) Pending() bool { return d.pending != nil }

// Text decodes a text message. complete is false if attachments must follow.
// The packet shares no memory with b.
func (d *Decoder) Text(b []byte) (p Packet, complete bool, err error) {
	if d.pending != nil {
		return p, false, ErrUnexpected
	}
	p, attachments, references, err := d.parse(b)
	if err != nil {
		return p, false, err
	}
	if attachments > 0 {
		d.pending = &pending{packet: p, want: attachments, references: references}
		return Packet{}, false, nil
	}
	return p, true, nil
}

// Binary decodes an attachment. complete is true if it was the packet's last
// one. The packet shares no memory with b, and keeps a copy only if a
// placeholder names the attachment.
func (d *Decoder) Binary(b []byte) (p Packet, complete bool, err error) {
	if d.pending == nil {
		return p, false, ErrUnexpected
	}
	w := d.pending
	w.take(b, d.MaxAttachmentBytes)
	if len(w.packet.Attachments) < w.want {
		return p, false, nil
	}
	d.pending = nil
	if w.packet.Excess != nil {
		w.packet.Attachments = nil
	}
	return w.packet, true, nil
}

// take adds the next attachment. If the packet is to be refused it only counts.
func (w *pending) take(b []byte, most int) {
	num, names := len(w.packet.Attachments), 0
	for names < len(w.references) && w.references[names] == num {
		names++
	}
	w.references = w.references[names:]
	w.bytes += names * len(b)
	if w.packet.Excess == nil && most > 0 && w.bytes > most {
		w.packet.refuse(ErrAttachmentBytes)
	}
	var kept []byte
	if names > 0 && w.packet.Excess == nil {
		kept = append(make([]byte, 0, len(b)), b...) // never nil
	}
	w.packet.Attachments = append(w.packet.Attachments, kept)
}

// refuse sets the packet's Excess and drops the data that will not be read.
func (p *Packet) refuse(excess error) {
	p.Excess, p.Arguments = excess, 0
	clear(p.Attachments)
	switch p.Type {
	case Event:
		start := space(p.Data, space(p.Data, 0)+1)
		p.Data = append(append([]byte{'['}, p.Data[start:scalar(p.Data, start)]...), ']')
	case Ack:
		p.Data = []byte("[]")
	default:
		p.Data = nil
	}
}

func (d *Decoder) parse(b []byte) (p Packet, attachments int, references []int, err error) {
	if len(b) == 0 {
		return p, 0, nil, ErrType
	}
	p.Type, b = Type(b[0]), b[1:]
	switch p.Type {
	case Connect, Disconnect, Event, Ack, ConnectError:
	case binaryEvent, binaryAck:
		p.Type -= binaryEvent - Event
		if attachments, b, err = d.attachments(b); err != nil {
			return p, 0, nil, err
		}
	default:
		return p, 0, nil, ErrType
	}
	p.Namespace = Root
	if len(b) > 0 && b[0] == '/' {
		name, rest, _ := bytes.Cut(b, []byte{','})
		p.Namespace, b = string(name), rest
	}
	if p.ID, p.HasID, b, err = ackID(b); err != nil {
		return p, 0, nil, err
	}
	if len(b) == 0 {
		return p, attachments, nil, nil // without JSON it has no meaning, but is accepted, as on Node
	}
	s := scanner{b: b, maxDepth: d.maxDepth(p.Type), strict: true, lenient: attachments == 0, attachments: attachments, collect: attachments > 0}
	if err := d.check(&s, p.Type); err != nil {
		return p, 0, nil, err
	}
	p.Data = b
	if len(s.found) > d.maxAttachments() {
		s.exceed(ErrReferences)
	}
	if s.excess != nil {
		p.refuse(s.excess)
		return p, attachments, nil, nil
	}
	p.Data = bytes.Clone(b)
	switch p.Type {
	case Event:
		p.Arguments = s.elements - 1
	case Ack:
		p.Arguments = s.elements
	}
	for _, at := range s.found {
		references = append(references, at.num)
	}
	slices.Sort(references)
	return p, attachments, references, nil
}

func (d *Decoder) maxAttachments() int {
	if d.MaxAttachments == 0 {
		return DefaultMaxAttachments
	}
	return d.MaxAttachments
}

// maxElements returns the limit of elements of a packet's JSON array, 0 if
// there is none.
func (d *Decoder) maxElements(t Type) int {
	n := d.MaxArguments
	switch {
	case n < 0:
		return 0
	case n == 0:
		n = DefaultMaxArguments
	}
	if t == Event {
		n++ // the name
	}
	return n
}

// maxDepth returns the limit of nesting of a packet's JSON.
func (d *Decoder) maxDepth(t Type) int {
	n := d.MaxDepth
	if n == 0 {
		n = DefaultMaxDepth
	}
	if t == Event || t == Ack {
		n++ // the list of the arguments
	}
	return n
}

// attachments decodes the number of attachments of a binary packet. Zero is
// refused, as by socket.io-parser since 4.2.7 (CVE-2026-69185): a packet
// without attachments has another type.
func (d *Decoder) attachments(b []byte) (n int, rest []byte, err error) {
	limit := d.maxAttachments()
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

// ackID decodes the digits at the start of b. Ids above JavaScript's largest
// safe integer cannot be answered and are refused.
func ackID(b []byte) (id uint64, has bool, rest []byte, err error) {
	i := 0
	for ; i < len(b) && '0' <= b[i] && b[i] <= '9'; i++ {
		if id = id*10 + uint64(b[i]-'0'); id > 1<<53-1 {
			return 0, false, nil, ErrID
		}
	}
	return id, i > 0, b[i:], nil
}

// check checks that a packet of the type may have this JSON.
func (d *Decoder) check(s *scanner, t Type) error {
	if t == Event || t == Ack {
		s.maxElements = d.maxElements(t)
	}
	if err := s.document(); err != nil {
		return err
	}
	b := s.b
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
// without the surrounding brackets. The name may be a number, as on Node. The
// data must be valid JSON; name and args may share its memory.
func Name(data []byte) (name string, args []byte, err error) {
	s := scanner{b: data}
	i := space(data, 0)
	if s.at(i) != '[' {
		return "", nil, ErrPayload
	}
	start := space(data, i+1)
	switch c := s.at(start); {
	case c == '"', c == '-', digit(c):
		if i = s.value(start); i < 0 {
			return "", nil, s.problem()
		}
	default:
		return "", nil, ErrPayload
	}
	text := data[start:i]
	if data[start] == '"' {
		text, _ = unquote(text, nil)
	}
	if i = space(data, i); s.at(i) == ',' {
		i++
	}
	end := bytes.LastIndexByte(data, ']')
	if end < i {
		return "", nil, ErrPayload
	}
	return view(text), data[i:end], nil
}

// Elements returns the JSON texts of a list of comma-separated values, such as
// the args of [Name]. They share memory with list, which must be valid.
func Elements(list []byte) [][]byte {
	s := scanner{b: list}
	var out [][]byte
	for i := space(list, 0); i < len(list); i = space(list, i) {
		start := i
		if i = s.value(i); i < 0 {
			return out
		}
		out = append(out, slices.Clip(list[start:i]))
		if i = space(list, i); s.at(i) != ',' {
			return out
		}
		i++
	}
	return out
}

// Element returns element number n of a list as in [Elements]; false if there
// are fewer. It does not read beyond that element.
func Element(list []byte, n int) ([]byte, bool) {
	s := scanner{b: list}
	for i := space(list, 0); i < len(list); i = space(list, i) {
		start := i
		if i = s.value(i); i < 0 {
			break
		}
		if n--; n < 0 {
			return slices.Clip(list[start:i]), true
		}
		if i = space(list, i); s.at(i) != ',' {
			break
		}
		i++
	}
	return nil, false
}

// Trim returns a value without the white space around it: a cheap [Element] for
// a list that is known to have one value.
func Trim(value []byte) []byte {
	value = value[space(value, 0):]
	n := len(value)
	for n >= 8 && blank(binary.LittleEndian.Uint64(value[n-8:])) {
		n -= 8
	}
	for n > 0 && class[value[n-1]]&isSpace != 0 {
		n--
	}
	return value[:n:n]
}

// Scalar returns the end of the string, number or literal that begins at
// json[i], or false if there is none. With [Space] it helps to walk JSON, for
// example to encode it in another format.
func Scalar(json []byte, i int) (end int, ok bool) {
	if i >= len(json) || json[i] == '{' || json[i] == '[' {
		return 0, false
	}
	end = scalar(json, i)
	return end, end >= 0
}

// Space returns the end of the white space, if any, that begins at json[i].
func Space(json []byte, i int) int { return space(json, i) }
