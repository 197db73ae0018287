package socketio

import (
	"fmt"

	"github.com/puente-io/puente/server/socketio/packet"
)

// Value is one argument as it came or will go: its JSON, and the attachments
// that placeholders in the JSON name by number. It is immutable, and may be
// emitted again, to anyone, as it is: byte for byte as an argument or by an
// [ArgAppender], without its white space as a part of other Go values. The zero
// Value is emitted as null.
type Value struct {
	JSON        []byte
	Attachments [][]byte
}

// Decode decodes the value into what v points to. Binary attachments decode
// into []byte, also inside an any; what decodes into a Value shares v's memory.
// It returns an error that wraps [ErrDecode].
func (v Value) Decode(into any) error {
	text := v.JSON
	if len(text) == 0 {
		text = []byte("null")
	}
	d := decoders.Get().(*decoder)
	defer decoders.Put(d)
	if err := d.decode(text, v.Attachments, into); err != nil {
		return fmt.Errorf("%w: %w", ErrDecode, err)
	}
	return nil
}

// Members calls yield for each member of an object, in order and whatever is in
// it, which costs less than to decode it where a part is passed on as it came.
// It reports false, perhaps after some calls, where v is no object.
func (v Value) Members(yield func(name string, member Value)) bool {
	return packet.Members(v.JSON, func(name string, text []byte) {
		yield(name, Value{JSON: text, Attachments: v.Attachments})
	})
}

// Pick is Members of those members alone whose name is one of some names, of which
// yield gets the index, and which costs little for others, however many there are.
// An empty name is none, and names must not have characters that JSON must escape.
func (v Value) Pick(names []string, yield func(i int, member Value)) bool {
	return packet.Pick(v.JSON, names, func(i int, text []byte) {
		yield(i, Value{JSON: text, Attachments: v.Attachments})
	})
}

// IsNull reports whether the value is null or missing.
func (v Value) IsNull() bool { return len(v.JSON) == 0 || string(v.JSON) == "null" }

// AppendArg appends the value's JSON.
func (v Value) AppendArg(dst []byte, attachments [][]byte) ([]byte, [][]byte, error) {
	if len(v.JSON) == 0 {
		return append(dst, "null"...), attachments, nil
	}
	dst, attachments = packet.AppendValue(dst, v.JSON, v.Attachments, attachments)
	return dst, attachments, nil
}

// ArgAppender is implemented by arguments that encode themselves: AppendArg
// appends one JSON value to dst and the attachments that the value's
// placeholders name to attachments, and returns both. It may be called more
// than once.
type ArgAppender interface {
	AppendArg(dst []byte, attachments [][]byte) ([]byte, [][]byte, error)
}

// IsBinary reports whether the value is one binary attachment.
func (v Value) IsBinary() bool {
	if len(v.Attachments) == 0 {
		return false
	}
	whole := false
	packet.Placeholders(v.JSON, func(start, end, _ int) { whole = whole || start == 0 && end == len(v.JSON) })
	return whole
}
