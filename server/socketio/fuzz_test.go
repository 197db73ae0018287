package socketio

import (
	"bytes"
	stdjson "encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/puente-io/puente/server/socketio/packet"
)

// FuzzValue decodes arguments with and without attachments into an any. Without
// attachments the result equals that of encoding/json; with them, each attachment that
// the argument names is a []byte in the result. When the result is emitted, the
// argument is the same.
func FuzzValue(f *testing.F) {
	for _, s := range []string{
		`null`, `{"a":[1,2.5e-3,"\u00e9",true]}`, `{"a":1,"a":2}`, `{"a":{"b":1},"a":{"c":2}}`, `1e999`, `"\ud800"`, `{"_placeholder":true,"num":0}`, `[[{"num":1,"_placeholder":true}],{"x":{"_placeholder":true,"num":0}}]`,
		`{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":1}}`, `{"A":1,"a":2}`, `{"_placeholder":true,"num":9}`,
	} {
		f.Add([]byte(s))
	}
	attachments := [][]byte{[]byte("zero"), []byte("one")}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !stdjson.Valid(text) || !utf8.Valid(text) || nesting(text) > packet.DefaultMaxDepth {
			return // the decoder of packets lets none of these through
		}
		var want, got any
		wrong := stdjson.Unmarshal(text, &want)
		err := Value{JSON: text}.Decode(&got)
		if (err == nil) != (wrong == nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is %#v (%v), to encoding/json %#v (%v)", text, got, err, want, wrong)
		}
		// Decoding into other types must not panic.
		Value{JSON: text}.Decode(&struct {
			A []int
			B *string
			C Value
		}{})

		v := Value{JSON: text, Attachments: attachments}
		var first any
		if v.Decode(&first) != nil {
			return // it names attachments that do not exist
		}
		names := 0
		packet.Placeholders(text, func(_, _, num int) { names++ })
		if n := count(first); n > names || n < names && bytes.Count(text, []byte(":")) == bytes.Count(text, []byte(`"num"`))*2 {
			t.Fatalf("%q with %d placeholders is %#v", text, names, first)
		}
		again, kept, err := v.AppendArg(nil, nil)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		var second any
		if err := (Value{JSON: again, Attachments: kept}).Decode(&second); err != nil || !reflect.DeepEqual(first, second) {
			t.Fatalf("%q became %q: %#v became %#v, %v", text, again, first, second, err)
		}
	})
}

// nesting returns at least the depth of the JSON.
func nesting(text []byte) int { return bytes.Count(text, []byte("[")) + bytes.Count(text, []byte("{")) }

// count returns the number of []byte in the value.
func count(v any) (n int) {
	switch v := v.(type) {
	case []byte:
		return 1
	case []any:
		for _, e := range v {
			n += count(e)
		}
	case map[string]any:
		for _, e := range v {
			n += count(e)
		}
	}
	return n
}
