package redisadapter

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// The options of a message are {rooms, except, flags: {volatile, compress, timeout}}.

// appendSelection appends {"rooms":[…],"except":[…] without the last brace.
func appendSelection(dst []byte, sel adapter.Selection) []byte {
	dst = appendStrings(append(dst, `{"rooms":`...), sel.Rooms)
	return appendStrings(append(dst, `,"except":`...), sel.Except)
}

// appendOptions appends a broadcast's selection and flags.
func appendOptions(dst []byte, sel adapter.Selection, flags adapter.Flags) []byte {
	dst = append(appendSelection(dst, sel), `,"flags":{`...)
	mark := len(dst)
	if flags.Volatile {
		dst = append(dst, `"volatile":true,`...)
	}
	if flags.Uncompressed {
		dst = append(dst, `"compress":false,`...)
	}
	if flags.Timeout > 0 {
		dst = append(dst, `"timeout":`...)
		dst = append(strconv.AppendInt(dst, max(flags.Timeout.Milliseconds(), 1), 10), ',')
	}
	if len(dst) > mark {
		dst = dst[:len(dst)-1]
	}
	return append(dst, "}}"...)
}

// appendPackedOptions appends options in MessagePack.
func appendPackedOptions(b []byte, sel adapter.Selection, flags adapter.Flags) []byte {
	names := func(key string, list []string) {
		b = msgp.AppendArrayHeader(msgp.AppendString(b, key), uint32(len(list)))
		for _, s := range list {
			b = msgp.AppendString(b, s)
		}
	}
	b = msgp.AppendMapHeader(b, 3)
	names("rooms", sel.Rooms)
	names("except", sel.Except)
	count := uint32(0)
	for _, set := range [...]bool{flags.Volatile, flags.Uncompressed} {
		if set {
			count++
		}
	}
	b = msgp.AppendMapHeader(msgp.AppendString(b, "flags"), count)
	if flags.Volatile {
		b = msgp.AppendBool(msgp.AppendString(b, "volatile"), true)
	}
	if flags.Uncompressed {
		b = msgp.AppendBool(msgp.AppendString(b, "compress"), false)
	}
	return b
}

// readOptions reads options in JSON.
func readOptions(r *jsonReader, sel *adapter.Selection, flags *adapter.Flags) error {
	return r.object(func(name string) error {
		switch name {
		case `"rooms"`:
			return r.names(&sel.Rooms)
		case `"except"`:
			return r.names(&sel.Except)
		case `"flags"`:
			return r.object(func(name string) error {
				v, err := r.raw()
				setFlag(flags, name[1:len(name)-1], scalarOf(v))
				return err
			})
		}
		return r.skip()
	})
}

// readPackedOptions reads options in MessagePack, and returns what follows them.
func readPackedOptions(b []byte, sel *adapter.Selection, flags *adapter.Flags) (rest []byte, err error) {
	return eachField(b, func(key string, b []byte) ([]byte, error) {
		switch key {
		case "rooms":
			return packedNames(b, &sel.Rooms)
		case "except":
			return packedNames(b, &sel.Except)
		case "flags":
			if msgp.NextType(b) == msgp.MapType {
				return eachField(b, func(key string, b []byte) ([]byte, error) {
					setFlag(flags, key, packedScalarOf(b))
					return msgp.Skip(b)
				})
			}
		}
		return msgp.Skip(b)
	})
}

// scalar is the value of a flag: true, false, or a number.
type scalar struct {
	is     scalarKind
	number float64
}

type scalarKind uint8

const (
	isOther scalarKind = iota
	isTrue
	isFalse
	isNumber
)

func scalarOf(v jsontext.Value) scalar {
	switch v.Kind() {
	case 't':
		return scalar{is: isTrue}
	case 'f':
		return scalar{is: isFalse}
	case '0':
		if n, err := strconv.ParseFloat(string(v), 64); err == nil {
			return scalar{isNumber, n}
		}
	}
	return scalar{}
}

func packedScalarOf(b []byte) scalar {
	switch msgp.NextType(b) {
	case msgp.BoolType:
		if on, _, err := msgp.ReadBoolBytes(b); err == nil && on {
			return scalar{is: isTrue}
		}
		return scalar{is: isFalse}
	case msgp.IntType, msgp.UintType:
		if n, _, err := msgp.ReadInt64Bytes(b); err == nil {
			return scalar{isNumber, float64(n)}
		}
	}
	return scalar{}
}

// setFlag sets the flag of that name. It ignores other names and values of other types.
func setFlag(flags *adapter.Flags, name string, v scalar) {
	switch name {
	case "volatile":
		flags.Volatile = v.is == isTrue
	case "compress":
		flags.Uncompressed = v.is == isFalse
	case "timeout":
		if v.is == isNumber { // milliseconds
			flags.Timeout = time.Duration(min(max(v.number, 0), 1e9) * float64(time.Millisecond))
		}
	}
}
