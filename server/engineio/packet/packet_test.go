package packet

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestDecodeText(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Packet
		err  error
	}{
		{"0{}", Packet{Type: Open, Data: []byte("{}")}, nil},
		{"1", Packet{Type: Close}, nil},
		{"2probe", Packet{Type: Ping, Data: []byte(Probe)}, nil},
		{"3", Packet{Type: Pong}, nil},
		{"4hello €", Packet{Type: Message, Data: []byte("hello €")}, nil},
		{"5", Packet{Type: Upgrade}, nil},
		{"6", Packet{Type: Noop}, nil},
		{"", Packet{}, ErrEmpty},
		{"7", Packet{}, ErrUnknownType},
		{"bAQID", Packet{Type: Message, Binary: true, Data: []byte{1, 2, 3}}, nil},
		{"b!", Packet{}, ErrBase64},
		{"abc", Packet{}, ErrUnknownType},
	} {
		got, err := DecodeText([]byte(tc.in))
		if !errors.Is(err, tc.err) || !equal(got, tc.want) {
			t.Errorf("DecodeText(%q) = %v %q, %v; want %v %q, %v", tc.in, got.Type, got.Data, err, tc.want.Type, tc.want.Data, tc.err)
		}
	}
}

func equal(a, b Packet) bool {
	return a.Type == b.Type && a.Binary == b.Binary && bytes.Equal(a.Data, b.Data)
}

func TestDecodePayload(t *testing.T) {
	text := func(s string) Packet { return Packet{Type: Message, Data: []byte(s)} }
	binary := func(b ...byte) Packet { return Packet{Type: Message, Binary: true, Data: b} }
	for _, tc := range []struct {
		in   string
		want []Packet
		err  error
	}{
		{"4one", []Packet{text("one")}, nil},
		{"4one\x1e4two\x1e3", []Packet{text("one"), text("two"), {Type: Pong}}, nil},
		{"4a\x1ebAQIDBA==", []Packet{text("a"), binary(1, 2, 3, 4)}, nil},
		{"bAQIDBA", []Packet{binary(1, 2, 3, 4)}, nil},
		{"b", []Packet{binary()}, nil},
		{"", nil, ErrEmpty},
		{"4a\x1e", []Packet{text("a")}, ErrEmpty},
		{"4a\x1eabc\x1e4b", []Packet{text("a")}, ErrUnknownType},
		{"4a\x1eb!!", []Packet{text("a")}, ErrBase64},
	} {
		var got []Packet
		err := DecodePayload([]byte(tc.in), func(p Packet) bool { got = append(got, p); return true })
		if !errors.Is(err, tc.err) || !slices.EqualFunc(got, tc.want, equal) {
			t.Errorf("DecodePayload(%q) = %v, %v; want %v, %v", tc.in, got, err, tc.want, tc.err)
		}
	}
}

func TestDecodePayloadStops(t *testing.T) {
	n := 0
	if err := DecodePayload([]byte("1\x1egarbage"), func(Packet) bool { n++; return false }); err != nil || n != 1 {
		t.Errorf("got %d packets and %v, want one and no error", n, err)
	}
}

func TestDecodePayloadBoundsPackets(t *testing.T) {
	body := strings.Repeat("3\x1e", MaxPayloadPackets) + "3"
	n := 0
	err := DecodePayload([]byte(body), func(Packet) bool { n++; return true })
	if !errors.Is(err, ErrTooMany) || n != MaxPayloadPackets {
		t.Errorf("got %d packets and %v, want %d and ErrTooMany", n, err, MaxPayloadPackets)
	}
}

func FuzzDecodePayload(f *testing.F) {
	for _, s := range []string{"", "4", "2probe", "4a\x1ebAQIDBA==\x1e3", "b", "b=", "\x1e\x1e", "41\x1e40/admin,{}", "bQUJD\x1e"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var again []byte
		add := func(p Packet) bool {
			if again != nil {
				again = AppendSeparator(again)
			}
			if p.Binary {
				again = AppendBinary(again, p.Data)
			} else {
				again = append(append(again, byte(p.Type)), p.Data...)
			}
			return true
		}
		err := DecodePayload(body, add)
		if err != nil {
			return
		}
		if bytes.ContainsRune(body, 'b') { // base64 has more than one spelling: ours goes round
			body = again
			again = nil
			if err := DecodePayload(body, add); err != nil {
				t.Fatalf("%q, which we write: %v", body, err)
			}
		}
		if !bytes.Equal(again, body) {
			t.Errorf("%q was decoded and encoded to %q", body, again)
		}
	})
}

// A packet is what its first byte says and the rest, and base64 what
// encoding/base64 says, with padding or without.
func FuzzDecodeText(f *testing.F) {
	for _, s := range []string{"", "0{}", "1", "2probe", "3", "4hello €", "5", "6", "7", "b", "bAQID", "bAQIDBA==", "bAQIDBA", "b!", "b\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodeText(bytes.Clone(b))
		switch {
		case len(b) == 0:
			if !errors.Is(err, ErrEmpty) {
				t.Errorf("nothing: %v", err)
			}
		case b[0] == 'b':
			text := strings.TrimRight(string(b[1:]), "=")
			want, wrong := base64.RawStdEncoding.DecodeString(text)
			if err == nil && (wrong != nil || !bytes.Equal(p.Data, want) || p.Type != Message || !p.Binary) {
				t.Errorf("%q: got %+v, want %q, %v", b, p, want, wrong)
			}
			if canonical := AppendBinary(nil, want); wrong == nil && bytes.Equal(canonical, b) && err != nil {
				t.Errorf("%q: %v, although it is what we write", b, err)
			}
		case b[0] < '0' || b[0] > '6':
			if !errors.Is(err, ErrUnknownType) {
				t.Errorf("%q: %+v, %v", b, p, err)
			}
		default:
			if err != nil || p.Type != Type(b[0]) || p.Binary || !bytes.Equal(p.Data, b[1:]) {
				t.Errorf("%q: %+v, %v", b, p, err)
			}
		}
	})
}

// benchPayload is what a client posts that has queued a few messages.
func benchPayload() []byte {
	var b []byte
	for range 8 {
		b = append(b, `4212["publish-update",{"roomId":"order-123","type":"ORDER_STATUS_CHANGED","payload":{"status":"completed","n":12345}}]`...)
		b = AppendSeparator(b)
	}
	return AppendBinary(b, bytes.Repeat([]byte{7}, 1024))
}

func BenchmarkDecodePayload(b *testing.B) {
	payload := benchPayload()
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if err := DecodePayload(payload, func(Packet) bool { return true }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendBinary(b *testing.B) {
	data := bytes.Repeat([]byte{7}, 1024)
	var dst []byte
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendBinary(dst[:0], data)
	}
}
