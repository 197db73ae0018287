package redispresence

import (
	"errors"
	"fmt"

	"github.com/tinylib/msgp/msgp"

	"github.com/puente-io/puente/server/ident"
)

// A message is one MessagePack array of seven elements:
//
//	version   1
//	from      the node that sends it, a string
//	kind      beat, delta, state, want, bye
//	seq       how many operations the node has done since it started
//	index     beat: 1 asks all for a beat; state: which chunk this is
//	count     state: how many chunks there are
//	ops       delta: the last operations up to seq; state: part of what is true at seq
//
// Operations stand one after the other in one array: a code, the device, and for
// all but disconnect the user or the room, as the JSON text by which clients know
// it ("42" with its quotes is not 42). nil for a device means the one before.
const version = 1

type kind uint8

const (
	beat  kind = iota // the node is alive and at seq
	delta             // operations
	state             // all that is true of the node's devices, in chunks
	want              // the node asks the owner of the channel for its state
	bye               // the node leaves
	kinds
)

type code uint8

const (
	connect   code = iota // the device is the user's
	join                  // it is in the room, and its user was before
	joinFirst             // the same, and its user was not, as far as the node knew
	leave
	leaveLast // its user has no other, as far as the node knew
	disconnect
	codes
)

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

// places reports whether all operations up to seq have been published when the
// message is heard.
func (m *message) places() bool {
	return m.kind == beat || m.kind == delta || m.kind == state && m.index == m.count-1
}

// Bounds of what is sent and read.
const (
	frameBytes    = 64 << 10       // after which a message is full
	maxFrameBytes = 2 * frameBytes // that is decoded
	maxNodeName   = 64
	maxDeviceName = 256
	maxIndex      = 1 << 20
)

var (
	errVersion = errors.New("of another version")
	errBounds  = errors.New("out of bounds")
)

// frame is an encoded message and where it goes.
type frame struct {
	channel string
	payload []byte
}

// packer encodes operations.
type packer struct {
	body     []byte
	elements uint32
	ops      int
	last     string // device
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

// message returns the message with the operations so far, and begins anew.
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

// encode encodes a message without operations.
func encode(k kind, from string, seq, index uint64) []byte {
	return new(packer).message(k, from, seq, index, 0)
}

// decode reads what came on a channel, which may be anything.
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
	case !isNodeName(m.from), k >= uint64(kinds), m.index > maxIndex, m.count > maxIndex, int(elements) > len(r.b):
		return m, errBounds
	case m.kind == state && m.index >= m.count:
		return m, errBounds
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

// isNodeName reports whether s may name a node: it is part of a channel's name.
func isNodeName(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || c == '#' {
			return false
		}
	}
	return s != "" && len(s) <= maxNodeName
}

// reader reads MessagePack until the first error.
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
		case c >= uint64(codes), last == "", len(last) > maxDeviceName, elements < 0:
			return nil, errBounds
		}
		ops = append(ops, o)
	}
	return ops, nil
}
