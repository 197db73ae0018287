package redisadapter

import (
	"strconv"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// packedOptions reads the selection and flags of a broadcast in MessagePack,
// with which it begins since most broadcasts are for others.
func packedOptions(b []byte) (sel adapter.Selection, flags adapter.Flags, rest []byte, err error) {
	rest, err = eachField(b, func(key string, b []byte) ([]byte, error) {
		switch key {
		case "rooms":
			return packedNames(b, &sel.Rooms)
		case "except":
			return packedNames(b, &sel.Except)
		case "flags":
			if msgp.NextType(b) == msgp.MapType {
				return packedFlags(b, &flags)
			}
		}
		return msgp.Skip(b)
	})
	return sel, flags, rest, err
}

// appendPackedOptions appends what packedOptions reads.
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

// eachField calls f for each field of the map that b starts with. f takes the
// field's value off b.
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

// packedNames appends the names of a list of rooms. A room may be a number.
func packedNames(b []byte, names *[]string) ([]byte, error) {
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	if err != nil {
		return nil, err
	}
	for range n {
		var s string
		switch msgp.NextType(b) {
		case msgp.IntType, msgp.UintType:
			var i int64
			i, b, err = msgp.ReadInt64Bytes(b)
			s = strconv.FormatInt(i, 10)
		case msgp.Float64Type:
			var f float64
			f, b, err = msgp.ReadFloat64Bytes(b)
			s = strconv.FormatFloat(f, 'f', -1, 64)
		default:
			s, b, err = msgp.ReadStringBytes(b)
		}
		if err != nil {
			return nil, err
		}
		*names = append(*names, s)
	}
	return b, nil
}

// packedFlags reads the flags that matter. Others, and odd values, are ignored.
func packedFlags(b []byte, flags *adapter.Flags) ([]byte, error) {
	return eachField(b, func(key string, b []byte) ([]byte, error) {
		switch key {
		case "volatile":
			flags.Volatile = b[0] == 0xc3
		case "compress":
			flags.Uncompressed = b[0] == 0xc2
		case "timeout":
			if ms, _, err := msgp.ReadInt64Bytes(b); err == nil {
				flags.Timeout = milliseconds(float64(ms))
			}
		}
		return msgp.Skip(b)
	})
}

// milliseconds is a timeout that another node gives.
func milliseconds(ms float64) time.Duration {
	return time.Duration(min(max(ms, 0), 1e9) * float64(time.Millisecond))
}
