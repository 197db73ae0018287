package wsframe

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// clientFrame is a masked frame as the framing library compiles it.
func clientFrame(op ws.OpCode, fin bool, payload string) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, fin, []byte(payload))))
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

// recording is a sink that admits messages up to a limit, and writes down what it
// gets.
type recording struct {
	limit int64
	text  strings.Builder
}

func (r *recording) HandleFrame(op ws.OpCode, payload []byte) bool {
	fmt.Fprintf(&r.text, "[%d %s]", op, payload)
	return true
}

func (r *recording) AdmitsMessage(n int64) bool { return n <= r.limit }

// Decompress takes it for compression to put a message in parentheses.
func (r *recording) Decompress(payload []byte) ([]byte, *Violation) {
	inner, opened := bytes.CutPrefix(payload, []byte("("))
	inner, closed := bytes.CutSuffix(inner, []byte(")"))
	if !opened || !closed {
		return nil, &Violation{CloseNotUTF8, ErrNotText}
	}
	return bytes.Clone(inner), nil
}

// compressedFrame is a clientFrame with RSV1.
func compressedFrame(op ws.OpCode, fin bool, payload string) []byte {
	f := ws.MaskFrame(ws.NewFrame(op, fin, []byte(payload)))
	f.Header.Rsv = rsv1
	return ws.MustCompileFrame(f)
}

func TestReader(t *testing.T) {
	raw := func(b ...byte) []byte { return b }
	long := strings.Repeat("x", 70_000)
	many := bytes.Repeat(clientFrame(ws.OpContinuation, false, "x"), MaxFragments)
	for _, tc := range []struct {
		name string
		in   []byte
		want string
		code CloseCode
	}{
		{"text", clientFrame(ws.OpText, true, "4hi"), "[1 4hi]", 0},
		{"several", join(clientFrame(ws.OpText, true, "a"), clientFrame(ws.OpBinary, true, "b")), "[1 a][2 b]", 0},
		{"empty", clientFrame(ws.OpText, true, ""), "[1 ]", 0},
		{"16 bit length", clientFrame(ws.OpText, true, long[:300]), "[1 " + long[:300] + "]", 0},
		{"64 bit length", clientFrame(ws.OpBinary, true, long), "[2 " + long + "]", 0},
		{"fragments with a ping between", join(clientFrame(ws.OpText, false, "a"), clientFrame(ws.OpPing, true, "p"), clientFrame(ws.OpContinuation, false, "b"), clientFrame(ws.OpContinuation, true, "c")), "[9 p][1 abc]", 0},
		{"a ping in a message as long as may be", join(clientFrame(ws.OpText, false, long), clientFrame(ws.OpContinuation, false, long[:30_000]), clientFrame(ws.OpPing, true, "p"), clientFrame(ws.OpContinuation, true, "")), "[9 p][1 " + long + long[:30_000] + "]", 0},
		{"close", clientFrame(ws.OpClose, true, "\x03\xe8"), "[8 \x03\xe8]", 0},
		{"unmasked", raw(0x81, 1, 'a'), "", CloseProtocol},
		{"RSV1", raw(0xc1, 0x80, 0, 0, 0, 0), "", CloseProtocol},
		{"reserved opcode", raw(0x83, 0x80, 0, 0, 0, 0), "", CloseProtocol},
		{"long control", clientFrame(ws.OpPing, true, long[:126]), "", CloseProtocol},
		{"fragmented control", clientFrame(ws.OpPing, false, ""), "", CloseProtocol},
		{"continuation of nothing", clientFrame(ws.OpContinuation, true, "a"), "", CloseProtocol},
		{"text inside a message", join(clientFrame(ws.OpText, false, "a"), clientFrame(ws.OpText, true, "b")), "", CloseProtocol},
		{"not UTF-8", clientFrame(ws.OpText, true, "\xff"), "", CloseNotUTF8},
		{"split UTF-8", join(clientFrame(ws.OpText, false, "\xe2\x82"), clientFrame(ws.OpContinuation, true, "\xac")), "[1 €]", 0},
		{"over the limit", raw(0x81, 0xff, 0, 0, 0, 0, 0, 1, 0x86, 0xa1, 0, 0, 0, 0), "", CloseTooLarge},
		{"high bit of the length", raw(0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0), "", CloseTooLarge},
		{"over the limit in fragments", join(clientFrame(ws.OpText, false, strings.Repeat(long, 1)), clientFrame(ws.OpContinuation, false, long)), "", CloseTooLarge},
		{"endless fragments", join(clientFrame(ws.OpText, false, "x"), many), "", ClosePolicy},
	} {
		for _, pieces := range []string{"whole", "pieces", "bytes"} {
			if pieces == "bytes" && len(tc.in) > 1000 {
				continue
			}
			t.Run(tc.name+"/"+pieces, func(t *testing.T) {
				got, v := feedAll(new(Reader), 100_000, tc.in, pieces)
				switch {
				case tc.code == 0 && (v != nil || got != tc.want):
					t.Errorf("got %.80q, %v; want %.80q", got, v, tc.want)
				case tc.code != 0 && (v == nil || v.Code != tc.code):
					t.Errorf("got %.80q, %+v; want status %d", got, v, tc.code)
				}
			})
		}
	}
}

// RSV1 has a meaning only if the extension was negotiated, and only in the first frame
// of a message. What follows from it is the same in every reader.
func TestReaderOfCompressed(t *testing.T) {
	text, more := ws.OpText, ws.OpContinuation
	for _, tc := range []struct {
		name string
		in   []byte
		want string
		code CloseCode
	}{
		{"text", compressedFrame(text, true, "(a)"), "[1 a]", 0},
		{"binary", compressedFrame(ws.OpBinary, true, "(\xff)"), "[2 \xff]", 0},
		{"not compressed", clientFrame(text, true, "(a)"), "[1 (a)]", 0},
		{"one after the other", join(compressedFrame(text, true, "(a)"), clientFrame(text, true, "b"), compressedFrame(text, true, "(c)")), "[1 a][1 b][1 c]", 0},
		{"fragments", join(compressedFrame(text, false, "("), clientFrame(ws.OpPing, true, "p"), clientFrame(more, false, "ab"), clientFrame(more, true, ")"), clientFrame(text, true, "c")), "[9 p][1 ab][1 c]", 0},
		{"first fragment empty", join(compressedFrame(text, false, ""), clientFrame(more, true, "(a)")), "[1 a]", 0},
		{"corrupt", compressedFrame(text, true, "a"), "", CloseNotUTF8},
		{"not UTF-8", compressedFrame(text, true, "(\xff)"), "", CloseNotUTF8},
		{"larger than the limit", compressedFrame(text, true, strings.Repeat("x", 101)), "", CloseTooLarge},
		{"on a continuation", join(compressedFrame(text, false, "("), compressedFrame(more, true, "a)")), "", CloseProtocol},
		{"on the continuation of what is not compressed", join(clientFrame(text, false, "a"), compressedFrame(more, true, "b")), "", CloseProtocol},
		{"on a ping", compressedFrame(ws.OpPing, true, ""), "", CloseProtocol},
		{"on a close frame", compressedFrame(ws.OpClose, true, ""), "", CloseProtocol},
		{"RSV2", []byte{0xa1, 0x80, 0, 0, 0, 0}, "", CloseProtocol},
		{"RSV3", []byte{0x91, 0x80, 0, 0, 0, 0}, "", CloseProtocol},
		{"RSV1 and RSV2", []byte{0xe1, 0x80, 0, 0, 0, 0}, "", CloseProtocol},
	} {
		for _, pieces := range []string{"whole", "pieces", "bytes"} {
			got, v := feedAll(&Reader{Compression: true}, 100, tc.in, pieces)
			if tc.code == 0 && (v != nil || got != tc.want) || tc.code != 0 && (v == nil || v.Code != tc.code) {
				t.Errorf("%s, %s: got %q, %+v; want %q, status %d", tc.name, pieces, got, v, tc.want, tc.code)
			}
		}
	}
}

func feedAll(r *Reader, limit int64, in []byte, pieces string) (string, *Violation) {
	to := &recording{limit: limit}
	for len(in) > 0 {
		n := len(in)
		switch pieces {
		case "bytes":
			n = 1
		case "pieces":
			n = 1 + rand.N(n)
		}
		if v := r.Feed(bytes.Clone(in[:n]), to); v != nil {
			return to.text.String(), v
		}
		in = in[n:]
	}
	return to.text.String(), nil
}

// After a sink has returned false it gets nothing more, and the reader drops the rest of
// its input.
func TestReaderStops(t *testing.T) {
	one := &once{recording: recording{limit: 100}}
	in := join(clientFrame(ws.OpText, true, "a"), clientFrame(ws.OpText, true, "b"), clientFrame(ws.OpText, true, "c")[:3])
	if v := new(Reader).Feed(in, one); v != nil || one.text.String() != "[1 a]" {
		t.Errorf("got %q, %v", one.text.String(), v)
	}
}

// once is a sink that wants one frame.
type once struct{ recording }

func (o *once) HandleFrame(op ws.OpCode, payload []byte) bool {
	o.recording.HandleFrame(op, payload)
	return false
}

// The pieces in which bytes arrive do not matter.
func FuzzReader(f *testing.F) {
	f.Add(clientFrame(ws.OpText, true, "42[\"a\"]"), uint8(1))
	f.Add(join(clientFrame(ws.OpText, false, "a"), clientFrame(ws.OpPing, true, ""), clientFrame(ws.OpContinuation, true, "b")), uint8(3))
	f.Add([]byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, uint8(2))
	f.Add(append(clientFrame(ws.OpText, false, "a"), 0x80, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0), uint8(3))
	f.Add(join(compressedFrame(ws.OpText, false, "(a"), clientFrame(ws.OpPing, true, ""), clientFrame(ws.OpContinuation, true, ")")), uint8(131))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		compression := step >= 128 // the other bits are the step
		step &= 127
		whole, v1 := feedAll(&Reader{Compression: compression}, 1000, in, "whole")
		r, to := &Reader{Compression: compression}, &recording{limit: 1000}
		var v2 *Violation
		for b := bytes.Clone(in); len(b) > 0 && v2 == nil; {
			n := min(len(b), int(step)+1)
			v2 = r.Feed(bytes.Clone(b[:n]), to)
			b = b[n:]
		}
		if to.text.String() != whole || (v1 == nil) != (v2 == nil) {
			t.Errorf("whole: %q, %v; in pieces of %d: %q, %v", whole, v1, int(step)+1, to.text.String(), v2)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	var in []byte
	for range 100 {
		in = append(in, clientFrame(ws.OpText, true, `42["publish-update",{"roomId":"order-123","type":"X","payload":{"n":1}}]`)...)
	}
	buf := make([]byte, len(in))
	r := new(Reader)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, in)
		if v := r.Feed(buf, discard{}); v != nil {
			b.Fatal(v)
		}
	}
}

// discard is a sink that admits and drops everything.
type discard struct{}

func (discard) HandleFrame(ws.OpCode, []byte) bool { return true }
func (discard) AdmitsMessage(int64) bool           { return true }

func (discard) Decompress(payload []byte) ([]byte, *Violation) { return payload, nil }
