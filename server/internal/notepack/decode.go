package notepack

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"

	"github.com/puente-io/puente/server/internal/isotime"
	"github.com/puente-io/puente/server/socketio/packet"
)

// Decoder collects the JSON of MessagePack values, and the binary values in them.
type Decoder struct {
	// JSON is what has been decoded.
	JSON []byte
	// Attachments are the binary values, which share the message's memory.
	Attachments [][]byte
	// InText writes binary values into the JSON, as Node's JSON.stringify does
	// with a Buffer, instead of taking them out as attachments.
	InText bool
	// MaxDepth bounds the nesting of each value. 0: the constant.
	MaxDepth int
	// Marked is set if an object that is no placeholder looks like one.
	Marked bool

	depth int
}

// Value appends the JSON of the value at the start of msg to d.JSON and returns the rest
// of msg. It refuses objects that look like placeholders beside attachments.
func (d *Decoder) Value(msg []byte) (rest []byte, err error) {
	d.depth = 0
	if rest, err = d.value(msg); err != nil {
		return nil, err
	}
	if d.Marked && len(d.Attachments) > 0 {
		return nil, ErrAttachments
	}
	return rest, nil
}

func (d *Decoder) value(b []byte) (_ []byte, err error) {
	if len(b) == 0 {
		return nil, ErrSyntax
	}
	switch c := b[0]; {
	case c <= 0x7f || c >= 0xe0 || c >= 0xd0 && c <= 0xd3:
		var i int64
		i, b, err = msgp.ReadInt64Bytes(b)
		d.JSON = strconv.AppendInt(d.JSON, i, 10)
	case c >= 0xcc && c <= 0xcf:
		var u uint64
		u, b, err = msgp.ReadUint64Bytes(b)
		d.JSON = strconv.AppendUint(d.JSON, u, 10)
	case c <= 0x8f || c == 0xde || c == 0xdf:
		return d.object(b)
	case c <= 0x9f || c == 0xdc || c == 0xdd:
		return d.array(b)
	case c <= 0xbf || c >= 0xd9 && c <= 0xdb:
		return d.str(b)
	case c == 0xc0:
		d.JSON, b = append(d.JSON, "null"...), b[1:]
	case c == 0xc2 || c == 0xc3:
		d.JSON, b = strconv.AppendBool(d.JSON, c == 0xc3), b[1:]
	case c >= 0xc4 && c <= 0xc6:
		var bin []byte
		if bin, b, err = msgp.ReadBytesZC(b); err == nil {
			err = d.binary(bin)
		}
	case c == 0xca:
		var f float32
		f, b, err = msgp.ReadFloat32Bytes(b)
		d.float(float64(f))
	case c == 0xcb:
		var f float64
		f, b, err = msgp.ReadFloat64Bytes(b)
		d.float(f)
	case c >= 0xc7 && c <= 0xc9 || c >= 0xd4 && c <= 0xd8:
		return d.ext(b)
	default:
		return nil, ErrSyntax
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	return b, nil
}

// enter checks that n elements can follow in b.
func (d *Decoder) enter(n uint32, b []byte, err error) error {
	if err != nil || uint64(n) > uint64(len(b)) {
		return ErrSyntax
	}
	most := d.MaxDepth
	if most == 0 {
		most = MaxDepth
	}
	if d.depth++; d.depth > most {
		return ErrDepth
	}
	return nil
}

func (d *Decoder) array(b []byte) ([]byte, error) {
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	if err := d.enter(n, b, err); err != nil {
		return nil, err
	}
	d.JSON = append(d.JSON, '[')
	for i := range n {
		if i > 0 {
			d.JSON = append(d.JSON, ',')
		}
		if b, err = d.value(b); err != nil {
			return nil, err
		}
	}
	d.depth--
	d.JSON = append(d.JSON, ']')
	return b, nil
}

func (d *Decoder) object(b []byte) ([]byte, error) {
	n, b, err := msgp.ReadMapHeaderBytes(b)
	if err := d.enter(n, b, err); err != nil {
		return nil, err
	}
	d.JSON = append(d.JSON, '{')
	start := len(d.JSON)
	for range n {
		before := len(d.JSON)
		if before > start {
			d.JSON = append(d.JSON, ',')
		}
		quoted := len(d.JSON)
		if b, err = d.key(b); err != nil {
			return nil, err
		}
		if isUndefined(b) { // a member that JSON.stringify omits
			d.JSON, b = d.JSON[:before], b[3:]
			continue
		}
		if len(b) > 0 && b[0] == 0xc3 && string(d.JSON[quoted:]) == `"_placeholder"` {
			d.Marked = true
		}
		d.JSON = append(d.JSON, ':')
		if b, err = d.value(b); err != nil {
			return nil, err
		}
	}
	d.depth--
	d.JSON = append(d.JSON, '}')
	return b, nil
}

// key appends a name. If it is a number, its text is the name, as in JavaScript.
func (d *Decoder) key(b []byte) ([]byte, error) {
	switch msgp.NextType(b) {
	case msgp.StrType:
		return d.str(b)
	case msgp.IntType, msgp.UintType, msgp.Float64Type, msgp.Float32Type:
		d.JSON = append(d.JSON, '"')
		b, err := d.value(b)
		d.JSON = append(d.JSON, '"')
		return b, err
	}
	return nil, ErrSyntax
}

func (d *Decoder) str(b []byte) ([]byte, error) {
	text, b, err := msgp.ReadStringZC(b)
	if err != nil {
		return nil, ErrSyntax
	}
	d.JSON, _ = jsontext.AppendQuote(d.JSON, text) // invalid UTF-8 is replaced
	return b, nil
}

func (d *Decoder) binary(b []byte) error {
	if d.InText {
		d.JSON = append(d.JSON, `{"type":"Buffer","data":[`...)
		for i, c := range b {
			if i > 0 {
				d.JSON = append(d.JSON, ',')
			}
			d.JSON = strconv.AppendUint(d.JSON, uint64(c), 10)
		}
		d.JSON = append(d.JSON, "]}"...)
		return nil
	}
	if len(d.Attachments) == maxAttachments {
		return ErrAttachments
	}
	d.JSON = packet.AppendPlaceholder(d.JSON, len(d.Attachments))
	d.Attachments = append(d.Attachments, b)
	return nil
}

// float appends a number as JavaScript prints it.
func (d *Decoder) float(f float64) {
	abs := math.Abs(f)
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		d.JSON = append(d.JSON, "null"...)
	case f == 0: // -0 too
		d.JSON = append(d.JSON, '0')
	case abs < 1e-6 || abs >= 1e21:
		d.JSON = strconv.AppendFloat(d.JSON, f, 'e', -1, 64)
		if n := len(d.JSON); d.JSON[n-3] == '-' && d.JSON[n-2] == '0' { // e-07
			d.JSON = append(d.JSON[:n-2], d.JSON[n-1])
		}
	default:
		d.JSON = strconv.AppendFloat(d.JSON, f, 'f', -1, 64)
	}
}

// ext appends one of the extensions.
func (d *Decoder) ext(b []byte) ([]byte, error) {
	typ, data, rest, err := readExt(b)
	if err != nil {
		return nil, err
	}
	be := binary.BigEndian
	var at time.Time
	switch {
	case typ == 0 && b[0] == 0xd4:
		d.JSON = append(d.JSON, "null"...)
		return rest, nil
	case typ == 0 && b[0] <= 0xc9:
		return rest, d.binary(data)
	case typ == 0 && len(data) == 8:
		at = time.UnixMilli(int64(be.Uint64(data)))
	case typ == -1 && len(data) == 4:
		at = time.Unix(int64(be.Uint32(data)), 0)
	case typ == -1 && len(data) == 8:
		v := be.Uint64(data)
		at = time.Unix(int64(v&(1<<34-1)), int64(v>>34))
	case typ == -1 && len(data) == 12:
		at = time.Unix(int64(be.Uint64(data[4:])), int64(be.Uint32(data)))
	default:
		d.JSON = strconv.AppendInt(append(d.JSON, '['), int64(typ), 10)
		d.JSON = append(d.JSON, ',')
		err := d.binary(data)
		d.JSON = append(d.JSON, ']')
		return rest, err
	}
	if at = at.UTC(); at.Year() < 0 || at.Year() > 9999 {
		d.JSON = append(d.JSON, "null"...)
	} else {
		d.JSON = append(isotime.Append(append(d.JSON, '"'), at), '"')
	}
	return rest, nil
}

// readExt returns an extension and what follows it. msgp's own reader interprets some
// types, differently from notepack.
func readExt(b []byte) (typ int8, data, rest []byte, err error) {
	n, head := 0, 2
	switch c := b[0]; {
	case c >= 0xd4:
		n = 1 << (c - 0xd4)
	case c == 0xc7 && len(b) > 1:
		n, head = int(b[1]), 3
	case c == 0xc8 && len(b) > 2:
		n, head = int(binary.BigEndian.Uint16(b[1:])), 4
	case c == 0xc9 && len(b) > 4:
		n, head = int(binary.BigEndian.Uint32(b[1:])), 6
	default:
		return 0, nil, nil, ErrSyntax
	}
	if len(b) < head || len(b)-head < n {
		return 0, nil, nil, ErrSyntax
	}
	return int8(b[head-1]), b[head : head+n], b[head+n:], nil
}
