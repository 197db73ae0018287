package socketio

import (
	"fmt"
	"slices"

	"github.com/puente-io/puente/server/socketio/packet"
)

// Value is one argument, received or to be sent: its JSON, and the attachments
// that placeholders in the JSON refer to by number. It is immutable and may be
// emitted again. Its JSON is sent byte for byte if it is an argument or is encoded by an
// [ArgAppender]; inside another Go value, its white space is removed. The zero Value is
// sent as null.
type Value struct {
	JSON        []byte
	Attachments [][]byte
}

// Decode decodes the value into the value that into points to. Attachments decode into
// []byte, even within an any. A Value in the result shares v's memory. Errors wrap
// [ErrDecode].
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

// Members calls yield for each member of an object, in order. It is cheaper
// than Decode if the members are passed on unchanged. It reports false, perhaps
// after some calls, if v is not an object.
func (v Value) Members(yield func(name string, member Value)) bool {
	return packet.Members(v.JSON, func(name string, text []byte) {
		yield(name, Value{JSON: text, Attachments: v.Attachments})
	})
}

// Pick is Members for only the members with one of the names; yield gets the
// index of the name. Other members cost little, however many there are. Empty
// names match nothing, and names must not contain characters that JSON escapes.
func (v Value) Pick(names []string, yield func(i int, member Value)) bool {
	return packet.Pick(v.JSON, names, func(i int, text []byte) {
		yield(i, Value{JSON: text, Attachments: v.Attachments})
	})
}

// IsNull reports whether the value is null or missing.
func (v Value) IsNull() bool { return len(v.JSON) == 0 || string(v.JSON) == "null" }

// AppendArg implements [ArgAppender].
func (v Value) AppendArg(dst []byte, attachments [][]byte) ([]byte, [][]byte, error) {
	if len(v.JSON) == 0 {
		return append(dst, "null"...), attachments, nil
	}
	if n := len(v.JSON); n > cap(dst)-len(dst) {
		const rest = 256 // what follows a large value must not copy it again
		dst = slices.Grow(dst, n+rest)
	}
	dst, attachments = packet.AppendValue(dst, v.JSON, v.Attachments, attachments)
	return dst, attachments, nil
}

// ArgAppender is an argument that encodes itself. AppendArg appends one JSON
// value to dst, and to attachments those that the value's placeholders name,
// and returns both. It may be called more than once.
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
