package packet

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/bits"
	"reflect"
	"strings"
	"testing"
)

const ph0 = `{"_placeholder":true,"num":0}`

func TestDecodeText(t *testing.T) {
	deep := brackets("[", DefaultMaxDepth)
	for _, tc := range []struct {
		in   string
		want Packet
		err  error
	}{
		{`0`, Packet{Type: Connect, Namespace: "/"}, nil},
		{`0{"token":"123"}`, Packet{Type: Connect, Namespace: "/", Data: []byte(`{"token":"123"}`)}, nil},
		{`0/admin,{"a":1}`, Packet{Type: Connect, Namespace: "/admin", Data: []byte(`{"a":1}`)}, nil},
		{`0/admin`, Packet{Type: Connect, Namespace: "/admin"}, nil},
		{`0/admin?token=1&b=2,`, Packet{Type: Connect, Namespace: "/admin?token=1&b=2"}, nil},
		{`1`, Packet{Type: Disconnect, Namespace: "/"}, nil},
		{`1/admin,`, Packet{Type: Disconnect, Namespace: "/admin"}, nil},
		{`2["hello",1,{"a":[null]}]`, Packet{Type: Event, Namespace: "/", Data: []byte(`["hello",1,{"a":[null]}]`), Arguments: 2}, nil},
		{`2/admin,456["x"]`, Packet{Type: Event, Namespace: "/admin", ID: 456, HasID: true, Data: []byte(`["x"]`)}, nil},
		{`20["x"]`, Packet{Type: Event, Namespace: "/", HasID: true, Data: []byte(`["x"]`)}, nil},
		{`29007199254740991["x"]`, Packet{Type: Event, Namespace: "/", ID: 1<<53 - 1, HasID: true, Data: []byte(`["x"]`)}, nil},
		{`2[1,"numeric name"]`, Packet{Type: Event, Namespace: "/", Data: []byte(`[1,"numeric name"]`), Arguments: 1}, nil},
		{`3/admin,456[]`, Packet{Type: Ack, Namespace: "/admin", ID: 456, HasID: true, Data: []byte(`[]`)}, nil},
		// Packets without the JSON are let through, as on Node.
		{`2`, Packet{Type: Event, Namespace: "/"}, nil},
		{`21`, Packet{Type: Event, Namespace: "/", ID: 1, HasID: true}, nil},
		{`37`, Packet{Type: Ack, Namespace: "/", ID: 7, HasID: true}, nil},

		{``, Packet{}, ErrType},
		{`7`, Packet{}, ErrType},
		{`abc`, Packet{}, ErrType},
		{`0[]`, Packet{}, ErrPayload},
		{`0"a"`, Packet{}, ErrPayload},
		{`1{}`, Packet{}, ErrPayload},
		{`2{}`, Packet{}, ErrPayload},
		{`2[`, Packet{}, ErrPayload},
		{`2[]`, Packet{}, ErrPayload},
		{`2"a"`, Packet{}, ErrPayload},
		{`2[{}]`, Packet{}, ErrPayload},
		{`2[null]`, Packet{}, ErrPayload},
		{`2[true]`, Packet{}, ErrPayload},
		{`2[["a"]]`, Packet{}, ErrPayload},
		{`2["connect"]`, Packet{}, ErrReserved},
		{`2["connect_error"]`, Packet{}, ErrReserved},
		{`2["disconnect"]`, Packet{}, ErrReserved},
		{`2["disconnecting"]`, Packet{}, ErrReserved},
		{`2["newListener"]`, Packet{}, ErrReserved},
		{`2["removeListener"]`, Packet{}, ErrReserved},
		{`2["\u0063onnect"]`, Packet{}, ErrReserved},
		{`2["a",NaN]`, Packet{}, ErrPayload},
		{`2["a"]x`, Packet{}, ErrPayload},
		{`3{}`, Packet{}, ErrPayload},
		{`29007199254740992["x"]`, Packet{}, ErrID},
		{`2` + strings.Repeat("1", 1_000_000) + `["x"]`, Packet{}, ErrID},
		{`5` + strings.Repeat("1", 1_000_000) + `-["x"]`, Packet{}, ErrAttachments},
		{`5-["x"]`, Packet{}, ErrAttachments},
		{`511-["x"]`, Packet{}, ErrAttachments},
		{`51["x"]`, Packet{}, ErrAttachments},
		{`51.5-["x"]`, Packet{}, ErrAttachments},
		{`5-1-["x"]`, Packet{}, ErrAttachments},
		{`50-["x",` + ph0 + `]`, Packet{}, ErrAttachments},
		{`2["x",` + ph0 + `]`, Packet{Type: Event, Namespace: "/", Data: []byte(`["x"]`), Excess: ErrPlaceholder}, nil},
		{`27["x",[{"a":{"_placeholder":true}}]]`, Packet{Type: Event, Namespace: "/", ID: 7, HasID: true, Data: []byte(`["x"]`), Excess: ErrPlaceholder}, nil},
		{`2["x",` + deep[:len(deep)/2-20] + ph0 + deep[len(deep)/2+20:] + `]`, Packet{Type: Event, Namespace: "/", Data: []byte(`["x"]`), Excess: ErrPlaceholder}, nil},
		{`3[` + ph0 + `]`, Packet{Type: Ack, Namespace: "/", Data: []byte("[]"), Excess: ErrPlaceholder}, nil},
		{`0{"token":` + ph0 + `}`, Packet{Type: Connect, Namespace: "/", Excess: ErrPlaceholder}, nil},
		{`2["connect",` + ph0 + `]`, Packet{}, ErrReserved},
		{`50-["x"]`, Packet{}, ErrAttachments},
		{`500-["x"]`, Packet{}, ErrAttachments},
		{`60-[]`, Packet{}, ErrAttachments},
		{`50-`, Packet{}, ErrAttachments},
		{`51-["x",{"_placeholder":true,"num":"splice"}]`, Packet{}, ErrAttachments},
		{`51-["x",{"_placeholder":true,"num":-1}]`, Packet{}, ErrAttachments},
		{`51-["x",{"_placeholder":true,"num":1.5}]`, Packet{}, ErrAttachments},
		{`51-["x",{"_placeholder":true,"num":999}]`, Packet{}, ErrAttachments},
		{`51-["x",{"_placeholder":true,"num":null}]`, Packet{}, ErrAttachments},
		{`51-["x",{"_placeholder":true}]`, Packet{}, ErrAttachments},
		{`51-["x",{"num":5,"\u005fplaceholder":true}]`, Packet{}, ErrAttachments},
		{`2["x",` + deep + `]`, Packet{Type: Event, Namespace: "/", Data: []byte(`["x",` + deep + `]`), Arguments: 1}, nil},
		{`2["x",[` + deep + `]]`, Packet{Type: Event, Namespace: "/", Data: []byte(`["x"]`), Excess: ErrTooDeep}, nil},
		{`2["connect",[` + deep + `]]`, Packet{}, ErrReserved},
		{`2[[` + deep + `]]`, Packet{}, ErrPayload},
	} {
		var d Decoder
		got, complete, err := d.Text([]byte(tc.in))
		if !errors.Is(err, tc.err) || err == nil && (!complete || !reflect.DeepEqual(got, tc.want)) {
			t.Errorf("%.60q: got %+v, %v, %v; want %+v, %v", tc.in, got, complete, err, tc.want, tc.err)
		}
	}
}

func TestDecodeAttachments(t *testing.T) {
	var d Decoder
	text := `52-/admin,7["x",{"num":1,"_placeholder":true},` + ph0 + `]`
	if _, complete, err := d.Text([]byte(text)); complete || err != nil || !d.Pending() {
		t.Fatalf("got %v, %v, want a packet that lacks attachments", complete, err)
	}
	if _, complete, err := d.Binary([]byte{1}); complete || err != nil {
		t.Fatalf("complete after one of two attachments (%v)", err)
	}
	p, complete, err := d.Binary([]byte{2})
	if !complete || err != nil || d.Pending() {
		t.Fatalf("not complete after two of two attachments (%v)", err)
	}
	if p.ID != 7 || p.Namespace != "/admin" || p.Type != Event || !reflect.DeepEqual(p.Attachments, [][]byte{{1}, {2}}) {
		t.Errorf("got %+v", p)
	}
	name, args, err := Name(p.Data)
	if name != "x" || err != nil {
		t.Fatalf("name %q, %v", name, err)
	}
	values := Elements(args)
	out, att := AppendValue(nil, values[0], p.Attachments, nil)
	if string(out) != ph0 || !reflect.DeepEqual(att, [][]byte{{2}}) {
		t.Errorf("the first argument alone is %s with %v", out, att)
	}
}

func TestDecodeOutOfTurn(t *testing.T) {
	var d Decoder
	if _, _, err := d.Binary([]byte{1}); !errors.Is(err, ErrUnexpected) {
		t.Errorf("an attachment that nothing announced: %v", err)
	}
	d = Decoder{}
	d.Text([]byte(`51-["x",` + ph0 + `]`))
	if _, _, err := d.Text([]byte(`2["y"]`)); !errors.Is(err, ErrUnexpected) {
		t.Errorf("text instead of an attachment: %v", err)
	}
}

func TestAppendText(t *testing.T) {
	for want, p := range map[string]Packet{
		`0{"sid":"x"}`:         {Type: Connect, Namespace: "/", Data: []byte(`{"sid":"x"}`)},
		`1/admin,`:             {Type: Disconnect, Namespace: "/admin"},
		`2["a"]`:               {Type: Event, Namespace: "/", Data: []byte(`["a"]`)},
		`3/admin,12[]`:         {Type: Ack, Namespace: "/admin", ID: 12, HasID: true, Data: []byte(`[]`)},
		`51-["a",` + ph0 + `]`: {Type: Event, Namespace: "/", Data: []byte(`["a",` + ph0 + `]`), Attachments: [][]byte{{1}}},
		`61-0[` + ph0 + `]`:    {Type: Ack, Namespace: "/", HasID: true, Data: []byte(`[` + ph0 + `]`), Attachments: [][]byte{{1}}},
	} {
		if got := string(AppendText(nil, &p)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestNameAndElements(t *testing.T) {
	for in, want := range map[string][]string{
		`["a"]`:                            {"a"},
		` [ "a" , 1 , [ 2 , 3 ] ] `:        {"a", "1", "[ 2 , 3 ]"},
		`["a\n\u20ac",{"x":"],["},"]",""]`: {"a\n€", `{"x":"],["}`, `"]"`, `""`},
		`[1.5e3,null]`:                     {"1.5e3", "null"},
	} {
		name, args, err := Name([]byte(in))
		got := []string{name}
		for _, e := range Elements(args) {
			got = append(got, string(e))
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, %v, want %q", in, got, err, want)
		}
		for i := range len(want) + 1 {
			if one, ok := Element(args, i); ok != (i+1 < len(want)) || ok && string(one) != want[i+1] {
				t.Errorf("%s: element %d is %q, %v", in, i, one, ok)
			}
		}
	}
}

// The scanner, which looks at eight bytes at a time, checks each of them.
func TestEightBytes(t *testing.T) {
	for _, other := range []byte{'a', ' ', '!', '#', 0x7f, 0x80, 0xff, '\t', '\n', '\r', '"', 0x1f} {
		for c := range 256 {
			for at := range 8 {
				b := bytes.Repeat([]byte{other}, 8)
				b[at] = byte(c)
				want := bytes.IndexFunc(b, func(r rune) bool { return r == '"' || r == '\\' || r < 0x20 })
				m := special(binary.LittleEndian.Uint64(b))
				if got := bits.TrailingZeros64(m) / 8; m == 0 && want >= 0 || m != 0 && got != want {
					t.Fatalf("%x: the first special byte is %d (%x), want %d", b, got, m, want)
				}
				if got, want := blank(binary.LittleEndian.Uint64(b)), len(bytes.Trim(b, " \t\r\n")) == 0; got != want {
					t.Fatalf("%x: blank is %v", b, got)
				}
			}
		}
	}
}

// The scanner must accept exactly what encoding/json accepts, however deep it is.
func FuzzScanner(f *testing.F) {
	for _, s := range []string{`["sixteen letters!","and \"some\" more\u00e9 of them"]`, `"12345678`, `"1234567"`, "\"12345678\x1f\"", `["a",1]`, `{"a":[1,2.5e-3,"\u00e9\n",true,false,null]}`, ` [ ] `, `{}`, `-0`, `01`, `1.`, `"\x"`, "\"\x01\"", `[1,]`, `{"a"}`, `"\ud800"`, `tru`, `-`, `1e`,
		`[0,1,22,-3,0.5,1E+2 ]`, "[1,\t\r\n         \t2 ]", `"\n\n\u0061\/\"\\"`, `"123456\"`, `"\u12g4"`, `{"a\u0062c" : "\b\f" ,"":{}}`, `[[[[]]],{"":[{}]}]`, `"é€😀 12345678"`, `00`, `[0x]`, `[1`, `{"a":1`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := scanner{b: b}
		err := s.document()
		if bytes.Count(b, []byte("["))+bytes.Count(b, []byte("{")) > 10_000 {
			return // which encoding/json does not take
		}
		if ok := json.Valid(b); ok != (err == nil) {
			t.Errorf("%q: encoding/json says %v, the scanner %v", b, ok, err)
		}
		for most := range 4 { // what is below is checked otherwise
			s := scanner{b: b, maxDepth: most + 1}
			if shallow := s.document(); (shallow == nil) != (err == nil) {
				t.Errorf("%q: %v, and %v if no more than %d levels are looked into", b, err, shallow, most+1)
			}
		}
	})
}

// What the decoder accepts it encodes to the same bytes.
func FuzzDecoder(f *testing.F) {
	for _, s := range []string{`0/admin,{"token":1}`, `2["a",1]`, `2/x,12["a"]`, `3/x,1[]`, `1/x,`, `51-["a",` + ph0 + `]`, `61-3[` + ph0 + `]`, `2`, `451-`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d Decoder
		p, complete, err := d.Text(b)
		for err == nil && !complete {
			p, complete, err = d.Binary([]byte{9})
		}
		if err != nil {
			return
		}
		if len(p.Attachments) > 0 {
			return // see FuzzReassembly
		}
		again, complete, err := (&Decoder{}).Text(AppendText(nil, &p))
		if err != nil || !complete || !reflect.DeepEqual(again, p) {
			t.Errorf("%q was decoded to %+v and after encoding to %+v, %v", b, p, again, err)
		}
	})
}

func BenchmarkDecodeText(b *testing.B) {
	msg := []byte(`212["publish-update",{"roomId":"order-123","type":"ORDER_STATUS_CHANGED","payload":{"status":"completed","n":12345}}]`)
	b.ReportAllocs()
	b.SetBytes(int64(len(msg)))
	var d Decoder
	for b.Loop() {
		if _, _, err := d.Text(msg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendText(b *testing.B) {
	p := Packet{Type: Event, Namespace: "/chat", HasID: true, ID: 12,
		Data: []byte(`["update",{"roomId":"order-123","type":"ORDER_STATUS_CHANGED","payload":{"status":"completed","n":12345}}]`)}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendText(dst[:0], &p)
	}
}

// What DecodeText's check of the JSON is measured against.
func BenchmarkValidEncodingJSON(b *testing.B) {
	msg := []byte(`["publish-update",{"roomId":"order-123","type":"ORDER_STATUS_CHANGED","payload":{"status":"completed","n":12345}}]`)
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		json.Valid(msg)
	}
}
