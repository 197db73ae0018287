package notepack

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"

	"github.com/puente-io/puente/server/socketio/packet"
)

// encoder walks through one JSON text.
type encoder struct {
	buf     bytes.Buffer
	dec     jsontext.Decoder
	json    []byte
	dst     []byte
	scratch []byte // of unquoted strings
	depth   int

	attachments  [][]byte
	placeholders []placeholder // those that are still to come
}

type placeholder struct{ start, num int }

var encoders = sync.Pool{New: func() any { return new(encoder) }}

var jsonOptions = jsontext.AllowDuplicateNames(true)
var utf8Options = jsontext.AllowInvalidUTF8(true)

// AppendJSON appends a JSON value as MessagePack. A placeholder that names no
// attachment stays an object. With an error, dst is returned as it was.
func AppendJSON(dst, json []byte, attachments [][]byte) ([]byte, error) {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.buf = *bytes.NewBuffer(json)
	e.dec.Reset(&e.buf, jsonOptions, utf8Options)
	e.json, e.dst, e.depth = json, dst, 0
	e.attachments, e.placeholders = attachments, e.placeholders[:0]
	if len(attachments) > 0 {
		packet.Placeholders(json, func(start, _, num int) {
			if num >= 0 && num < len(attachments) {
				e.placeholders = append(e.placeholders, placeholder{start, num})
			}
		})
		slices.SortFunc(e.placeholders, func(a, b placeholder) int { return cmp.Compare(a.start, b.start) })
	}
	err := e.value()
	if err == nil && len(bytes.TrimLeft(json[e.dec.InputOffset():], " \t\r\n")) > 0 {
		err = ErrSyntax
	}
	out := e.dst
	e.json, e.dst, e.attachments, e.buf = nil, nil, nil, bytes.Buffer{}
	if err != nil {
		return dst, err
	}
	return out, nil
}

func (e *encoder) value() error {
	switch e.dec.PeekKind() {
	case '{':
		if num, ok := e.placeholder(); ok {
			if err := e.dec.SkipValue(); err != nil {
				return syntax(err)
			}
			e.dst = msgp.AppendBytes(e.dst, e.attachments[num])
			return nil
		}
		return e.container(true)
	case '[':
		return e.container(false)
	}
	raw, err := e.dec.ReadValue()
	if err != nil {
		return syntax(err)
	}
	switch raw[0] {
	case 'n':
		e.dst = msgp.AppendNil(e.dst)
	case 't', 'f':
		e.dst = msgp.AppendBool(e.dst, raw[0] == 't')
	case '"':
		e.str(raw)
	default:
		e.dst = appendNumber(e.dst, raw)
	}
	return nil
}

// placeholder reports whether the object that is next is a placeholder.
func (e *encoder) placeholder() (num int, ok bool) {
	if len(e.placeholders) == 0 {
		return 0, false
	}
	at := int(e.dec.InputOffset())
	for at < len(e.json) && e.json[at] != '{' {
		at++
	}
	for len(e.placeholders) > 0 && e.placeholders[0].start < at {
		e.placeholders = e.placeholders[1:] // inside another
	}
	if len(e.placeholders) == 0 || e.placeholders[0].start != at {
		return 0, false
	}
	return e.placeholders[0].num, true
}

func (e *encoder) container(isMap bool) error {
	if e.depth++; e.depth > MaxDepth {
		return ErrDepth
	}
	if _, err := e.dec.ReadToken(); err != nil {
		return syntax(err)
	}
	start, n := len(e.dst), 0
	for {
		switch e.dec.PeekKind() {
		case '}', ']':
			if _, err := e.dec.ReadToken(); err != nil {
				return syntax(err)
			}
			e.depth--
			e.dst = appendHeader(e.dst, start, n, isMap)
			return nil
		}
		if isMap {
			name, err := e.dec.ReadValue()
			if err != nil {
				return syntax(err)
			}
			e.str(name)
		}
		if err := e.value(); err != nil {
			return err
		}
		n++
	}
}

func (e *encoder) str(quoted []byte) {
	text := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		// The only error is of invalid UTF-8, which has been replaced.
		e.scratch, _ = jsontext.AppendUnquote(e.scratch[:0], quoted)
		text = e.scratch
	}
	e.dst = msgp.AppendStringFromBytes(e.dst, text)
}

func appendNumber(dst, text []byte) []byte {
	if u, err := strconv.ParseUint(string(text), 10, 64); err == nil {
		return msgp.AppendUint64(dst, u)
	}
	if i, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return appendInt(dst, i)
	}
	f, _ := strconv.ParseFloat(string(text), 64) // ±Inf where it is out of range
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

func syntax(err error) error { return fmt.Errorf("%w: %w", ErrSyntax, err) }
