package socketio

import (
	"fmt"

	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// Args are the arguments of an event or of an acknowledgement, in order.
type Args []Value

// Arg returns argument number i, counted from 0, or the zero Value (null) if
// there are fewer.
func (a Args) Arg(i int) Value {
	if i < 0 || i >= len(a) {
		return Value{}
	}
	return a[i]
}

// Decode decodes the first arguments into what the pointers point to; a nil
// skips one. Further arguments are ignored, as by a JavaScript function. If
// one is missing or does not decode, the error wraps [ErrDecode] and names it,
// counted from 1.
func (a Args) Decode(into ...any) error {
	for i, p := range into {
		switch {
		case p == nil:
		case i >= len(a):
			return errMissing(i, len(into))
		default:
			if err := a[i].Decode(p); err != nil {
				return argError(i, err)
			}
		}
	}
	return nil
}

// Any returns the arguments as a list that can be passed on:
// s.Emit(ctx, name, args.Any()...).
func (a Args) Any() []any {
	list := make([]any, len(a))
	for i, v := range a {
		list[i] = v
	}
	return list
}

// errMissing returns the error for argument number i, counted from 0, of an event that
// has fewer.
func errMissing(i, want int) error {
	return fmt.Errorf("%w: argument %d of %d is missing", ErrDecode, i+1, want)
}

// argError adds the number of the argument, counted from 0, to an error that
// wraps ErrDecode.
func argError(i int, err error) error { return fmt.Errorf("argument %d: %w", i+1, err) }

// argsOf splits a list of arguments.
func argsOf(list adapter.Args) Args {
	elements := packet.Elements(list.List)
	out := make(Args, len(elements))
	for i, el := range elements {
		out[i] = Value{JSON: el, Attachments: list.Attachments}
	}
	return out
}

// firstArg returns the first of a list of arguments, or null.
func firstArg(list adapter.Args) Value {
	if text, ok := packet.Element(list.List, 0); ok {
		return Value{JSON: text, Attachments: list.Attachments}
	}
	return Value{}
}

// encodeArgs encodes a list of arguments for other servers.
func encodeArgs(args []any) (adapter.Args, error) {
	data, attachments, err := encodeAck(args)
	return adapter.Args{List: inner(data), Attachments: attachments}, err
}
