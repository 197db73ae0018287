package redisadapter

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

func everything(uid string) use {
	return use{
		uid: uid, interested: func(adapter.Selection) bool { return true }, awaits: func(string) bool { return true }, maxAnswer: 1 << 20,
	}
}

// protocols are all, for tests of what they share.
func protocols() map[string]protocol {
	o := Options{Prefix: "p"}
	return map[string]protocol{"Classic": newClassic(o, "/"), "Sharded": newSharded(o, "/")}
}

// The bytes are those of @socket.io/redis-adapter 8.3.0.
func TestClassicBytes(t *testing.T) {
	c := newClassic(Options{Prefix: "socket.io"}, "/")
	args := adapter.Args{List: []byte(`{"n":1}`)}
	sel := adapter.Selection{Rooms: []string{"r"}, Except: []string{"x"}}
	e := &packet.Packet{Type: packet.Event, Namespace: "/", Data: []byte(`["ev","hi",1,1.5,null]`)}
	for _, tc := range []struct {
		m                message
		channel, payload string
	}{
		{message{kind: broadcast, packet: e}, "socket.io#/#",
			unhex("93 a6 3850624b3241 83 a4 74797065 02 a4 64617461 95 a2 6576 a2 6869 01 cb3ff8000000000000 c0 a3 6e7370 a1 2f" +
				"83 a5 726f6f6d73 90 a6 657863657074 90 a5 666c616773 80")},
		{message{kind: join, sel: sel, rooms: []string{"a"}}, "socket.io-request#/#",
			`{"uid":"8PbK2A","type":2,"opts":{"rooms":["r"],"except":["x"]},"rooms":["a"]}`},
		{message{kind: disconnect, sel: sel, closeConn: true}, "socket.io-request#/#",
			`{"uid":"8PbK2A","type":4,"opts":{"rooms":["r"],"except":["x"]},"close":true}`},
		{message{kind: fetch, requestID: "abcdef"}, "socket.io-request#/#",
			`{"uid":"8PbK2A","requestId":"abcdef","type":5,"opts":{"rooms":[],"except":[]}}`},
		{message{kind: allRooms, requestID: "abcdef"}, "socket.io-request#/#", `{"uid":"8PbK2A","requestId":"abcdef","type":1}`},
		{message{kind: serverSideEmit, event: "e", args: args}, "socket.io-request#/#", `{"uid":"8PbK2A","type":6,"data":["e",{"n":1}]}`},
		{message{kind: roomsAnswer, requestID: "abcdef", rooms: []string{"r"}}, "socket.io-response#/#", `{"requestId":"abcdef","rooms":["r"]}`},
	} {
		tc.m.uid = "8PbK2A"
		o, err := c.encode(&tc.m, "asking")
		if err != nil || o.Channel != tc.channel || string(o.Payload) != tc.payload {
			t.Errorf("%s %q, %v\nwant %s %q", o.Channel, o.Payload, err, tc.channel, tc.payload)
		}
	}
}

func unhex(s string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestChannels(t *testing.T) {
	o := Options{Prefix: "p"}
	for _, tc := range []struct {
		proto protocol
		rooms []string
		want  string
	}{
		{newClassic(o, "/"), nil, "p#/#"},
		{newClassic(o, "/"), []string{"r"}, "p#/#r#"},
		{newClassic(o, "/a"), []string{"r", "q"}, "p#/a#"},
		{newSharded(o, "/"), nil, "p#/#"},
		{newSharded(o, "/"), []string{"r"}, "p#/#r#"},
		{newSharded(o, "/"), []string{"r", "q"}, "p#/#"},
		{newSharded(o, "/"), []string{"abcdefghij0123456789"}, "p#/#"},
		{newSharded(o, "/"), []string{"room:éé" + strings.Repeat("x", 13)}, "p#/#"}, // 20 characters
		{newSharded(o, "/"), []string{strings.Repeat("😀", 10)}, "p#/#"},             // 20 UTF-16 units
		{newSharded(o, "/"), []string{strings.Repeat("😀", 20)}, "p#/#" + strings.Repeat("😀", 20) + "#"},
		{newSharded(Options{Prefix: "p", Subscriptions: Static}, "/"), []string{"r"}, "p#/#"},
		{newSharded(Options{Prefix: "p", Subscriptions: DynamicPrivate}, "/"), []string{"abcdefghij0123456789"}, "p#/#abcdefghij0123456789#"},
	} {
		m := message{kind: broadcast, packet: &packet.Packet{Type: packet.Event, Data: []byte(`["e"]`)}, sel: adapter.Selection{Rooms: tc.rooms}}
		o, err := tc.proto.encode(&m, "")
		if err != nil || o.Channel != tc.want {
			t.Errorf("%T %q: %s, %v, want %s", tc.proto, tc.rooms, o.Channel, err, tc.want)
		}
	}
	if got := newClassic(Options{Prefix: `a*[b]?\`}, "/").targets("u")[0].Name; got != `a\*\[b\]\?\\#/#*` {
		t.Errorf("pattern %s", got)
	}
}

// Rooms that are numbers on Node are their texts here.
func TestNumericRooms(t *testing.T) {
	c := newClassic(Options{Prefix: "p"}, "/")
	m, err := c.decode("p-request#/#", []byte(`{"uid":"x","type":2,"opts":{"rooms":[42,"s"],"except":[7]},"rooms":[1.5]}`), everything("own"))
	if err != nil || strings.Join(m.sel.Rooms, " ") != "42 s" || strings.Join(m.sel.Except, " ") != "7" || m.rooms[0] != "1.5" {
		t.Errorf("got %+v, %v", m, err)
	}
}

// Field names match exactly; of an object that JSON may spell in two ways both are
// read.
func TestFieldNamesMatchExactly(t *testing.T) {
	c, s := newClassic(Options{Prefix: "p"}, "/"), newSharded(Options{Prefix: "p"}, "/")
	m, err := c.decode("p-request#/#", []byte(`{"uid":"x","type":2,"opts":{"rooms":["r"],"ROOMS":["q"]},"rooms":["s"],"Rooms":["t"]}`), everything("own"))
	if err != nil || strings.Join(m.sel.Rooms, " ") != "r" || strings.Join(m.rooms, " ") != "s" {
		t.Errorf("classic: %+v, %v", m, err)
	}
	for text, ok := range map[string]bool{
		`{"uid":"x","nsp":"/","type":3,"data":{"opts":{"rooms":["r"],"except":[]},"packet":{"type":2,"data":["e"],"nsp":"/"}}}`:           true,
		`{"uid":"x","nsp":"/","\u0074ype":3,"data":{"opts":{"rooms":["r"],"except":[]},"\u0070acket":{"type":2,"data":["e"],"nsp":"/"}}}`: true,
		`{"uid":"x","nsp":"/","TYPE":3,"data":{"opts":{"rooms":["r"],"except":[]},"packet":{"type":2,"data":["e"],"nsp":"/"}}}`:           false,
		`{"uid":"x","nsp":"/","type":3,"Data":{"opts":{"rooms":["r"],"except":[]},"packet":{"type":2,"data":["e"],"nsp":"/"}}}`:           false,
	} {
		m, err := s.decode("p#/#", []byte(text), everything("own"))
		if got := err == nil && m.packet != nil && string(m.packet.Data) == `["e"]`; got != ok {
			t.Errorf("sharded %s: %+v, %v", text, m, err)
		}
	}
}

// The memory that decoding takes is bounded by the size of the message, also if it
// describes more sockets or rooms than are plausible; and what nobody waits for is not
// decoded.
func TestMemoryOfDecoding(t *testing.T) {
	const size, most = 8 << 20, 128 << 20 // bytes
	list := func(one string) string { return "[" + strings.Repeat(one+",", size/(len(one)+1)) + one + "]" }
	nobody := everything("own")
	nobody.awaits = func(string) bool { return false }
	for name, tc := range map[string]struct {
		proto            protocol
		channel, payload string
		use              use
	}{
		"sockets":  {newClassic(Options{}, "/"), "-response#/#", `{"requestId":"q","sockets":` + list("{}") + `}`, everything("own")},
		"rooms":    {newClassic(Options{}, "/"), "-response#/#", `{"requestId":"q","rooms":` + list("1") + `}`, everything("own")},
		"unasked":  {newClassic(Options{}, "/"), "-response#/#", `{"requestId":"q","sockets":` + list("{}") + `}`, nobody},
		"request":  {newClassic(Options{}, "/"), "-request#/#", `{"type":2,"rooms":` + list("1") + `,"opts":{"rooms":["r"]}}`, nobody},
		"options":  {newClassic(Options{}, "/"), "-request#/#", `{"type":2,"rooms":["r"],"opts":{"rooms":` + list("1") + `}}`, nobody},
		"packed":   {newClassic(Options{}, "/"), "#/#", "\x93\xa1u\x80\x81\xa5rooms\xdd\x00\x80\x00\x00" + strings.Repeat("\x01", size), nobody},
		"sharded":  {newSharded(Options{}, "/"), "#/#own#", `{"type":8,"uid":"u","nsp":"/","data":{"requestId":"q","sockets":` + list("{}") + `}}`, everything("own")},
		"unasked2": {newSharded(Options{}, "/"), "#/#own#", `{"type":8,"uid":"u","nsp":"/","data":{"requestId":"q","sockets":` + list("{}") + `}}`, nobody},
		"rooms2":   {newSharded(Options{}, "/"), "#/#", `{"type":4,"uid":"u","nsp":"/","data":{"rooms":` + list("1") + `,"opts":{}}}`, nobody},
	} {
		payload := []byte(tc.payload)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := tc.proto.decode(tc.channel, payload, tc.use)
		runtime.ReadMemStats(&after)
		took := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d MiB, %v", name, took>>20, err)
		if err == nil || took > most {
			t.Errorf("%s: %d bytes of memory for a message of %d, %v", name, took, len(payload), err)
		}
	}
	if m, err := newClassic(Options{}, "/").decode("-response#/#", []byte(`{"requestId":"q","sockets":[{"id":"a","rooms":["a",7]}]}`), everything("own")); err != nil ||
		len(m.sockets) != 1 || strings.Join(m.sockets[0].Rooms, " ") != "a 7" {
		t.Errorf("%+v, %v", m, err)
	}
}

// What is decoded is an event whose JSON is valid and whose placeholders name
// attachments, or nothing.
func FuzzDecodeMessage(f *testing.F) {
	bin := &packet.Packet{Type: packet.Event, Namespace: "/", Data: []byte(`["e",{"_placeholder":true,"num":0},1]`), Attachments: [][]byte{{1}}}
	text := &packet.Packet{Type: packet.Event, Namespace: "/", Data: []byte(`["e",{"a":[1.5]}]`)}
	args := adapter.Args{List: []byte(`{"_placeholder":true,"num":0}`), Attachments: [][]byte{{2}}}
	for _, m := range []message{
		{kind: broadcast, packet: bin}, {kind: broadcast, packet: text, requestID: "q", flags: adapter.Flags{Volatile: true, Timeout: 5e9}},
		{kind: join, rooms: []string{"a"}}, {kind: disconnect, closeConn: true}, {kind: fetch, requestID: "q"},
		{kind: serverSideEmit, event: "e", args: args, requestID: "q"}, {kind: clientCount, clients: 3, requestID: "q"},
		{kind: clientAck, args: args, requestID: "q"}, {kind: emitAnswer, args: args, requestID: "q"},
		{kind: socketsAnswer, sockets: []adapter.SocketInfo{{ID: "i", Rooms: []string{"i"}}}, requestID: "q"},
	} {
		m.uid = "other"
		for _, proto := range protocols() {
			o, err := proto.encode(&m, "own")
			if err != nil {
				f.Fatal(err)
			}
			f.Add(o.Payload, o.Channel)
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte, channel string) {
		for _, proto := range protocols() {
			m, err := proto.decode(channel, bytes.Clone(payload), everything("own"))
			if err != nil {
				continue
			}
			data, attachments := m.args.List, m.args.Attachments
			if m.packet != nil {
				data, attachments = m.packet.Data, m.packet.Attachments
				if !json.Valid(data) {
					t.Fatalf("%q became an event %q", payload, data)
				}
			}
			if len(attachments) == 0 {
				continue
			}
			found := 0
			packet.Placeholders(data, func(_, _, num int) {
				if found++; num < 0 || num >= len(attachments) {
					t.Fatalf("%q became %q with %d attachments", payload, data, len(attachments))
				}
			})
			if found != len(attachments) {
				t.Fatalf("%q became %q with %d attachments", payload, data, len(attachments))
			}
		}
	})
}

func BenchmarkDecodeBroadcast(b *testing.B) {
	for name, proto := range protocols() {
		b.Run(name, func(b *testing.B) {
			p := &packet.Packet{Type: packet.Event, Namespace: "/", Data: []byte(`["update",{"roomId":"order-42","type":"ORDER_UPDATED","payload":{"status":"shipped","n":[1,2.5,null]},"from":"user-17"}]`)}
			o, err := proto.encode(&message{kind: broadcast, uid: "u", packet: p, sel: adapter.Selection{Rooms: []string{"r"}}}, "")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := proto.decode(o.Channel, o.Payload, everything("v")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncodeBroadcast(b *testing.B) {
	for name, proto := range protocols() {
		b.Run(name, func(b *testing.B) {
			p := &packet.Packet{Type: packet.Event, Namespace: "/", Data: []byte(`["update",{"roomId":"order-42","type":"ORDER_UPDATED","payload":{"status":"shipped","n":[1,2.5,null]},"from":"user-17"}]`)}
			m := &message{kind: broadcast, uid: "u", packet: p, sel: adapter.Selection{Rooms: []string{"r"}}}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := proto.encode(m, ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
