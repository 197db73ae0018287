package packet

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

func text3(s string) Packet    { return Packet{Type: Message, Data: []byte(s)} }
func binary3(b ...byte) Packet { return Packet{Type: Message, Binary: true, Data: b} }

func TestDecodePayload3(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want []Packet
		err  error
	}{
		{"6:4hello", []Packet{text3("hello")}, nil},
		{"6:4hello2:4€3:4😀", []Packet{text3("hello"), text3("€"), text3("😀")}, nil},
		{"1:26:2probe", []Packet{{Type: Ping}, {Type: Ping, Data: []byte("probe")}}, nil},
		{"6:b4AQID", []Packet{binary3(1, 2, 3)}, nil},
		{"10:b4NEFRSUQ=", []Packet{binary3([]byte("4AQID")...)}, nil}, // data that looks like a type
		{"0:1:30:", []Packet{{Type: Pong}}, nil},                      // empty packets
		{"02:4a", []Packet{text3("a")}, nil},
		{"", nil, ErrEmpty},
		{":4x", nil, ErrLength},
		{"99999:4", nil, ErrCut},
		{"1:", nil, ErrCut},
		{"1", nil, ErrCut},
		{"-1:4", nil, ErrLength},
		{"0x1:4", nil, ErrLength},
		{"1e1:4aaaaaaaaa", nil, ErrLength},
		{" 1:4", nil, ErrLength},
		{"\x00", nil, ErrLength},
		{"00 ff", nil, ErrLength},
		{"2:4a5", []Packet{text3("a")}, ErrCut},
		{"2:4😀", nil, ErrCut}, // within a character
		{"2:4a1:x", []Packet{text3("a")}, ErrUnknownType},
		{"1:b", nil, ErrEmpty},
		{"2:b9", nil, ErrUnknownType},
		{"3:bb4", nil, ErrUnknownType},
		{"3:b4!", nil, ErrBase64},
		{"100000000:4", nil, ErrLength},
		{strings.Repeat("9", 400) + ":4", nil, ErrLength},
	} {
		var got []Packet
		err := DecodePayload3([]byte(tc.in), func(p Packet) bool { got = append(got, p); return true })
		if !errors.Is(err, tc.err) || !slices.EqualFunc(got, tc.want, equal) {
			t.Errorf("%q: got %v, %v; want %v, %v", tc.in, got, err, tc.want, tc.err)
		}
	}
}

func TestDecodeBinaryPayload3(t *testing.T) {
	digits := append([]byte{1}, bytes.Repeat([]byte{9}, 400)...)
	for _, tc := range []struct {
		in   string
		want []Packet
		err  error
	}{
		{"\x00\x06\xff4hello\x01\x04\xff\x04\x01\x02\x03", []Packet{text3("hello"), binary3(1, 2, 3)}, nil},
		{"\x00\x04\xff4€", []Packet{text3("€")}, nil},
		{"\x00\x06\xffb4AQID", []Packet{binary3(1, 2, 3)}, nil},
		{"\x01\x01\x02\xff\x04hello world", []Packet{binary3([]byte("hello world")...)}, nil},
		{"\x00\x00\xff\x01\x01\xff\x02", []Packet{{Type: Ping, Binary: true}}, nil},
		{"", nil, ErrEmpty},
		{"\x00\xff", nil, ErrLength},
		{"\x01", nil, ErrCut},
		{"\x01\x05", nil, ErrCut},
		{"\x01\x05\xff\x04", nil, ErrCut},
		{"\x00\x0a\xff4", nil, ErrLength},
		{"2:4a", nil, ErrLength}, // text
		{"\x01\x02\xff\x07x", nil, ErrUnknownType},
		{string(digits), nil, ErrLength},
	} {
		var got []Packet
		err := DecodeBinaryPayload3([]byte(tc.in), func(p Packet) bool { got = append(got, p); return true })
		if !errors.Is(err, tc.err) || !slices.EqualFunc(got, tc.want, equal) {
			t.Errorf("%q: got %v, %v; want %v, %v", tc.in, got, err, tc.want, tc.err)
		}
	}
}

// What Node's server has written (recorded).
func TestAppend3(t *testing.T) {
	text := []byte(`451-["e",{"_placeholder":true,"num":0}]`)
	b := append(AppendTextLength3(nil, text), text...)
	encoded := AppendBinary3(nil, []byte{1, 2, 3})
	b = append(AppendTextLength3(b, encoded), encoded...)
	if got, want := string(b), `39:451-["e",{"_placeholder":true,"num":0}]6:b4AQID`; got != want {
		t.Errorf("text: got %q, want %q", got, want)
	}
	b = append(AppendBinaryLength3(nil, text, true), text...)
	message := AppendMessage3(nil, []byte{1, 2, 3})
	b = append(AppendBinaryLength3(b, message, false), message...)
	if got, want := string(b), "\x00\x03\x09\xff"+string(text)+"\x01\x04\xff\x04\x01\x02\x03"; got != want {
		t.Errorf("binary: got %q, want %q", got, want)
	}
	if got := string(AppendTextLength3(nil, []byte("4€😀"))); got != "4:" {
		t.Errorf("length in UTF-16: %q", got)
	}
}

func TestPayload3Stops(t *testing.T) {
	n := 0
	stop := func(Packet) bool { n++; return false }
	if err := DecodePayload3([]byte("1:1garbage"), stop); err != nil || n != 1 {
		t.Errorf("text: %d packets, %v", n, err)
	}
	if err := DecodeBinaryPayload3([]byte("\x00\x01\xff1garbage"), stop); err != nil || n != 2 {
		t.Errorf("binary: %d packets, %v", n, err)
	}
}

func TestPayload3BoundsPackets(t *testing.T) {
	for name, decode := range map[string]func() (int, error){
		"text": func() (n int, err error) {
			err = DecodePayload3([]byte(strings.Repeat("1:2", MaxPayloadPackets+1)), func(Packet) bool { n++; return true })
			return n, err
		},
		"empty": func() (n int, err error) {
			err = DecodePayload3([]byte(strings.Repeat("0:", MaxPayloadPackets+1)), func(Packet) bool { n++; return true })
			return n + MaxPayloadPackets, err
		},
		"binary": func() (n int, err error) {
			err = DecodeBinaryPayload3(bytes.Repeat([]byte("\x00\x01\xff2"), MaxPayloadPackets+1), func(Packet) bool { n++; return true })
			return n, err
		},
	} {
		if n, err := decode(); !errors.Is(err, ErrTooMany) || n != MaxPayloadPackets {
			t.Errorf("%s: %d packets, %v", name, n, err)
		}
	}
}

// Text without base64 allocates nothing, so the time is linear in what is read, and
// nothing is kept.
func TestPayload3Allocations(t *testing.T) {
	text := []byte(strings.Repeat("6:4héllo", 1000))
	octets := bytes.Repeat([]byte("\x01\x06\xff\x04hello"), 1000)
	yield := func(Packet) bool { return true }
	if n := testing.AllocsPerRun(10, func() { DecodePayload3(text, yield); DecodeBinaryPayload3(octets, yield) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

var payload3Seeds = []string{
	"", ":4x", "99999:4", "1:", "-1:4", "0x1:4", "\x00", "00 ff", "\x00\xff", "6:4hello2:4€3:4😀", "6:b4AQID0:1:2", "2:4😀",
	"\x00\x06\xff4hello\x01\x04\xff\x04\x01\x02\x03", "\x01" + strings.Repeat("\x09", 400), "\x01\x09\x09\x09\x09\x09\x09\x09\x09\xff\x04", "\x00\x01\xff\xff",
}

// A payload that decodes is what its packets encode to, and its lengths are those of
// JavaScript.
func FuzzDecodePayload3(f *testing.F) {
	for _, s := range payload3Seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !utf8.Valid(body) {
			return
		}
		read := 0
		yield := func(p Packet) bool {
			if p.Binary {
				read += len(p.Data)
				return true
			}
			one := append([]byte{byte(p.Type)}, p.Data...)
			read += len(one)
			if got, want := utf16Len(one), len(utf16.Encode([]rune(string(one)))); got != want {
				t.Errorf("%q: %d units, want %d", one, got, want)
			}
			return true
		}
		if err := DecodePayload3(body, yield); read > len(body) {
			t.Errorf("%q: %d bytes of packets, %v", body, read, err)
		}
		again := append(append([]byte("2:4a"), AppendTextLength3(nil, append([]byte("4"), body...))...), append([]byte("4"), body...)...)
		var got []Packet
		err := DecodePayload3(again, func(p Packet) bool { got = append(got, p); return true })
		if want := []Packet{text3("a"), text3(string(body))}; len(again) < 99_999_999 && (err != nil || !slices.EqualFunc(got, want, equal)) {
			t.Errorf("%q, which we write: %v, %v", again, got, err)
		}
	})
}

func FuzzDecodeBinaryPayload3(f *testing.F) {
	for _, s := range payload3Seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		read := 0
		err := DecodeBinaryPayload3(body, func(p Packet) bool { read += len(p.Data) + 1; return true })
		if read > len(body) {
			t.Errorf("%q: %d bytes of packets, %v", body, read, err)
		}
		message := AppendMessage3(nil, body)
		again := append(AppendBinaryLength3(nil, message, false), message...)
		text := append([]byte("4"), body...)
		again = append(append(again, AppendBinaryLength3(nil, text, true)...), text...)
		var got []Packet
		err = DecodeBinaryPayload3(again, func(p Packet) bool { got = append(got, p); return true })
		if want := []Packet{binary3(body...), text3(string(body))}; err != nil || !slices.EqualFunc(got, want, equal) {
			t.Errorf("%q, which we write: %v, %v", again, got, err)
		}
	})
}
