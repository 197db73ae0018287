package socketio

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/puente-io/puente/server/internal/isotime"
	"github.com/puente-io/puente/server/socketio/packet"
)

// encodeEvent returns the data of an EVENT packet and checks its attachments.
func (srv *Server) encodeEvent(event string, args []any) (data []byte, attachments [][]byte, err error) {
	data, attachments, err = encodeEvent(event, args)
	if err == nil && len(attachments) > 0 {
		err = srv.checkAttachments(data, attachments)
	}
	return data, attachments, err
}

// encodeEvent returns the data of an EVENT packet.
func encodeEvent(event string, args []any) (data []byte, attachments [][]byte, err error) {
	if packet.Reserved(event) {
		return nil, nil, fmt.Errorf("%w: %q", ErrReserved, event)
	}
	dst := append(make([]byte, 0, 128), '[')
	if dst, err = jsontext.AppendQuote(dst, event); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrEncode, err)
	}
	return encodeList(dst, args, true)
}

// encodeAck returns the data of an ACK packet.
func encodeAck(args []any) (data []byte, attachments [][]byte, err error) {
	return encodeList(append(make([]byte, 0, 128), '['), args, false)
}

// encodeList appends arguments and the closing bracket to the start of a JSON
// array.
func encodeList(dst []byte, args []any, comma bool) (_ []byte, attachments [][]byte, err error) {
	for _, arg := range args {
		if comma {
			dst = append(dst, ',')
		}
		comma = true
		if dst, attachments, err = AppendArg(dst, attachments, arg); err != nil {
			return nil, nil, err
		}
	}
	return append(dst, ']'), attachments, nil
}

// AppendArg appends an argument's JSON to dst, encoded as by Emit, and its
// attachments to attachments. An [ArgAppender] encodes its parts with it.
// Errors wrap [ErrEncode].
func AppendArg(dst []byte, attachments [][]byte, arg any) ([]byte, [][]byte, error) {
	var err error
	switch a := arg.(type) {
	case nil:
		return append(dst, "null"...), attachments, nil
	case ArgAppender:
		dst, attachments, err = a.AppendArg(dst, attachments)
	case string:
		dst, _ = jsontext.AppendQuote(dst, a) // invalid UTF-8 is replaced
	case []byte:
		dst = packet.AppendPlaceholder(dst, len(attachments))
		attachments = append(attachments, a)
	case bool:
		dst = strconv.AppendBool(dst, a)
	case int:
		dst = strconv.AppendInt(dst, int64(a), 10)
	case int64:
		dst = strconv.AppendInt(dst, a, 10)
	case time.Time:
		dst = appendTime(dst, a)
	default:
		dst, attachments, err = appendReflected(dst, attachments, arg)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrEncode, err)
	}
	return dst, attachments, nil
}

func appendTime(dst []byte, t time.Time) []byte {
	return append(isotime.Append(append(dst, '"'), t), '"')
}

// encoder encodes values by reflection. Encoders are pooled, and their
// functions bound once, because package json caches types by these functions.
type encoder struct {
	buf         bytes.Buffer
	attachments [][]byte
	opts        json.Options
}

var encoders = sync.Pool{New: func() any {
	e := new(encoder)
	e.opts = json.JoinOptions(
		json.WithMarshalers(json.JoinMarshalers(
			json.MarshalToFunc(e.marshalBytes),
			json.MarshalToFunc(e.marshalValue),
			json.MarshalToFunc(marshalTime),
			json.MarshalToFunc(marshalRaw),
		)),
		jsontext.AllowDuplicateNames(true),
		jsontext.AllowInvalidUTF8(true),
		jsontext.PreserveRawStrings(true),
	)
	return e
}}

func appendReflected(dst []byte, attachments [][]byte, arg any) ([]byte, [][]byte, error) {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.buf.Reset()
	e.attachments = attachments
	err := json.MarshalWrite(&e.buf, arg, e.opts)
	attachments, e.attachments = e.attachments, nil
	if err != nil {
		return nil, nil, err
	}
	return append(dst, e.buf.Bytes()...), attachments, nil
}

func (e *encoder) marshalBytes(enc *jsontext.Encoder, b []byte) error {
	if b == nil {
		return enc.WriteToken(jsontext.Null)
	}
	text := packet.AppendPlaceholder(nil, len(e.attachments))
	e.attachments = append(e.attachments, b)
	return enc.WriteValue(text)
}

func (e *encoder) marshalValue(enc *jsontext.Encoder, v Value) error {
	text, attachments, err := v.AppendArg(nil, e.attachments)
	if err != nil {
		return err
	}
	e.attachments = attachments
	return enc.WriteValue(text)
}

func marshalTime(enc *jsontext.Encoder, t time.Time) error {
	return enc.WriteValue(appendTime(nil, t))
}

// marshalRaw encodes an empty raw message as null, as encoding/json does.
func marshalRaw(enc *jsontext.Encoder, raw stdjson.RawMessage) error {
	if len(raw) == 0 {
		return enc.WriteToken(jsontext.Null)
	}
	return enc.WriteValue(jsontext.Value(raw))
}
