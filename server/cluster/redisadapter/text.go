package redisadapter

import (
	"errors"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"

	"github.com/puente-io/puente/server/internal/notepack"
)

// Both protocols build their messages as JSON with placeholders, and package notepack
// converts those that are MessagePack on the wire.

var (
	errType     = errors.New("unknown type of message")
	errPacket   = errors.New("not an event")
	errMissing  = errors.New("a field is missing")
	errTrailing = errors.New("bytes after the message")
	errNames    = errors.New("too many rooms")
	errDepth    = errors.New("nested too deeply")
	errUTF8     = errors.New("not UTF-8") // clients would close their connections
)

var wireJSON = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// textOf returns the JSON of a message that is JSON or MessagePack. It returns binary
// values as attachments, or, with inText, as strings in the JSON.
func textOf(payload []byte, inText bool) (text []byte, attachments [][]byte, err error) {
	if len(payload) > 0 && payload[0] == '{' {
		if tooDeep(payload) {
			return nil, nil, errDepth
		}
		if !utf8.Valid(payload) {
			return nil, nil, errUTF8
		}
		return payload, nil, nil
	}
	d := notepack.Decoder{InText: inText}
	rest, err := d.Value(payload)
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	return d.JSON, d.Attachments, err
}

// unmarshal decodes a message that is JSON or MessagePack.
func unmarshal(payload []byte, into any) (attachments [][]byte, err error) {
	text, attachments, err := textOf(payload, false)
	if err != nil {
		return nil, err
	}
	return attachments, json.Unmarshal(text, into, wireJSON)
}

// tooDeep reports whether JSON is nested more deeply than MessagePack may be.
func tooDeep(text []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > notepack.MaxDepth {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}

// eachField calls f for each field of the MessagePack map that b begins with. f returns
// what follows the field's value.
func eachField(b []byte, f func(key string, b []byte) ([]byte, error)) ([]byte, error) {
	n, b, err := msgp.ReadMapHeaderBytes(b)
	if err != nil {
		return nil, err
	}
	for range n {
		var key []byte
		if key, b, err = msgp.ReadMapKeyZC(b); err != nil {
			return nil, err
		}
		if len(b) == 0 {
			return nil, msgp.ErrShortBytes
		}
		if b, err = f(string(key), b); err != nil {
			return nil, err
		}
	}
	return b, nil
}
