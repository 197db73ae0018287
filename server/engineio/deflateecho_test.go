package engineio

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/klauspost/compress/flate"

	"github.com/puente-io/puente/server/engineio/engineiotest"
)

const forgets = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// echoOffers are offers with our answers, and the bits of the window in which the client
// then compresses; 0 if it does not. They are those of Autobahn's cases 12.* and 13.1 to
// 13.7, then some with a window for the client.
var echoOffers = []struct {
	offer, answer string
	window        int
}{
	{"permessage-deflate", forgets, 15},
	{"permessage-deflate; client_max_window_bits", forgets, 15},
	{"permessage-deflate; client_max_window_bits; server_no_context_takeover", forgets, 15},
	{"permessage-deflate; client_max_window_bits; server_max_window_bits=9", "", 0},
	{"permessage-deflate; client_max_window_bits; server_max_window_bits=15",
		"permessage-deflate; server_max_window_bits=15; server_no_context_takeover; client_no_context_takeover", 15},
	{"permessage-deflate; client_max_window_bits; server_no_context_takeover; server_max_window_bits=9", "", 0},
	{"permessage-deflate; client_max_window_bits; server_no_context_takeover; server_max_window_bits=15",
		"permessage-deflate; server_no_context_takeover; server_max_window_bits=15; client_no_context_takeover", 15},
	{"permessage-deflate; client_max_window_bits; server_no_context_takeover; server_max_window_bits=9, " +
		"permessage-deflate; client_max_window_bits; server_no_context_takeover, permessage-deflate; client_max_window_bits", forgets, 15},
	{"permessage-deflate; client_max_window_bits=9", "permessage-deflate; client_max_window_bits=9; server_no_context_takeover; client_no_context_takeover", 9},
	{"permessage-deflate; client_max_window_bits=15", "permessage-deflate; client_max_window_bits=15; server_no_context_takeover; client_no_context_takeover", 15},
	{"permessage-deflate; client_no_context_takeover; client_max_window_bits=9; server_max_window_bits=15",
		"permessage-deflate; client_no_context_takeover; client_max_window_bits=9; server_max_window_bits=15; server_no_context_takeover", 9},
}

// echoSizes are Autobahn's sizes of a message, and of the fragments that a client makes of
// the compressed one; 0 is one frame.
var echoSizes = []struct{ message, fragment int }{
	{16, 0}, {64, 0}, {256, 0}, {1024, 0}, {4096, 0}, {8192, 0}, {16384, 0}, {32768, 0}, {65536, 0}, {131072, 0},
	{8192, 256}, {16384, 256}, {32768, 256}, {65536, 256}, {131072, 256}, {131072, 1024}, {131072, 4096}, {131072, 32768},
}

// echoTexts returns JSON that is not only ASCII, of n bytes.
func echoTexts(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b []byte
	for len(b) < n {
		b = fmt.Appendf(b, `{"id":%d,"town":"%s"},`, r.IntN(1e6), []string{"Córdoba", "Łódź", "東京", "Ulm"}[r.IntN(4)])
	}
	return b[:n]
}

// echoBytes returns n bytes of which half can be compressed.
func echoBytes(n int) []byte {
	b := noise(n)
	for i := range b {
		if i/64%2 == 0 {
			b[i] = 0
		}
	}
	return b
}

// echoCompressor compresses messages by themselves, in a window.
type echoCompressor struct {
	out bytes.Buffer
	w   *flate.Writer
}

func newEchoCompressor(t *testing.T, bits int) *echoCompressor {
	c := new(echoCompressor)
	var err error
	if c.w, err = flate.NewWriterWindow(&c.out, 1<<bits); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *echoCompressor) compress(message []byte) []byte {
	c.out.Reset()
	c.w.Reset(&c.out)
	c.w.Write(message)
	c.w.Flush()
	return bytes.TrimSuffix(c.out.Bytes(), []byte{0, 0, 0xff, 0xff})
}

// fragments returns the frames of a message, of at most size bytes each, or one frame if
// size is 0.
func fragments(op ws.OpCode, compressed bool, payload []byte, size int) (frames []byte) {
	if size == 0 {
		size = len(payload)
	}
	for first := true; ; first, op = false, ws.OpContinuation {
		n := min(size, len(payload))
		frame := clientFrame
		if first && compressed {
			frame = func(op ws.OpCode, fin bool, p string) []byte { return compressedFrame(op, fin, []byte(p)) }
		}
		frames = append(frames, frame(op, n == len(payload), string(payload[:n]))...)
		if payload = payload[n:]; len(payload) == 0 {
			return frames
		}
	}
}

// dialOffer opens a WebSocket session with an offer of extensions, skips the open packet,
// and returns the server's answer.
func dialOffer(t *testing.T, e *endpoint, offer string) (c *deflateClient, answer string) {
	t.Helper()
	host := strings.TrimPrefix(e.url, "http://")
	host, path, _ := strings.Cut(host, "/")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(engineiotest.Wait))
	fmt.Fprintf(conn, "GET /%s?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: %s\r\n\r\n", path, host, offer)
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%+v, %v", resp, err)
	}
	c = &deflateClient{conn, r}
	c.read(t)
	return c, resp.Header.Get("Sec-WebSocket-Extensions")
}

// Messages of every size, text and binary, in one frame and fragmented, come back as they
// were, for every offer, as in Autobahn's cases 12.* and 13.*, which send a thousand of each.
// Here are twenty of the small ones and fewer of the large: no message depends on another. If we decline an offer, because a message
// must be valid for all clients, nothing is compressed.
func TestDeflateEcho(t *testing.T) {
	e := serve(t, Options{PerMessageDeflate: true, PerMessageDeflateThreshold: -1, PingInterval: time.Hour})
	e.accept = acceptFuncs(HandlerFuncs{Message: func(s *Session, data []byte, binary bool) {
		f := TextFrame
		if binary {
			f = BinaryFrame
		}
		if err := s.Send(f(bytes.Clone(data))); err != nil {
			t.Error(err)
		}
	}})
	const largest = 131072
	texts, binaries := echoTexts(2*largest), echoBytes(2*largest)
	for _, o := range echoOffers {
		t.Run(o.offer, func(t *testing.T) {
			c, answer := dialOffer(t, e, o.offer)
			if answer != o.answer {
				t.Fatalf("answered %q, want %q", answer, o.answer)
			}
			var z *echoCompressor
			if o.window > 0 {
				z = newEchoCompressor(t, o.window)
			}
			for _, size := range echoSizes {
				for i := range min(20, max(1, 16384/size.message)) {
					text := "4" + strings.ToValidUTF8(string(texts[i*1009:][:size.message-1]), "?") // cut within a character
					text += strings.Repeat("?", size.message-len(text))
					c.echo(t, z, ws.OpText, []byte(text), size.fragment)
					c.echo(t, z, ws.OpBinary, binaries[i*1009:][:size.message], size.fragment)
				}
			}
		})
	}
}

// echo sends a message, in fragments of at most so many bytes, and expects it back.
func (c *deflateClient) echo(t *testing.T, z *echoCompressor, op ws.OpCode, message []byte, fragment int) {
	t.Helper()
	c.SetDeadline(time.Now().Add(engineiotest.Wait))
	payload := message
	if z != nil {
		payload = z.compress(message)
	}
	if _, err := c.Write(fragments(op, z != nil, payload, fragment)); err != nil {
		t.Fatal(err)
	}
	got, compressed := c.read(t)
	if got != string(message) {
		t.Fatalf("opcode %d: %d bytes came back of %d in fragments of %d", op, len(got), len(message), fragment)
	}
	if compressed && z == nil || !compressed && z != nil && len(message) > 256 {
		t.Fatalf("opcode %d, %d bytes: compressed %v", op, len(message), compressed)
	}
}
