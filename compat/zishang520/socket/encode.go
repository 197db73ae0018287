package socket

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/puente-io/puente/compat/zishang520/types"
	"github.com/puente-io/puente/server/socketio"
)

// encode returns arguments that package socketio sends as the original would. They
// are encoded now: a reader can be read only once, and the caller may change what it
// has passed.
func encode(args []any) ([]any, error) {
	out := make([]any, len(args))
	for i, arg := range args {
		switch arg.(type) {
		case nil, string, bool, int, int64:
			out[i] = arg
			continue
		}
		var v socketio.Value
		var err error
		if v.JSON, v.Attachments, err = appendValue(nil, nil, arg); err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

// appendValue appends a value's JSON to dst and its binary parts to attachments.
func appendValue(dst []byte, attachments [][]byte, v any) ([]byte, [][]byte, error) {
	var err error
	switch v := v.(type) {
	case nil, string, bool, int, int64, []byte:
		return socketio.AppendArg(dst, attachments, v)
	case *strings.Reader, *types.StringBuffer:
		text, err := read(v.(io.Reader))
		if err != nil {
			return nil, nil, err
		}
		return socketio.AppendArg(dst, attachments, string(text))
	case io.Reader:
		b, err := read(v)
		if err != nil {
			return nil, nil, err
		}
		return socketio.AppendArg(dst, attachments, b)
	case []any:
		dst = append(dst, '[')
		for i, element := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, attachments, err = appendValue(dst, attachments, element); err != nil {
				return nil, nil, err
			}
		}
		return append(dst, ']'), attachments, nil
	case map[string]any:
		dst = append(dst, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, attachments, err = socketio.AppendArg(dst, attachments, name); err != nil {
				return nil, nil, err
			}
			if dst, attachments, err = appendValue(append(dst, ':'), attachments, v[name]); err != nil {
				return nil, nil, err
			}
		}
		return append(dst, '}'), attachments, nil
	}
	return appendReflected(dst, attachments, v)
}

// read reads a reader to its end and closes it. A buffer of package types keeps its
// bytes, so that it can be sent again.
func read(r io.Reader) ([]byte, error) {
	if b, ok := r.(types.BufferInterface); ok {
		return bytes.Clone(b.Bytes()), nil
	}
	if c, ok := r.(io.Closer); ok {
		defer c.Close()
	}
	return io.ReadAll(r)
}

// encoder encodes values by reflection. Encoders are pooled, and their functions bound
// once, because package json caches types by these functions.
type encoder struct {
	buf         bytes.Buffer
	attachments [][]byte
	opts        json.Options
}

var encoders = sync.Pool{New: func() any {
	e := new(encoder)
	e.opts = json.JoinOptions(
		jsonv1.DefaultOptionsV1(),
		jsontext.EscapeForHTML(false),
		json.WithMarshalers(json.MarshalToFunc(e.marshalBuffer)),
	)
	return e
}}

// appendReflected appends what encoding/json makes of v, with < and > and & as they
// are, and with each *types.BytesBuffer, which encoding/json would lose, as an
// attachment.
func appendReflected(dst []byte, attachments [][]byte, v any) ([]byte, [][]byte, error) {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.buf.Reset()
	e.attachments = attachments
	err := json.MarshalWrite(&e.buf, v, e.opts)
	attachments, e.attachments = e.attachments, nil
	if err != nil {
		return nil, nil, err
	}
	return append(dst, e.buf.Bytes()...), attachments, nil
}

func (e *encoder) marshalBuffer(enc *jsontext.Encoder, b *types.BytesBuffer) error {
	text, attachments, err := socketio.AppendArg(nil, e.attachments, bytes.Clone(b.Bytes()))
	if err != nil {
		return err
	}
	e.attachments = attachments
	return enc.WriteValue(text)
}
