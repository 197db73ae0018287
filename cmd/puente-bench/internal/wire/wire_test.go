package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// The tests of frames compare with gobwas/ws, which shares no code with ParseFrame.

func TestParseFrame(t *testing.T) {
	for _, length := range []int{0, 1, 125, 126, 127, 65535, 65536, 70000} {
		payload := bytes.Repeat([]byte{'a'}, length)
		b, err := ws.CompileFrame(ws.NewTextFrame(payload))
		if err != nil {
			t.Fatal(err)
		}
		for _, cut := range []int{0, 1, 2, 3, 5, 9, len(b) / 2, len(b) - 1} {
			if cut >= len(b) {
				continue
			}
			if _, n, err := ParseFrame(b[:cut]); n != 0 || err != nil {
				t.Errorf("length %d cut at %d: size %d, error %v; want 0, nil", length, cut, n, err)
			}
		}
		f, n, err := ParseFrame(append(b, "next"...))
		if err != nil || n != len(b) || !f.Fin || f.OpCode != ws.OpText || !bytes.Equal(f.Payload, payload) {
			t.Errorf("length %d: size %d of %d, error %v", length, n, len(b), err)
		}
	}
}

func TestParseFrameRefuses(t *testing.T) {
	for _, c := range []struct {
		bytes []byte
		want  error
	}{
		{[]byte{0x81, 0x81, 1, 2, 3, 4, 'x'}, ErrMasked},
		{[]byte{0xc1, 0x01, 'x'}, ErrReserved},
		{[]byte{0x83, 0x01, 'x'}, ErrReserved},
		{[]byte{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 1}, ErrTooLarge},
	} {
		if _, _, err := ParseFrame(c.bytes); !errors.Is(err, c.want) {
			t.Errorf("% x: got %v, want %v", c.bytes, err, c.want)
		}
	}
}

func TestParseDeflateFrame(t *testing.T) {
	for _, c := range []struct {
		bytes      []byte
		compressed bool
		want       error
	}{
		{[]byte{0xc1, 0x01, 'x'}, true, nil},
		{[]byte{0x42, 0x01, 'x'}, true, nil}, // the first fragment
		{[]byte{0x81, 0x01, 'x'}, false, nil},
		{[]byte{0xc0, 0x01, 'x'}, true, ErrReserved}, // a later fragment
		{[]byte{0xc9, 0x00}, true, ErrReserved},      // a ping
		{[]byte{0xe1, 0x01, 'x'}, true, ErrReserved}, // RSV2
	} {
		f, _, err := ParseDeflateFrame(c.bytes)
		if !errors.Is(err, c.want) || f.Compressed != c.compressed {
			t.Errorf("% x: compressed %v, %v", c.bytes, f.Compressed, err)
		}
	}
}

func TestAppendFrame(t *testing.T) {
	for _, length := range []int{0, 7, 125, 126, 65535, 65536} {
		payload := strings.Repeat("x", length)
		b := AppendFrame(nil, ws.OpBinary, [4]byte{1, 2, 3, 4}, []byte("4"), []byte(payload))
		f, err := ws.ReadFrame(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		masked := f.Header.Masked
		f = ws.UnmaskFrame(f)
		if string(f.Payload) != "4"+payload || f.Header.OpCode != ws.OpBinary || !f.Header.Fin || !masked {
			t.Errorf("length %d: header %+v, %d bytes", length, f.Header, len(f.Payload))
		}
	}
}

func TestParseResponse(t *testing.T) {
	for name, c := range map[string]struct {
		in, body string
		status   int
		close    bool
	}{
		"length":  {"HTTP/1.1 200 OK\r\ncontent-LENGTH: 5\r\n\r\nhello", "hello", 200, false},
		"empty":   {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "", 200, true},
		"upgrade": {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "", 101, false},
		"chunked": {"HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", 400, false},
	} {
		t.Run(name, func(t *testing.T) {
			for cut := range len(c.in) {
				if _, n, err := ParseResponse([]byte(c.in[:cut])); n != 0 || err != nil {
					t.Fatalf("cut at %d: size %d, error %v; want 0, nil", cut, n, err)
				}
			}
			r, n, err := ParseResponse([]byte(c.in + "HTTP/1.1 next"))
			if err != nil || n != len(c.in) || string(r.Body) != c.body || r.Status != c.status || r.Close != c.close {
				t.Errorf("got %d %q close %v, size %d of %d, error %v", r.Status, r.Body, r.Close, n, len(c.in), err)
			}
		})
	}
}

func TestParseResponseRefuses(t *testing.T) {
	for _, in := range []string{
		"SSH-2.0-OpenSSH\r\n\r\n",
		"HTTP/1.1 abc\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
		strings.Repeat("x", 70<<10),
	} {
		if _, _, err := ParseResponse([]byte(in)); err == nil {
			t.Errorf("%.40q was accepted", in)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))
	f.Add([]byte{0x81, 0x05, 'h', 'e', 'l', 'l', 'o'})
	f.Fuzz(func(t *testing.T, b []byte) {
		if fr, n, err := ParseFrame(b); n > len(b) || (err != nil && n != 0) || len(fr.Payload) > n {
			t.Errorf("frame: size %d of %d, error %v", n, len(b), err)
		}
		c := bytes.Clone(b)
		if _, n, err := ParseResponse(c); n > len(b) || (err != nil && n != 0) {
			t.Errorf("response: size %d of %d, error %v", n, len(b), err)
		}
	})
}
