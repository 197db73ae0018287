package notepack

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The bytes are what notepack.io 3.0.1 writes.
func TestBytesOfNotepack(t *testing.T) {
	for _, tc := range []struct {
		json        string
		attachments []string
		msg         string
		back        string // what is decoded, if it differs from json
	}{
		{`["ev","hi",1,1.5,null]`, nil, "95 a26576 a26869 01 cb3ff8000000000000 c0", ""},
		{`{"a":[true,false],"":{}}`, nil, "82 a161 92c3c2 a0 80", ""},
		{`[0,127,128,255,256,65535,65536,4294967295,4294967296]`, nil,
			"99 00 7f cc80 ccff cd0100 cdffff ce00010000 ceffffffff cf0000000100000000", ""},
		{`[-1,-32,-33,-128,-129,-32768,-32769,-2147483648,-2147483649]`, nil,
			"99 ff e0 d0df d080 d1ff7f d18000 d2ffff7fff d280000000 d3ffffffff7fffffff", ""},
		{`[-0,1.0,1e2,-2e0]`, nil, "94 00 01 64 fe", `[0,1,100,-2]`},
		{`1e300`, nil, "cb 7e37e43c8800759c", `1e+300`},
		{`{"b":{"_placeholder":true,"num":0}}`, []string{"\x01\x02"}, "81 a162 c4020102", ""},
		{` [ {"num":1,"_placeholder":true} , {"_placeholder":true,"num":5} ] `, []string{"x", "y"},
			"92 c40179 82 ac5f706c616365686f6c646572 c3 a36e756d 05", "refused"},
		{`"\u00e9\ud83d\ude00\n"`, nil, "a7 c3a9 f09f9880 0a", `"é😀\n"`},
		{`[` + strings.Repeat("1,", 15) + `1]`, nil, "dc0010" + strings.Repeat("01", 16), ""},
	} {
		var attachments [][]byte
		for _, a := range tc.attachments {
			attachments = append(attachments, []byte(a))
		}
		msg, err := AppendJSON([]byte("before"), []byte(tc.json), attachments)
		if want := append([]byte("before"), unhex(t, tc.msg)...); err != nil || !bytes.Equal(msg, want) {
			t.Errorf("%s: got %x, %v, want %x", tc.json, msg, err, want)
			continue
		}
		var d Decoder
		rest, err := d.Value(append(msg[len("before"):], "rest"...))
		if tc.back == "refused" {
			if !errors.Is(err, ErrAttachments) {
				t.Errorf("%s: error %v, want ErrAttachments", tc.json, err)
			}
			continue
		}
		want := tc.back
		if want == "" {
			want = tc.json
		}
		if err != nil || string(rest) != "rest" || string(d.JSON) != want {
			t.Errorf("%x: got %s, rest %q, %v; want %s", msg, d.JSON, rest, err, want)
		}
	}
}

func TestDecode(t *testing.T) {
	for _, tc := range []struct{ msg, want string }{
		{"d40000", "null"}, {"cb8000000000000000", "0"},
		{"cb7ff8000000000000", "null"}, {"cbfff0000000000000", "null"},
		{"ca3fc00000", "1.5"}, {"cb4340000000000000", "9007199254740992"}, {"cb3e7ad7f29abcaf48", "1e-7"},
		{"cfffffffffffffffff", "18446744073709551615"}, {"d38000000000000000", "-9223372036854775808"},
		{"d6ff67658468", `"2024-12-20T14:51:20.000Z"`},
		{"d7ff1dcd650067658468", `"2024-12-20T14:51:20.125Z"`},
		{"d700 00000193e4aa0000", `"2024-12-20T15:22:46.656Z"`},
		{"c70cff 00000000 0000000067658468", `"2024-12-20T14:51:20.000Z"`},
		{"c70cff 00000000 7fffffffffffffff", "null"},
		{"c70200 0102", `{"_placeholder":true,"num":0}`},
		{"d405aa", `[5,{"_placeholder":true,"num":0}]`},
		{"8101a0", `{"1":""}`},
		{"a2ff41", `"` + "\ufffd" + `A"`},
		{"dd00000001dc0001c0", "[[null]]"}, {"df00000001d90161db00000000", `{"a":""}`},
	} {
		var d Decoder
		rest, err := d.Value(unhex(t, tc.msg))
		if err != nil || len(rest) != 0 || string(d.JSON) != tc.want {
			t.Errorf("%s: got %s, rest %x, %v; want %s", tc.msg, d.JSON, rest, err, tc.want)
		}
		for i := range unhex(t, tc.msg) {
			if _, err := new(Decoder).Value(unhex(t, tc.msg)[:i]); err == nil {
				t.Errorf("the first %d bytes of %s were taken", i, tc.msg)
			}
		}
	}
	text := Decoder{InText: true}
	if _, err := text.Value(unhex(t, "92c40201ffc400")); err != nil || string(text.JSON) != `[{"type":"Buffer","data":[1,255]},{"type":"Buffer","data":[]}]` {
		t.Errorf("got %s, %v", text.JSON, err)
	}
}

func TestRefuses(t *testing.T) {
	for _, msg := range []string{"c1", "ddffffffff", "dfffffffff00", "dbffffffff41", "c6ffffffff", "c9ffffffff00", "81c0c0", "8191c0c0"} {
		if _, err := new(Decoder).Value(unhex(t, msg)); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: error %v, want ErrSyntax", msg, err)
		}
	}
	if _, err := new(Decoder).Value(bytes.Repeat([]byte{0x91}, 1<<20)); !errors.Is(err, ErrDepth) {
		t.Errorf("deep message: error %v, want ErrDepth", err)
	}
	if _, err := AppendJSON(nil, bytes.Repeat([]byte{'['}, 1<<20), nil); !errors.Is(err, ErrDepth) {
		t.Errorf("deep text: error %v, want ErrDepth", err)
	}
	for _, text := range []string{``, ` `, `[`, `{`, `{"a"}`, `[1,]`, `01`, `tru`, `"`, `"\x"`, `1 2`, `]`, `{"a":1]`, "\"\x01\""} {
		if dst, err := AppendJSON([]byte("as it was"), []byte(text), nil); !errors.Is(err, ErrSyntax) || string(dst) != "as it was" {
			t.Errorf("%q: got %q and error %v, want ErrSyntax", text, dst, err)
		}
	}
	bins := append(unhex(t, "dd00010001"), bytes.Repeat([]byte{0xc4, 0}, 65537)...)
	if _, err := new(Decoder).Value(bins); !errors.Is(err, ErrAttachments) {
		t.Errorf("65537 binary values: error %v, want ErrAttachments", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"95a26576a2686901cb3ff8000000000000c0", "81a162c4020102", "d7ff1dcd650067658468", "c70cff000000000000000067658468",
		"d40000", "8101a0", "dd00000001dc0001c0", "92c4017982ac5f706c616365686f6c646572c3a36e756d05", "cb8000000000000000"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		var d Decoder
		rest, err := d.Value(msg)
		if err != nil {
			return
		}
		if !json.Valid(d.JSON) {
			t.Fatalf("%x became %s", msg, d.JSON)
		}
		if len(d.JSON) > 64*(len(msg)-len(rest)) {
			t.Fatalf("%d bytes became %d", len(msg)-len(rest), len(d.JSON))
		}
		// What has been decoded goes round unchanged.
		again, err := AppendJSON(nil, d.JSON, d.Attachments)
		if err != nil {
			t.Fatalf("%s: %v", d.JSON, err)
		}
		var d2 Decoder
		if _, err := d2.Value(again); err != nil || !bytes.Equal(d.JSON, d2.JSON) || !reflect.DeepEqual(d.Attachments, d2.Attachments) {
			t.Fatalf("%s with %q became %s with %q, %v", d.JSON, d.Attachments, d2.JSON, d2.Attachments, err)
		}
	})
}

func FuzzEncode(f *testing.F) {
	for _, s := range []string{`["ev",{"_placeholder":true,"num":0},1.5e3,-0]`, `{"a":{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":1}}}`,
		`"\ud800"`, `[[],{}]`, `1e999`, `{"num":1, "\u005fplaceholder":true}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		attachments := [][]byte{[]byte("x"), {}}
		msg, err := AppendJSON(nil, text, attachments)
		if (err == nil) != json.Valid(text) && !errors.Is(err, ErrDepth) {
			t.Fatalf("%q: error %v, valid %v", text, err, json.Valid(text))
		}
		if err != nil {
			return
		}
		var d Decoder
		if rest, err := d.Value(msg); err == nil && (len(rest) > 0 || !json.Valid(d.JSON)) {
			t.Fatalf("%q became %x became %q with rest %x", text, msg, d.JSON, rest)
		}
	})
}

func TestPlaceholderInsideAnother(t *testing.T) {
	text := `[{"_placeholder":true,"num":1,"x":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":0}]`
	msg, err := AppendJSON(nil, []byte(text), [][]byte{[]byte("a"), []byte("b")})
	if want := unhex(t, "92 c40162 c40161"); err != nil || !slices.Equal(msg, want) {
		t.Errorf("got %x, %v, want %x", msg, err, want)
	}
}

var benchJSON = []byte(`["update",{"roomId":"order-42","type":"ORDER_UPDATED","payload":{"status":"shipped","items":[{"sku":"A-1","n":2,"price":9.99},{"sku":"B-2","n":1,"price":120}],"note":"left at the door\n"},"from":"user-17","timestamp":"2024-12-20T15:30:00.000Z"}]`)

func BenchmarkEncode(b *testing.B) {
	b.SetBytes(int64(len(benchJSON)))
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		var err error
		if dst, err = AppendJSON(dst[:0], benchJSON, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	msg, err := AppendJSON(nil, benchJSON, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	var d Decoder
	for b.Loop() {
		d.JSON = d.JSON[:0]
		if _, err := d.Value(msg); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleAppendJSON() {
	msg, _ := AppendJSON(nil, []byte(`["file",{"_placeholder":true,"num":0}]`), [][]byte{{1, 2}})
	fmt.Printf("%x\n", msg)
	// Output: 92a466696c65c4020102
}

// A deep container has a long header, which needs no content to be moved: what is
// within a thousand levels must not be moved a thousand times. Both forms decode.
func TestDeepContainers(t *testing.T) {
	for _, depth := range []int{1, shallow, shallow + 1, MaxDepth} {
		for _, text := range []string{
			strings.Repeat("[", depth) + strings.Repeat("]", depth),
			strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth),
			strings.Repeat("["+strings.Repeat("0,", 15), depth) + "0" + strings.Repeat("]", depth),
		} {
			msg, err := AppendJSON(nil, []byte(text), nil)
			if err != nil {
				t.Fatalf("depth %d: %v", depth, err)
			}
			var d Decoder
			if rest, err := d.Value(msg); err != nil || len(rest) > 0 || string(d.JSON) != text {
				t.Errorf("depth %d: %.60s became %.60s, %v", depth, text, d.JSON, err)
			}
			if rest, err := msgp.Skip(msg); err != nil || len(rest) > 0 {
				t.Errorf("depth %d: %d bytes are left, %v", depth, len(rest), err)
			}
		}
	}
	inner, _ := AppendJSON(nil, []byte(strings.Repeat("[", shallow+2)+"7"+strings.Repeat("]", shallow+2)), nil)
	if want := strings.Repeat("91", shallow) + "dd00000001" + "dd00000001" + "07"; hex.EncodeToString(inner) != want {
		t.Errorf("got %x", inner)
	}
}
