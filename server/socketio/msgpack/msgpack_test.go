package msgpack

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/socketio/packet"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	typ  = "a474797065"
	nsp  = "a36e7370"
	data = "a464617461"
	id   = "a26964"
	root = "a36e7370 a12f" // nsp: "/"
)

// recorded are packets between socket.io-client and socket.io 4.8.4 with
// socket.io-msgpack-parser 3.0.2.
var recorded = []struct {
	client bool // the client sends it; otherwise the server does, and Append too
	msg    string
	want   packet.Packet
}{
	{true, "82a47479706500a36e7370a12f", packet.Packet{Type: packet.Connect, Namespace: "/"}},
	{true, "83a47479706500a36e7370a22f78a46461746181a5746f6b656ea174", packet.Packet{Type: packet.Connect, Namespace: "/x", Data: []byte(`{"token":"t"}`)}},
	{true, "83a47479706502a36e7370a12fa46461746194a16501a3e282ac81a161c0", packet.Packet{Type: packet.Event, Namespace: "/", Data: []byte(`["e",1,"€",{"a":null}]`), Arguments: 3}},
	{
		true, "84a47479706502a36e7370a12fa46461746198a165cbbff8000000000000cf0000000000000000cf0020000000000002d3ffffff0000000000cb7ff8000000000000d4000081a175d40000a2696407",
		packet.Packet{Type: packet.Event, Namespace: "/", ID: 7, HasID: true, Data: []byte(`["e",-1.5,0,9007199254740994,-1099511627776,null,null,{}]`), Arguments: 7},
	},
	{
		true, "83a47479706502a36e7370a12fa46461746194a165c4020102c7010003d7000000018bcfe56800",
		packet.Packet{
			Type: packet.Event, Namespace: "/", Arguments: 3, Attachments: [][]byte{{1, 2}, {3}},
			Data: []byte(`["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},"2023-11-14T22:13:20.000Z"]`),
		},
	},
	{false, "83a47479706502a46461746194a46261636b01a3e282ac81a161c0a36e7370a12f", packet.Packet{Type: packet.Event, Namespace: "/", Data: []byte(`["back",1,"€",{"a":null}]`), Arguments: 3}},
	{false, "84a47479706502a46461746192a17101a2696400a36e7370a12f", packet.Packet{Type: packet.Event, Namespace: "/", HasID: true, Data: []byte(`["q",1]`), Arguments: 1}},
	{false, "84a2696407a47479706503a46461746191cbbff8000000000000a36e7370a12f", packet.Packet{Type: packet.Ack, Namespace: "/", ID: 7, HasID: true, Data: []byte(`[-1.5]`), Arguments: 1}},
	{false, "82a47479706501a36e7370a12f", packet.Packet{Type: packet.Disconnect, Namespace: "/"}},
	{
		false, "83a47479706502a46461746192a46261636bc4020102a36e7370a12f",
		packet.Packet{Type: packet.Event, Namespace: "/", Arguments: 1, Attachments: [][]byte{{1, 2}}, Data: []byte(`["back",{"_placeholder":true,"num":0}]`)},
	},
}

func TestRecordedPackets(t *testing.T) {
	for _, tc := range recorded {
		msg := unhex(t, tc.msg)
		got, err := Decoder{}.Decode(msg)
		if err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v, %v, want %+v", tc.msg, got, err, tc.want)
		}
		if tc.client {
			continue
		}
		if again, err := Append([]byte("before"), &tc.want); err != nil || !bytes.Equal(again, append([]byte("before"), msg...)) {
			t.Errorf("%+v: %x, %v, want %s", tc.want, again, err, tc.msg)
		}
	}
	refusal := packet.Packet{Type: packet.ConnectError, Namespace: "/x", Data: []byte(`{"message":"no","data":{"a":1}}`)}
	if got, err := Append(nil, &refusal); err != nil || !bytes.Equal(got, unhex(t, "83a47479706504a46461746182a76d657373616765a26e6fa46461746181a16101a36e7370a22f78")) {
		t.Errorf("%x, %v", got, err)
	}
}

// Events of every kind of value; the data is that of an event "e" in "/".
func TestValues(t *testing.T) {
	for _, tc := range []struct{ data, want string }{
		{"92a165 cfffffffffffffffff", `["e",18446744073709551615]`},
		{"92a165 d38000000000000000", `["e",-9223372036854775808]`},
		{"92a165 ca3fc00000", `["e",1.5]`},
		{"92a165 cbfff0000000000000", `["e",null]`},
		{"92a165 93d4000001d40000", `["e",[null,1,null]]`},
		{"92a165 83a161d40000a16201a163d40000", `["e",{"b":1}]`},
		{"92a165 82 07c3 ffc2", `["e",{"7":true,"-1":false}]`},
		{"92a165 82a161 01 a161 02", `["e",{"a":1,"a":2}]`},
		{"92a165 a2ff41", `["e","` + "\ufffd" + `A"]`},
		{"92a165 a4 00 22 5c 7f", `["e","\u0000\"\\` + "\x7f" + `"]`},
		{"92a165 d4050a", `["e",[5,{"_placeholder":true,"num":0}]]`},
		{"92a165 c70000", `["e",{"_placeholder":true,"num":0}]`},
		{"92a165 d6ff67658468", `["e","2024-12-20T14:51:20.000Z"]`},
		{"91 05", `[5]`},
		{"dd00000001 d90165", `["e"]`},
	} {
		p, err := Decoder{}.Decode(unhex(t, "83"+typ+"02"+root+data+tc.data))
		if err != nil || p.Excess != nil || string(p.Data) != tc.want {
			t.Errorf("%s: %s, excess %v, %v, want %s", tc.data, p.Data, p.Excess, err, tc.want)
		}
	}
}

func TestFieldsInAnyOrder(t *testing.T) {
	for _, msg := range []string{
		"84" + id + "01" + data + "91a165" + root + typ + "02",
		"86" + data + "91a165" + typ + "02" + id + "01" + root + "a76f7074696f6e7381a8636f6d7072657373c3" + "01c0", // options: {compress: true}, 1: null
		"85" + typ + "01" + root + data + "91a165" + id + "01" + typ + "02",                                        // the last type counts
		"df00000004 d90474797065 cd0002" + root + data + "91a165" + id + "cb3ff0000000000000",                      // other encodings
		"de0004" + typ + "ca40000000" + root + data + "91a165" + id + "cf0000000000000001",
	} {
		p, err := Decoder{}.Decode(unhex(t, msg))
		want := packet.Packet{Type: packet.Event, Namespace: "/", ID: 1, HasID: true, Data: []byte(`["e"]`)}
		if err != nil || !reflect.DeepEqual(p, want) {
			t.Errorf("%s: %+v, %v", msg, p, err)
		}
	}
	for _, undefined := range []string{data + "d40000", id + "d40000", data + "d400ff"} {
		if p, err := (Decoder{}).Decode(unhex(t, "83"+typ+"00"+root+undefined)); err != nil || p.HasID || p.Data != nil {
			t.Errorf("%s: %+v, %v", undefined, p, err)
		}
	}
}

// What socket.io-msgpack-parser refuses, and events that no server may get.
func TestRefuses(t *testing.T) {
	for _, tc := range []struct {
		msg  string
		want error
	}{
		{"", ErrSyntax}, {"91", ErrSyntax}, {"c1", ErrSyntax}, {"83" + typ, ErrSyntax}, {"de", ErrSyntax}, {"df000000", ErrSyntax},
		{"82" + typ + "00" + root + "00", ErrSyntax},                      // a byte behind the packet
		{"dfffffffff" + typ + "00" + root, ErrSyntax},                     // 2^32 keys
		{"83" + typ + "02" + root + data + "ddffffffff", ErrSyntax},       // 2^32 arguments
		{"83" + typ + "02" + root + data + "92a165dfffffffff", ErrSyntax}, // 2^32 members
		{"83" + typ + "02" + root + data + "92a165c6ffffffff", ErrSyntax}, // 4 GiB
		{"83" + typ + "02" + root + data + "92a165c9ffffffff00", ErrSyntax},
		{"83" + typ + "02" + root + data + "92a165dbffffffff", ErrSyntax},
		{"83" + typ + "02" + root + data + "92a165c1", ErrSyntax},
		{"83" + typ + "02" + root + data + "92a16581c001", ErrSyntax}, // a key that is nil
		{"80", packet.ErrType}, {"81" + root, packet.ErrType},
		{"83" + typ + "05" + root + data + "91a165", packet.ErrType},
		{"83" + typ + "ff" + root + data + "91a165", packet.ErrType},
		{"83" + typ + "a132" + root + data + "91a165", packet.ErrType},
		{"83" + typ + "cb4004000000000000" + root + data + "91a165", packet.ErrType}, // 2.5
		{"82" + typ + "00" + nsp + "01", ErrNamespace}, {"81" + typ + "00", ErrNamespace}, {"82" + typ + "00" + nsp + "c4012f", ErrNamespace},
		{"83" + typ + "00" + root + data + "a178", packet.ErrPayload},
		{"83" + typ + "00" + root + data + "90", packet.ErrPayload},
		{"83" + typ + "00" + root + data + "c0", packet.ErrPayload},
		{"83" + typ + "01" + root + data + "90", packet.ErrPayload},
		{"82" + typ + "02" + root, packet.ErrPayload},
		{"83" + typ + "02" + root + data + "80", packet.ErrPayload},
		{"83" + typ + "03" + root + data + "a178", packet.ErrPayload},
		{"82" + typ + "04" + root, packet.ErrPayload}, {"83" + typ + "04" + root + data + "91a165", packet.ErrPayload},
		{"84" + typ + "02" + root + data + "91a165" + id + "a131", packet.ErrID},
		{"84" + typ + "02" + root + data + "91a165" + id + "c0", packet.ErrID},
		{"84" + typ + "02" + root + data + "91a165" + id + "cb3ff8000000000000", packet.ErrID},
		{"84" + typ + "02" + root + data + "91a165" + id + "ff", packet.ErrID}, // Node answers it
		{"84" + typ + "02" + root + data + "91a165" + id + "cf0020000000000000", packet.ErrID},
		{"83" + typ + "02" + root + data + "91a7636f6e6e656374", packet.ErrReserved},
		{"83" + typ + "02" + root + data + "90", packet.ErrPayload},
		{"83" + typ + "02" + root + data + "91c0", packet.ErrPayload},
		{"83" + typ + "02" + root + data + "91c3", packet.ErrPayload},
		{"83" + typ + "02" + root + data + "9191a165", packet.ErrPayload},
		{"83" + typ + "02" + root + data + "91c40165", packet.ErrPayload},
	} {
		if p, err := (Decoder{}).Decode(unhex(t, tc.msg)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %+v, error %v, want %v", tc.msg, p, err, tc.want)
		}
	}
	for _, msg := range []string{recorded[4].msg, recorded[7].msg} {
		for i := range len(msg) / 2 {
			if _, err := (Decoder{}).Decode(unhex(t, msg[:2*i])); err == nil {
				t.Errorf("the first %d bytes of %s are taken", i, msg)
			}
		}
	}
}

// What exceeds a limit is a packet to refuse, with the event's name and nothing else.
func TestExcess(t *testing.T) {
	d := Decoder{MaxArguments: 3, MaxAttachments: 2, MaxAttachmentBytes: 5, MaxDepth: 3}
	deep := strings.Repeat("91", 1<<16) + "01"
	for _, tc := range []struct {
		args string // of an event "e", with their header
		want error
	}{
		{"94a165010203", nil}, {"95a16501020304", packet.ErrTooManyArguments},
		{"92a165919191 01", nil}, {"92a16591919191 01", packet.ErrTooDeep}, {"92a165 81a16191 81a161 01", nil}, {"92a165 81a16191 81a161 80", packet.ErrTooDeep}, {"92a165" + deep, packet.ErrTooDeep},
		{"93a165c40101c40102", nil}, {"94a165c40101c40102c403010203", packet.ErrReferences}, {"92a165 94 d505aabb c400 c400 c70000", packet.ErrReferences},
		{"93a165c4020102c403010203", nil}, {"93a165c4020102c70400010203ff", packet.ErrAttachmentBytes},
		{"92a165 82 ac5f706c616365686f6c646572c3 a36e756d00", packet.ErrPlaceholder},
		{"93a165 c40101 82 ac5f706c616365686f6c646572c3 a36e756d00", packet.ErrPlaceholder},
		{"93a165 82 ac5f706c616365686f6c646572c2 a36e756d00 c40101", nil},
	} {
		p, err := d.Decode(unhex(t, "84"+typ+"02"+root+data+tc.args+id+"07"))
		if err != nil || p.Excess != tc.want || p.ID != 7 {
			t.Errorf("%.80s: %+v, %v, want %v", tc.args, p, err, tc.want)
		}
		if tc.want != nil && (string(p.Data) != `["e"]` || p.Arguments != 0 || p.Attachments != nil) {
			t.Errorf("%.80s: of what is refused %s with %q is left", tc.args, p.Data, p.Attachments)
		}
	}
	if p, err := d.Decode(unhex(t, "84"+typ+"03"+root+data+"9401020304"+id+"07")); err != nil || p.Excess != packet.ErrTooManyArguments || string(p.Data) != "[]" {
		t.Errorf("%+v, %v", p, err)
	}
	for _, tc := range []struct {
		auth, data string
		want       error
	}{
		{"81a161 c4020180", `{"a":{"type":"Buffer","data":[1,128]}}`, nil},
		{"81a161 93c400c400c400", "", packet.ErrReferences},
		{"81a161" + deep, "", packet.ErrTooDeep},
		{"81ac5f706c616365686f6c646572c3", "", packet.ErrPlaceholder},
	} {
		p, err := d.Decode(unhex(t, "83"+typ+"00"+root+data+tc.auth))
		if err != nil || p.Excess != tc.want || string(p.Data) != tc.data || p.Attachments != nil {
			t.Errorf("%.80s: %+v, %v", tc.auth, p, err)
		}
	}
}

// bombs are messages of about n bytes that are dear to decode.
func bombs(t testing.TB, n int) map[string][]byte {
	event := func(args string) []byte { return unhex(t, "83"+typ+"02"+root+data+"92a165"+args) }
	array := func(element string) []byte {
		k := n / (len(element) / 2)
		return append(event("dd"+hex.EncodeToString([]byte{byte(k >> 24), byte(k >> 16), byte(k >> 8), byte(k)})), bytes.Repeat(unhex(t, element), k)...)
	}
	mapped := func(member string) []byte {
		k := n / (len(member) / 2)
		return append(event("df"+hex.EncodeToString([]byte{byte(k >> 24), byte(k >> 16), byte(k >> 8), byte(k)})), bytes.Repeat(unhex(t, member), k)...)
	}
	text := func(c byte) []byte {
		return append(event("db"+hex.EncodeToString([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})), bytes.Repeat([]byte{c}, n)...)
	}
	return map[string][]byte{
		"false": array("c2"), "nil": array("c0"), "undefined": array("d40000"), "maps": array("80"), "binary": array("c400"), "floats": array("cb3fb999999999999a"),
		"small floats": array("ca80000001"), "dates": array("d700000000018bcfe568"), "keys": mapped("a0c2"), "number keys": mapped("e0c2"), "undefined members": mapped("a0d40000"),
		"control": text(1), "invalid": text(0xff), "deep": append(event(""), bytes.Repeat([]byte{0x91}, n)...), "deep maps": append(event(""), bytes.Repeat([]byte{0x81, 0xa0}, n/2)...),
		"long": text('x'),
	}
}

// The bound of the package documentation, for what is worst: allocated is the text, at
// most 6 times as long as the message. A number as a key, which no client sends, makes the buffer grow.
func TestBombs(t *testing.T) {
	const n = 1 << 16
	for name, msg := range bombs(t, n) {
		decode := func() {
			p, err := Decoder{}.Decode(msg)
			if err != nil && name != "deep" && name != "deep maps" {
				t.Errorf("%s: %v", name, err)
			}
			if len(p.Data) > 6*len(msg) {
				t.Errorf("%s: %d bytes became %d", name, len(msg), len(p.Data))
			}
		}
		decode()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		decode()
		runtime.ReadMemStats(&after)
		most := 6.5
		if name == "number keys" {
			most = 20
		}
		if got := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(msg)); got > most {
			t.Errorf("%s: %.1f bytes are allocated for each byte", name, got)
		}
	}
}

func BenchmarkBombs(b *testing.B) {
	for name, msg := range bombs(b, 950_000) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(msg)))
			b.ReportAllocs()
			for b.Loop() {
				Decoder{}.Decode(msg)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	msg := unhex(b, recorded[2].msg)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Decoder{}).Decode(msg); err != nil {
			b.Fatal(err)
		}
	}
}
