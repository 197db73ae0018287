package redispresence

import (
	"errors"
	"fmt"
	"math"

	"github.com/tinylib/msgp/msgp"

	"github.com/puente-io/puente/server/ident"
)

// A message is a MessagePack array of seven elements:
//
//	version   1
//	from      the sending node's name, a string
//	kind      beat, delta, state, request or bye; others are ignored
//	seq       the number of the node's operations since it started
//	index     beat: 1 is the hello flag; state: the index of the chunk
//	count     state: the number of chunks
//	ops       delta: the last operations up to seq; state: a chunk of the state at seq
//
// ops is one flat array of operations: a code, the device and, except for
// disconnect, the user or the room, in the JSON form that clients use ("42" with
// quotes differs from 42). A nil device repeats the previous one.
const version = 1

type kind uint8

const (
	beat    kind = iota // heartbeat: the node is alive and at seq
	delta               // operations
	state               // the node's devices and their rooms, in chunks
	request             // asks the owner of the channel for its state
	bye                 // the node leaves
	kinds
)

type code uint8

const ( // 2 and 4 were in use before the first release
	connect    code = 0 // the device connects for the user
	join       code = 1 // the device joins the room
	leave      code = 3 // the device leaves the room
	disconnect code = 5 // the device disconnects
	codes           = 6
)

func (c code) known() bool { return c == connect || c == join || c == leave || c == disconnect }

// op is one operation on a device.
type op struct {
	code   code
	device string
	id     ident.ID // user or room
}

type message struct {
	kind         kind
	from         string
	seq          uint64
	index, count uint64
	ops          []op
}

// confirms reports whether the message proves that all operations up to seq have
// been published before it.
func (m *message) confirms() bool {
	return m.kind == beat || m.kind == delta || m.kind == state && m.index == m.count-1
}

// Bounds of messages.
const (
	frameBytes    = 64 << 10       // size at which a sent message is full
	maxFrameBytes = 2 * frameBytes // size up to which a message is decoded
	maxNodeName   = 64             // bytes
	maxDeviceName = 256            // bytes
	maxIndex      = 1 << 20        // chunks of a state
)

var (
	errVersion = errors.New("unknown version")
	errBounds  = errors.New("value out of bounds")
	errForged  = errors.New("redispresence: message in this node's name that it has not sent")
)

// frame is an encoded message and its channel.
type frame struct {
	channel string
	payload []byte
}

// packer encodes operations into one message.
type packer struct {
	body     []byte
	elements uint32 // of the array
	ops      int
	last     string // the last operation's device
}

func (p *packer) add(o op) {
	p.body = msgp.AppendUint8(p.body, uint8(o.code))
	if o.device == p.last {
		p.body = msgp.AppendNil(p.body)
	} else {
		p.body = msgp.AppendString(p.body, o.device)
		p.last = o.device
	}
	p.elements += 2
	p.ops++
	if o.code != disconnect {
		var text [64]byte
		p.body = msgp.AppendStringFromBytes(p.body, o.id.AppendJSON(text[:0]))
		p.elements++
	}
}

func (p *packer) full() bool { return len(p.body) >= frameBytes-maxNodeName-64 }

// message returns a message with the operations added so far and resets the packer.
func (p *packer) message(k kind, from string, seq, index, count uint64) []byte {
	b := make([]byte, 0, len(p.body)+len(from)+48)
	b = msgp.AppendArrayHeader(b, 7)
	b = msgp.AppendUint8(b, version)
	b = msgp.AppendString(b, from)
	b = msgp.AppendUint8(b, uint8(k))
	b = msgp.AppendUint64(b, seq)
	b = msgp.AppendUint64(b, index)
	b = msgp.AppendUint64(b, count)
	b = msgp.AppendArrayHeader(b, p.elements)
	b = append(b, p.body...)
	*p = packer{body: p.body[:0]}
	return b
}

// encode returns a message without operations.
func encode(k kind, from string, seq, index uint64) []byte {
	return new(packer).message(k, from, seq, index, 0)
}

// decode decodes a message. b may be anything.
func decode(b []byte) (m message, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("redispresence: malformed message: %w", err)
		}
	}()
	if len(b) > maxFrameBytes {
		return m, errBounds
	}
	r := reader{b: b}
	if n := r.array(); r.err == nil && n != 7 {
		return m, errVersion
	}
	if v := r.uint(); r.err == nil && v != version {
		return m, errVersion
	}
	m.from = r.string()
	k := r.uint()
	m.kind = kind(k)
	m.seq, m.index, m.count = r.uint(), r.uint(), r.uint()
	elements := r.array()
	switch {
	case r.err != nil:
		return m, r.err
	case !isNodeName(m.from), k > math.MaxUint8, m.index > maxIndex, m.count > maxIndex, int(elements) > len(r.b):
		return m, errBounds
	case m.kind == state && m.index >= m.count:
		return m, errBounds
	}
	if m.kind >= kinds { // of a later version, and so are its operations
		return m, nil
	}
	m.ops, err = r.ops(int(elements))
	switch {
	case err != nil:
		return m, err
	case len(r.b) != 0, m.kind == delta && uint64(len(m.ops)) > m.seq:
		return m, errBounds
	}
	return m, nil
}

// isNodeName reports whether s may be a node's name, which is part of a channel name:
// printable ASCII without spaces and #.
func isNodeName(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || c == '#' {
			return false
		}
	}
	return s != "" && len(s) <= maxNodeName
}

// reader reads MessagePack. After the first error all methods return zero values.
type reader struct {
	b   []byte
	err error
}

func (r *reader) array() (n uint32) {
	if r.err == nil {
		n, r.b, r.err = msgp.ReadArrayHeaderBytes(r.b)
	}
	return n
}

func (r *reader) uint() (n uint64) {
	if r.err == nil {
		n, r.b, r.err = msgp.ReadUint64Bytes(r.b)
	}
	return n
}

func (r *reader) bytes() (s []byte) {
	if r.err == nil {
		s, r.b, r.err = msgp.ReadStringZC(r.b)
	}
	return s
}

func (r *reader) string() string { return string(r.bytes()) }

func (r *reader) ops(elements int) ([]op, error) {
	var ops []op
	if elements > 0 {
		ops = make([]op, 0, elements/3+1)
	}
	last := ""
	for elements > 0 {
		c := r.uint()
		switch {
		case r.err != nil:
		case msgp.IsNil(r.b):
			r.b = r.b[1:]
		default:
			last = r.string()
		}
		o := op{code: code(c), device: last}
		elements -= 2
		if r.err == nil && o.code != disconnect {
			elements--
			if o.id, r.err = ident.Parse(r.bytes()); r.err != nil {
				return nil, r.err
			}
		}
		switch {
		case r.err != nil:
			return nil, r.err
		case c >= codes, !o.code.known(), last == "", len(last) > maxDeviceName, elements < 0:
			return nil, errBounds
		}
		ops = append(ops, o)
	}
	return ops, nil
}
