package engineio

import (
	"bytes"
	"errors"
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

func TestFrameReader(t *testing.T) {
	raw := func(b ...byte) []byte { return b }
	long := strings.Repeat("x", 70_000)
	many := bytes.Repeat(clientFrame(ws.OpContinuation, false, "x"), maxFragments)
	for _, tc := range []struct {
		name string
		in   []byte
		want string
		code closeCode
	}{
		{"text", clientFrame(ws.OpText, true, "4hi"), "[1 4hi]", 0},
		{"several", join(clientFrame(ws.OpText, true, "a"), clientFrame(ws.OpBinary, true, "b")), "[1 a][2 b]", 0},
		{"empty", clientFrame(ws.OpText, true, ""), "[1 ]", 0},
		{"16 bit length", clientFrame(ws.OpText, true, long[:300]), "[1 " + long[:300] + "]", 0},
		{"64 bit length", clientFrame(ws.OpBinary, true, long), "[2 " + long + "]", 0},
		{"fragments with a ping between", join(clientFrame(ws.OpText, false, "a"), clientFrame(ws.OpPing, true, "p"), clientFrame(ws.OpContinuation, false, "b"), clientFrame(ws.OpContinuation, true, "c")), "[9 p][1 abc]", 0},
		{"a ping in a message as long as may be", join(clientFrame(ws.OpText, false, long), clientFrame(ws.OpContinuation, false, long[:30_000]), clientFrame(ws.OpPing, true, "p"), clientFrame(ws.OpContinuation, true, "")), "[9 p][1 " + long + long[:30_000] + "]", 0},
		{"close", clientFrame(ws.OpClose, true, "\x03\xe8"), "[8 \x03\xe8]", 0},
		{"unmasked", raw(0x81, 1, 'a'), "", closeProtocol},
		{"RSV1", raw(0xc1, 0x80, 0, 0, 0, 0), "", closeProtocol},
		{"reserved opcode", raw(0x83, 0x80, 0, 0, 0, 0), "", closeProtocol},
		{"long control", clientFrame(ws.OpPing, true, long[:126]), "", closeProtocol},
		{"fragmented control", clientFrame(ws.OpPing, false, ""), "", closeProtocol},
		{"continuation of nothing", clientFrame(ws.OpContinuation, true, "a"), "", closeProtocol},
		{"text inside a message", join(clientFrame(ws.OpText, false, "a"), clientFrame(ws.OpText, true, "b")), "", closeProtocol},
		{"not UTF-8", clientFrame(ws.OpText, true, "\xff"), "", closeNotUTF8},
		{"split UTF-8", join(clientFrame(ws.OpText, false, "\xe2\x82"), clientFrame(ws.OpContinuation, true, "\xac")), "[1 €]", 0},
		{"over the limit", raw(0x81, 0xff, 0, 0, 0, 0, 0, 1, 0x86, 0xa1, 0, 0, 0, 0), "", closeTooLarge},
		{"high bit of the length", raw(0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0), "", closeTooLarge},
		{"over the limit by so much that the sum of the fragments overflows", join(clientFrame(ws.OpText, false, "a"), raw(0x80, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)), "", closeTooLarge},
		{"over the limit in fragments", join(clientFrame(ws.OpText, false, strings.Repeat(long, 1)), clientFrame(ws.OpContinuation, false, long)), "", closeTooLarge},
		{"endless fragments", join(clientFrame(ws.OpText, false, "x"), many), "", closePolicy},
	} {
		for _, pieces := range []string{"whole", "pieces", "bytes"} {
			if pieces == "bytes" && len(tc.in) > 1000 {
				continue
			}
			t.Run(tc.name+"/"+pieces, func(t *testing.T) {
				got, err := feedAll(&frameReader{limit: 100_000}, tc.in, pieces)
				var v violation
				errors.As(err, &v)
				if got != tc.want && tc.code == 0 || v.code != tc.code {
					t.Errorf("got %.80q, %v (%d); want %.80q, status %d", got, err, v.code, tc.want, tc.code)
				}
			})
		}
	}
}

func feedAll(r *frameReader, in []byte, pieces string) (string, error) {
	var out strings.Builder
	yield := func(op ws.OpCode, b []byte) bool { fmt.Fprintf(&out, "[%d %s]", op, b); return true }
	in = bytes.Clone(in)
	for len(in) > 0 {
		n := len(in)
		switch pieces {
		case "bytes":
			n = 1
		case "pieces":
			n = 1 + rand.N(n)
		}
		if err := r.feed(bytes.Clone(in[:n]), yield); err != nil {
			return out.String(), err
		}
		in = in[n:]
	}
	return out.String(), nil
}

// The pieces in which bytes arrive must not matter.
func FuzzFrameReader(f *testing.F) {
	f.Add(clientFrame(ws.OpText, true, "42[\"a\"]"), uint8(1))
	f.Add(join(clientFrame(ws.OpText, false, "a"), clientFrame(ws.OpPing, true, ""), clientFrame(ws.OpContinuation, true, "b")), uint8(3))
	f.Add([]byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, uint8(2))
	f.Add(append(clientFrame(ws.OpText, false, "a"), 0x80, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0), uint8(3))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		whole, err1 := feedAll(&frameReader{limit: 1000}, in, "whole")
		r := &frameReader{limit: 1000}
		var out strings.Builder
		var err2 error
		for b := bytes.Clone(in); len(b) > 0 && err2 == nil; {
			n := min(len(b), int(step)+1)
			err2 = r.feed(bytes.Clone(b[:n]), func(op ws.OpCode, p []byte) bool { fmt.Fprintf(&out, "[%d %s]", op, p); return true })
			b = b[n:]
		}
		if out.String() != whole || (err1 == nil) != (err2 == nil) {
			t.Errorf("whole: %q, %v; in pieces of %d: %q, %v", whole, err1, int(step)+1, out.String(), err2)
		}
	})
}
