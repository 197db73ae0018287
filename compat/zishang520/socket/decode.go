package socket

import (
	"slices"

	"github.com/puente-io/puente/compat/zishang520/types"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// decode returns the Go value of an argument. Binary parts are *types.BytesBuffer.
func decode(v socketio.Value) (any, error) {
	var out any
	if err := v.Decode(&out); err != nil {
		return nil, err
	}
	if len(v.Attachments) > 0 {
		out = buffered(out)
	}
	return out, nil
}

// buffered replaces each []byte in v, which is changed.
func buffered(v any) any {
	switch v := v.(type) {
	case []byte:
		return types.NewBytesBuffer(slices.Clip(v))
	case []any:
		for i, element := range v {
			v[i] = buffered(element)
		}
	case map[string]any:
		for name, member := range v {
			v[name] = buffered(member)
		}
	}
	return v
}

// appendDecoded appends the Go values of arguments.
func appendDecoded(dst []any, args socketio.Args) ([]any, error) {
	for _, arg := range args {
		v, err := decode(arg)
		if err != nil {
			return nil, err
		}
		dst = append(dst, v)
	}
	return dst, nil
}

// decodeArgs returns the Go values of arguments that came from another server.
func decodeArgs(a adapter.Args) ([]any, error) {
	list, err := decode(socketio.Value{JSON: slices.Concat([]byte{'['}, a.List, []byte{']'}), Attachments: a.Attachments})
	args, _ := list.([]any)
	return args, err
}
