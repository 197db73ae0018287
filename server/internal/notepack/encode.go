package notepack

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"sync"

	"github.com/tinylib/msgp/msgp"

	"github.com/puente-io/puente/server/socketio/packet"
)

// encoder walks through one JSON text. Its methods take the index of the start of an
// element and return the index after it, or bad.
type encoder struct {
	json    []byte
	dst     []byte
	scratch []byte // of unquoted strings
	depth   int
	err     error // why a method returned bad, nil: ErrSyntax

	attachments  [][]byte
	placeholders []placeholder // those that are still to come
}

type placeholder struct{ start, end, num int }

const bad = -1

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// AppendJSON appends a JSON value as MessagePack. A placeholder that names no attachment
// stays an object. If it returns an error, dst is unchanged.
func AppendJSON(dst, json []byte, attachments [][]byte) ([]byte, error) {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.json, e.dst, e.depth, e.err = json, dst, 0, nil
	e.attachments, e.placeholders = attachments, e.placeholders[:0]
	all := e.placeholders
	if len(attachments) > 0 {
		packet.Placeholders(json, func(start, end, num int) {
			if num >= 0 && num < len(attachments) {
				all = append(all, placeholder{start, end, num})
			}
		})
		e.placeholders = all
	}
	i := e.value(packet.Space(json, 0))
	if i >= 0 && packet.Space(json, i) != len(json) {
		i = bad
	}
	out, err := e.dst, e.err
	e.json, e.dst, e.attachments, e.placeholders = nil, nil, nil, all[:0]
	if i < 0 {
		if err == nil {
			err = ErrSyntax
		}
		return dst, err
	}
	return out, nil
}

func (e *encoder) value(i int) int {
	if i >= len(e.json) {
		return bad
	}
	c := e.json[i]
	switch c {
	case '{':
		for len(e.placeholders) > 0 && e.placeholders[0].start < i {
			e.placeholders = e.placeholders[1:]
		}
		if len(e.placeholders) > 0 && e.placeholders[0].start == i {
			p := e.placeholders[0]
			e.dst = msgp.AppendBytes(e.dst, e.attachments[p.num])
			return p.end
		}
		return e.container(i, true)
	case '[':
		return e.container(i, false)
	}
	end, ok := packet.Scalar(e.json, i)
	if !ok {
		return bad
	}
	switch c {
	case 'n':
		e.dst = msgp.AppendNil(e.dst)
	case 't', 'f':
		e.dst = msgp.AppendBool(e.dst, c == 't')
	case '"':
		e.str(e.json[i:end])
	default:
		e.dst = appendNumber(e.dst, e.json[i:end])
	}
	return end
}

// shallow is the depth up to which containers get the shortest possible header, as
// notepack writes it. For that their content is moved, which must not happen once for
// each of a thousand levels.
const shallow = 32

func (e *encoder) container(i int, isMap bool) int {
	if e.depth++; e.depth > MaxDepth {
		e.err = ErrDepth
		return bad
	}
	end := byte(']')
	if isMap {
		end = '}'
	}
	start, n := len(e.dst), uint32(0)
	e.dst = append(e.dst, make([]byte, headerRoom(e.depth))...)
	i = packet.Space(e.json, i+1)
	for first := true; ; first = false {
		if i == len(e.json) {
			return bad
		}
		switch c := e.json[i]; {
		case c == end && first, c == end && n > 0:
			e.dst = putHeader(e.dst, start, headerRoom(e.depth), n, isMap)
			e.depth--
			return i + 1
		case first:
		case c == ',':
			i = packet.Space(e.json, i+1)
		default:
			return bad
		}
		if isMap {
			if i = e.name(i); i < 0 {
				return bad
			}
		}
		if i = e.value(i); i < 0 {
			return bad
		}
		n++
		i = packet.Space(e.json, i)
	}
}

// name appends the name of a member, and returns the index of its value.
func (e *encoder) name(i int) int {
	if i == len(e.json) || e.json[i] != '"' {
		return bad
	}
	end, ok := packet.Scalar(e.json, i)
	if !ok {
		return bad
	}
	e.str(e.json[i:end])
	if i = packet.Space(e.json, end); i == len(e.json) || e.json[i] != ':' {
		return bad
	}
	return packet.Space(e.json, i+1)
}

// headerRoom returns how many bytes to leave for the header of a container before its
// content is known.
func headerRoom(depth int) int {
	if depth > shallow {
		return 5
	}
	return 1
}

// putHeader puts the header of a container of n elements (of an array, or pairs
// of a map) into dst[at:], which has room bytes for it.
func putHeader(dst []byte, at, room int, n uint32, isMap bool) []byte {
	size := 1
	switch {
	case room == 5 || n >= 1<<16:
		size = 5
	case n >= 16:
		size = 3
	}
	if more := size - room; more > 0 {
		end := len(dst)
		dst = append(dst, make([]byte, more)...)
		copy(dst[at+size:], dst[at+room:end])
	}
	kinds := [...]byte{0x90, 0xdc, 0xdd}
	if isMap {
		kinds = [...]byte{0x80, 0xde, 0xdf}
	}
	switch size {
	case 1:
		dst[at] = kinds[0] | byte(n)
	case 3:
		dst[at] = kinds[1]
		binary.BigEndian.PutUint16(dst[at+1:], uint16(n))
	default:
		dst[at] = kinds[2]
		binary.BigEndian.PutUint32(dst[at+1:], n)
	}
	return dst
}

func (e *encoder) str(quoted []byte) {
	text := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		e.scratch = packet.AppendUnquoted(e.scratch[:0], quoted)
		text = e.scratch
	}
	e.dst = msgp.AppendStringFromBytes(e.dst, text)
}

// appendNumber appends a valid number.
func appendNumber(dst, text []byte) []byte {
	if len(text) == 1 {
		return append(dst, text[0]-'0')
	}
	if bytes.IndexByte(text, '.') < 0 && bytes.IndexByte(text, 'e') < 0 && bytes.IndexByte(text, 'E') < 0 {
		if i, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			return appendInt(dst, i)
		}
		if u, err := strconv.ParseUint(string(text), 10, 64); err == nil {
			return msgp.AppendUint64(dst, u)
		}
	}
	f, _ := strconv.ParseFloat(string(text), 64) // ±Inf if it is out of range
	switch {
	case f != math.Trunc(f) || f >= 1<<64 || f < -1<<63:
		return msgp.AppendFloat64(dst, f)
	case f >= 0:
		return msgp.AppendUint64(dst, uint64(f))
	}
	return appendInt(dst, int64(f))
}

// appendInt is for -0 too, which is 0 for notepack.
func appendInt(dst []byte, i int64) []byte {
	if i >= 0 {
		return msgp.AppendUint64(dst, uint64(i))
	}
	return msgp.AppendInt64(dst, i)
}
