package msgpack

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/puente-io/puente/server/socketio/packet"
)

// FuzzDecode: what is decoded is a packet that [packet.Decoder] takes too, of a bounded
// size, and encoded again it says the same.
func FuzzDecode(f *testing.F) {
	for _, tc := range recorded {
		f.Add(unhex(f, tc.msg))
	}
	event := "83" + typ + "02" + root + data
	for _, s := range []string{
		"91d40000", "92a165d40000", "92a16581d40000d40000", "92a16581a161d40000", "92a16593d4000001d40000", // undefined everywhere
		"ddffffffff", "92a165ddffffffff01", "92a165dfffffffff01", "92a165dc0002", "92a165de0001a0", // lengths without content
		"92a165c70000", "92a165c7ff00", "92a165c8000100ff", "92a165c900000001 00ff", "92a165d8050102030405060708090a0b0c0d0e0f10", "92a165c705ff00000000", // extensions
		"92a165" + strings.Repeat("91", 600), "92a165" + strings.Repeat("81a161", 600) + "c0", // depth
		"92a165 86 00c0 ffc0 cc80c0 a161c0 cb3ff8000000000000c0 c0c0", "92a165 82c40161c0 91a0c0", // keys
		"94a165 c40101 82ac5f706c616365686f6c646572c3a36e756d00 c70101ff", "92a165a4ed a0 80 41",
	} {
		f.Add(unhex(f, event+s))
	}
	f.Add(unhex(f, "d40000"))
	f.Add(unhex(f, "83"+typ+"00"+root+data+"82a161c4020180a162d40000"))
	f.Fuzz(func(t *testing.T, msg []byte) {
		kept := bytes.Clone(msg)
		p, err := Decoder{}.Decode(msg)
		clear(msg) // what has been decoded shares nothing with what was read
		msg = kept
		if err != nil {
			return
		}
		if len(p.Data) > 6*len(msg)+40*packet.DefaultMaxAttachments {
			t.Fatalf("%x: %d bytes became %d", msg, len(msg), len(p.Data))
		}
		if len(p.Data) > 0 && (!json.Valid(p.Data) || !utf8.Valid(p.Data)) {
			t.Fatalf("%x became %q", msg, p.Data)
		}
		if p.Excess != nil {
			if p.Attachments != nil {
				t.Fatalf("%x: of a packet to refuse %q is left", msg, p.Attachments)
			}
			return
		}
		if p.Type == packet.Event || p.Type == packet.Ack {
			var d packet.Decoder
			plain := p
			plain.Namespace = packet.Root
			again, complete, err := d.Text(packet.AppendText(nil, &plain))
			for _, a := range p.Attachments {
				again, complete, err = d.Binary(a)
			}
			if err != nil || !complete || !reflect.DeepEqual(again, plain) {
				t.Fatalf("%x is %+v, as text %+v, %v", msg, plain, again, err)
			}
		}
		packed, err := Append(nil, &p)
		if err != nil {
			t.Fatalf("%x: %+v: %v", msg, p, err)
		}
		again, err := Decoder{}.Decode(packed)
		if err != nil || !reflect.DeepEqual(again, p) {
			t.Fatalf("%x is %+v, and packed as %x it is %+v, %v", msg, p, packed, again, err)
		}
		if twice, _ := Append(nil, &again); !bytes.Equal(twice, packed) {
			t.Fatalf("%x, then %x", packed, twice)
		}
	})
}

// FuzzAppend: an event that came as text is, from MessagePack, the same event: its text
// may be shorter, but it is stable from then on.
func FuzzAppend(f *testing.F) {
	for _, s := range []string{
		`2["e",1,-0,1e2,1.50,1e300,1e999,18446744073709551616,9007199254740993]`, `212["e",{"a":[true,null,"\ud800\u20ac"]}]`, `2["e",[[[]]],{"":{}}]`, `3/x,7[]`,
		`2["e","` + strings.Repeat("x", 300) + `"]`, `2["e"` + strings.Repeat(",0", 20) + `]`, `0{"token":"t"}`, `2[5]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !utf8.Valid(text) {
			return // the engine lets none through
		}
		var d packet.Decoder
		p, complete, err := d.Text(text)
		if err != nil || !complete || p.Excess != nil {
			return
		}
		if len(p.Data) == 0 && p.Type != packet.Connect && p.Type != packet.Disconnect {
			return // has no meaning, see packet.Decoder
		}
		packed, err := Append(nil, &p)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		first, err := Decoder{}.Decode(packed)
		if err != nil || first.Arguments != p.Arguments || first.ID != p.ID || first.Namespace != p.Namespace {
			t.Fatalf("%q is %+v, packed as %s %+v, %v", text, p, hex.EncodeToString(packed), first, err)
		}
		var want, got any
		if len(p.Data) > 0 && json.Unmarshal(p.Data, &want) == nil {
			if err := json.Unmarshal(first.Data, &got); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%q became %q: %v", p.Data, first.Data, err)
			}
		}
		again, err := Append(nil, &first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := Decoder{}.Decode(again)
		if err != nil || !reflect.DeepEqual(first, second) {
			t.Fatalf("%q became %q, and then %q, %v", p.Data, first.Data, second.Data, err)
		}
	})
}
