package engineio

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"github.com/puente-io/puente/server/engineio/engineiotest"
)

var deflating = Options{PerMessageDeflate: true}

// deflateClient is a WebSocket with permessage-deflate.
type deflateClient struct {
	net.Conn
	frames io.Reader
}

// dialDeflate opens a session, or upgrades one, and skips the open packet.
func dialDeflate(t testing.TB, e *endpoint, query string) *deflateClient {
	t.Helper()
	c, extensions := offerDeflate(t, e, query)
	if len(extensions) != 1 {
		t.Fatalf("extensions %v", extensions)
	}
	if !strings.Contains(query, "sid=") {
		c.read(t)
	}
	return c
}

func offerDeflate(t testing.TB, e *endpoint, query string) (*deflateClient, []httphead.Option) {
	t.Helper()
	d := ws.Dialer{Timeout: engineiotest.Wait, Extensions: []httphead.Option{wsflate.Parameters{}.Option()}}
	conn, r, answer, err := d.Dial(t.Context(), "ws"+strings.TrimPrefix(e.url, "http")+"?EIO=4&transport=websocket"+query)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(engineiotest.Wait))
	c := &deflateClient{conn, conn}
	if r != nil {
		c.frames = io.MultiReader(io.LimitReader(r, int64(r.Buffered())), conn)
	}
	return c, answer.Extensions
}

// read returns the next message, decompressed, and whether it came compressed.
func (c *deflateClient) read(t testing.TB) (message string, compressed bool) {
	t.Helper()
	f, err := ws.ReadFrame(c.frames)
	if err != nil {
		t.Fatal(err)
	}
	if f.Header.Rsv == 0 {
		return string(f.Payload), false
	}
	b, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(f.Payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
	if f.Header.Rsv != 4 || err != nil {
		t.Fatalf("%+v: %v", f.Header, err)
	}
	return string(b), true
}

// closeCode reads up to the close frame, and returns its status.
func (c *deflateClient) closeCode(t testing.TB) ws.StatusCode {
	t.Helper()
	for {
		f, err := ws.ReadFrame(c.frames)
		if err != nil {
			t.Fatal(err)
		}
		if f.Header.OpCode == ws.OpClose {
			code, _ := ws.ParseCloseFrameData(f.Payload)
			return code
		}
	}
}

// compressed compresses a message as a client does.
func compressed(message string) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 9)
	w.Write([]byte(message))
	w.Flush()
	return b.Bytes()[:b.Len()-4]
}

// compressedFrame is a clientFrame with RSV1.
func compressedFrame(op ws.OpCode, fin bool, payload []byte) []byte {
	f := ws.MaskFrame(ws.NewFrame(op, fin, payload))
	f.Header.Rsv = 4
	return ws.MustCompileFrame(f)
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

// Nobody gets an extension that they did not offer, or that is off.
func TestDeflateIsNegotiated(t *testing.T) {
	for _, tc := range []struct {
		opts  Options
		offer bool
		want  int
	}{{Options{}, true, 0}, {deflating, false, 0}, {deflating, true, 1}} {
		e := serve(t, tc.opts)
		if !tc.offer {
			_, _, answer, err := ws.Dialer{}.Dial(t.Context(), "ws"+strings.TrimPrefix(e.url, "http")+"?EIO=4&transport=websocket")
			if err != nil || len(answer.Extensions) != tc.want {
				t.Errorf("not offered: %v, %v", answer.Extensions, err)
			}
			continue
		}
		_, extensions := offerDeflate(t, e, "")
		if len(extensions) != tc.want {
			t.Errorf("on: %v: extensions %v", tc.opts.PerMessageDeflate, extensions)
		}
		if got := e.Mixed(); got != (tc.want > 0) {
			t.Errorf("on: %v: mixed %v", tc.opts.PerMessageDeflate, got)
		}
	}
	e := serve(t, deflating)
	header := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-WebSocket-Version": {"13"},
		"Sec-WebSocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-WebSocket-Extensions": {"permessage-deflate; x"},
	}
	if status, body, _ := request(t, "GET", e.url+"?EIO=4&transport=websocket", header, nil); status != 400 || body != errExtensions.Message {
		t.Errorf("an invalid offer: %d %q", status, body)
	}
	if n := e.places(); n != 0 {
		t.Errorf("it has taken %d places", n)
	}
}

// A message is compressed from the threshold on, with its type character, unless it is
// asked not to be or would not become smaller.
func TestDeflateThreshold(t *testing.T) {
	for _, tc := range []struct {
		name      string
		threshold int
		frame     Frame
		want      bool
	}{
		{"1,023 bytes", 0, TextFrame(bytes.Repeat([]byte("x"), 1022)), false},
		{"1,024 bytes", 0, TextFrame(bytes.Repeat([]byte("x"), 1023)), true},
		{"1,024 bytes, uncompressed", 0, TextFrame(bytes.Repeat([]byte("x"), 1023)).Uncompressed(), false},
		{"1,023 bytes, binary", 0, BinaryFrame(make([]byte, 1023)), false},
		{"1,024 bytes, binary", 0, BinaryFrame(make([]byte, 1024)), true},
		{"1 MB", 0, TextFrame(bytes.Repeat([]byte("x"), 1_000_000)), true},
		{"noise", 0, BinaryFrame(noise(5000)), false},
		{"99 bytes of 100", 100, TextFrame(bytes.Repeat([]byte("x"), 98)), false},
		{"100 bytes of 100", 100, TextFrame(bytes.Repeat([]byte("x"), 99)), true},
		{"20 bytes, all", -1, TextFrame(bytes.Repeat([]byte("x"), 20)), true},
		{"an empty message, all", -1, TextFrame(nil), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := serve(t, Options{PerMessageDeflate: true, PerMessageDeflateThreshold: tc.threshold})
			c := dialDeflate(t, e, "")
			s := e.next(t).session
			m := NewMessage(tc.frame)
			for name, send := range map[string]func(){
				"Send":        func() { s.Send(tc.frame) },
				"SendNow":     func() { s.SendNow(tc.frame) },
				"Add":         func() { e.Batch(func(b *Batch) { b.Add(s, m) }) },
				"AddVolatile": func() { e.Batch(func(b *Batch) { b.AddVolatile(s, m) }) },
			} {
				send()
				if got, is := c.read(t); got != string(tc.frame.payload()) || is != tc.want {
					t.Errorf("%s: %d bytes came, compressed %v", name, len(got), is)
				}
			}
			if !tc.want && &m.in(formDeflated, e.Server)[0].wire[0] != &tc.frame.wire[0] {
				t.Error("the frame was copied")
			}
		})
	}
}

// What is in the queue, and counted, is the compressed frame.
func TestDeflateQueueCountsItsBytes(t *testing.T) {
	e := serve(t, deflating)
	dialDeflate(t, e, "")
	s := e.next(t).session
	s.mu.Lock()
	s.inLine = true // nobody writes
	s.mu.Unlock()
	f := TextFrame(bytes.Repeat([]byte("x"), 100_000))
	e.Batch(func(b *Batch) { b.Add(s, NewMessage(f)) })
	s.mu.Lock()
	if got := s.queue.bytes; got == 0 || got > 1000 {
		t.Errorf("%d bytes are queued for a frame of %d", got, f.Len())
	}
	s.inLine = false
	s.mu.Unlock()
	s.scheduleFlush()
}

// A session takes compressed messages when a WebSocket that has the extension becomes
// its transport. Frames from before stay as they are.
func TestDeflateUpgrade(t *testing.T) {
	e := serve(t, deflating)
	url, r := open(t, e)
	large := strings.Repeat("x", 5000)
	r.session.Send(TextFrame([]byte(large)))
	if _, body, _ := request(t, "GET", url, nil, nil); body != "4"+large {
		t.Errorf("over polling: %.20q", body)
	}
	c := dialDeflate(t, e, "&sid="+r.session.ID())
	if r.session.form() != 0 {
		t.Error("a WebSocket that is probed has changed the form")
	}
	c.Write(clientFrame(ws.OpText, true, "2probe"))
	if got, _ := c.read(t); got != "3probe" {
		t.Fatalf("got %q", got)
	}
	r.session.Send(TextFrame([]byte(large)))
	c.Write(compressedFrame(ws.OpText, true, compressed("5")))
	if got, is := c.read(t); got != "4"+large || is {
		t.Errorf("queued before the upgrade: %d bytes, compressed %v", len(got), is)
	}
	r.session.Send(TextFrame([]byte(large)))
	if got, is := c.read(t); got != "4"+large || !is {
		t.Errorf("after the upgrade: %d bytes, compressed %v", len(got), is)
	}
}

// One message to sessions of every form is compressed once, for each of its contents.
func TestDeflateCompressesOnce(t *testing.T) {
	e := serve(t, deflating)
	text, binary := strings.Repeat("x", 5000), bytes.Repeat([]byte{1}, 5000)
	m := NewMessage(TextFrame([]byte(text)), BinaryFrame(binary))
	var clients []*deflateClient
	var sessions []*Session
	var forms Forms
	for range 3 {
		for _, query := range []string{"", "&b64=1"} {
			clients = append(clients, dialDeflate(t, e, query))
			sessions = append(sessions, e.next(t).session)
			forms |= sessions[len(sessions)-1].Form()
		}
	}
	plain, r := e.dial(t, false)
	sessions, forms = append(sessions, r.session), forms|r.session.Form()
	e.Build(m, forms)
	var all sync.WaitGroup
	for _, s := range sessions {
		all.Go(func() { e.Batch(func(b *Batch) { b.Add(s, m) }) })
	}
	all.Wait()
	for i, c := range clients {
		if got, is := c.read(t); got != "4"+text || !is {
			t.Errorf("client %d: %.20q, compressed %v", i, got, is)
		}
		if got, is := c.read(t); !is || strings.HasPrefix(got, "b") != (i%2 == 1) || i%2 == 0 && got != string(binary) {
			t.Errorf("client %d: %.20q, compressed %v", i, got, is)
		}
	}
	if plain.Text() != text || !bytes.Equal(plain.Next().Data, binary) {
		t.Error("the plain client")
	}
	// The text, the binary message, and that as text.
	if got := e.CompressionCounts(); got.Messages != 3 || got.BytesBefore < 15_000 || got.BytesAfter > 1000 {
		t.Errorf("counted %+v", got)
	}
}

// What Node answers is in compat/transcripts/websocket-deflate.txt; this is the rest.
func TestDeflateReads(t *testing.T) {
	limit := strings.Repeat("4", 1_000_000)
	for _, tc := range []struct {
		name   string
		in     []byte
		code   ws.StatusCode // 0: the message comes
		reason Reason
	}{
		{"as large as may be", compressedFrame(ws.OpText, true, compressed(limit)), 0, ""},
		{"too large", compressedFrame(ws.OpText, true, compressed(limit+"4")), 1009, ReasonTransportError},
		{"corrupt", compressedFrame(ws.OpText, true, []byte("not deflate")), 1007, ReasonTransportError},
		{"RSV1 on a ping", compressedFrame(ws.OpPing, true, nil), 1002, ReasonTransportError},
		{"not a packet", compressedFrame(ws.OpText, true, compressed("x")), 1005, ReasonParseError},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := serve(t, deflating)
			c := dialDeflate(t, e, "")
			r := e.next(t)
			c.Write(tc.in)
			if tc.code == 0 {
				if got := r.message(t); got != limit[1:] {
					t.Errorf("%d bytes came", len(got))
				}
				return
			}
			if code, reason := c.closeCode(t), r.reason(t); code != tc.code && !(code == 0 && tc.code == 1005) || reason != tc.reason {
				t.Errorf("closed with %d, %s", code, reason)
			}
		})
	}
}

// 800 KB that would be 800 MB end their sender's connection, and take less than twice the
// memory of a message that is allowed: in one frame, with all that becomes garbage, and
// in a thousand fragments.
func TestDeflateBombs(t *testing.T) {
	const limit = 1_000_000
	bomb := bytes.Repeat(append(compressed(strings.Repeat("4", 1<<20)), 0, 0, 0xff, 0xff), 1024)
	bomb = bomb[:800_000]
	allocated := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.TotalAlloc
	}
	for _, fragments := range []int{1, 1000} {
		e := serve(t, deflating)
		c := dialDeflate(t, e, "")
		r := e.next(t)
		last := compressedFrame(ws.OpText, true, bomb)
		var held uint64
		if fragments > 1 {
			before, op := heap(), ws.OpText
			size := len(bomb) / fragments
			for i := range fragments - 1 {
				frame := compressedFrame
				if i > 0 {
					frame, op = func(op ws.OpCode, fin bool, p []byte) []byte { return clientFrame(op, fin, string(p)) }, ws.OpContinuation
				}
				c.Write(frame(op, false, bomb[i*size:(i+1)*size]))
			}
			last = clientFrame(ws.OpContinuation, true, string(bomb[(fragments-1)*size:]))
			c.Write(clientFrame(ws.OpPing, true, "read?"))
			if got, _ := c.read(t); got != "read?" {
				t.Fatalf("got %.20q", got)
			}
			held = heap() - before
		}
		before := allocated()
		c.Write(last)
		if code := c.closeCode(t); code != 1009 {
			t.Errorf("closed with %d", code)
		}
		grown := allocated() - before
		t.Logf("%d fragments: %d bytes held, %d allocated", fragments, held, grown)
		if held+grown > 2*limit && !raceEnabled { // which throws pooled buffers away
			t.Errorf("%d fragments: %d bytes were held, and then %d allocated", fragments, held, grown)
		}
		if got := r.reason(t); got != ReasonTransportError || e.LimitCounts().MessageBytes != 1 {
			t.Errorf("%s, %d counted", got, e.LimitCounts().MessageBytes)
		}
	}
}

// The bound that a handler may raise holds for the decompressed message. While it is
// asked, others can decompress.
func TestDeflateLargeMessage(t *testing.T) {
	e := serve(t, Options{PerMessageDeflate: true, MaxHTTPBufferSize: 100_000})
	asked, answer := make(chan int, 100), make(chan int)
	e.accept = func(s *Session, r *http.Request) Handler {
		rec := newRecorder(s, false)
		e.sessions <- rec
		if r.URL.Query().Get("small") != "" {
			s.SetMaxMessageBytes(100)
		}
		return &asking{rec, asked, answer}
	}
	large := strings.Repeat("x", 50_000)
	frame := compressedFrame(ws.OpText, true, compressed("4"+large))
	const clients = 20 // more than there are decompressors
	var rs []*recorder
	var cs []*deflateClient
	for range clients {
		cs = append(cs, dialDeflate(t, e, "&small=1"))
		rs = append(rs, e.next(t))
		cs[len(cs)-1].Write(frame)
	}
	for range clients {
		receive(t, asked, "the question")
	}
	dialDeflate(t, e, "").Write(frame)
	if got := e.next(t).message(t); got != large {
		t.Errorf("%d bytes came", len(got))
	}
	for i := range clients { // half of the sessions may
		answer <- 1 + 99_999*(i%2)
	}
	came := 0
	for i, r := range rs {
		select {
		case got := <-r.messages:
			came++
			if got != large {
				t.Errorf("%d bytes came", len(got))
			}
		case <-r.closed:
			if code := cs[i].closeCode(t); code != 1009 {
				t.Errorf("closed with %d", code)
			}
		case <-time.After(engineiotest.Wait):
			t.Fatal("neither a message nor the end")
		}
	}
	if came != clients/2 {
		t.Errorf("%d messages came", came)
	}
}

// asking is a handler that asks the test for the bound.
type asking struct {
	*recorder
	asked  chan<- int
	answer <-chan int
}

func (a *asking) HandleLargeMessage(s *Session) {
	a.asked <- 1
	s.SetMaxMessageBytes(<-a.answer)
}

// What comes when the session has ended is not decompressed.
func TestDeflateNothingAfterTheEnd(t *testing.T) {
	c := &websocketConn{session: &Session{}}
	c.state.Store(uint32(connLingering))
	if p, v := c.Decompress([]byte("x")); p != nil || v != nil {
		t.Errorf("got %q, %v", p, v)
	}
}

// FuzzDeflateReads: no frames of a client do more than end its session, and what a
// message becomes is what the standard library makes of it.
func FuzzDeflateReads(f *testing.F) {
	f.Add(compressed("4hello"), uint8(0))
	f.Add(compressed("4"+strings.Repeat("x", 3000)), uint8(3))
	f.Add([]byte("not deflate"), uint8(1))
	f.Add(bytes.Repeat(append(compressed(strings.Repeat("4", 5000)), 0, 0, 0xff, 0xff), 3), uint8(200))
	opts := Options{PerMessageDeflate: true, MaxHTTPBufferSize: 10_000}
	srv := New(opts, acceptFuncs(HandlerFuncs{}))
	f.Cleanup(func() { shut(f, srv) })
	f.Fuzz(func(t *testing.T, message []byte, cut uint8) {
		n := min(int(cut), len(message))
		in := join(compressedFrame(ws.OpBinary, false, message[:n]), clientFrame(ws.OpContinuation, true, string(message[n:])))
		var got []byte
		var end error
		h := HandlerFuncs{
			Message: func(_ *Session, data []byte, _ bool) { got = bytes.Clone(data) },
			Close:   func(_ *Session, _ Reason, err error) { end = err },
		}
		c := &websocketConn{link: nowhere{}}
		p, _ := srv.enterSession(httptest.NewRequest("GET", "/", nil))
		c.session = &Session{server: srv, handler: h, ws: c, from: p.take(), queue: queue{held: &srv.backlog.held}}
		defer func() {
			c.session.finish(ending{event: eventBroken})
			c.free()
		}()
		c.state.Store(uint32(connOpen))
		c.reader.Compression = true
		c.HandleRead(in)
		wrong := end
		want, err := io.ReadAll(io.LimitReader(flate.NewReader(bufio.NewReader(io.MultiReader(bytes.NewReader(message), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))), 10_001))
		if ok := err == nil && len(want) <= 10_000 && len(message) <= 10_000; ok != (wrong == nil) || ok && !bytes.Equal(got, want) {
			t.Errorf("got %d bytes and %v, want %d and %v", len(got), wrong, len(want), err)
		}
	})
}

// nowhere is a link that takes everything.
type nowhere struct{}

func (nowhere) Start() error                 { return nil }
func (nowhere) Write([]byte) ([]byte, error) { return nil, nil }
func (nowhere) AwaitWritable(bool) error     { return nil }
func (nowhere) Unacked() (int, bool)         { return 0, false }
func (nowhere) CloseWrite()                  {}
func (nowhere) Shutdown()                    {}
func (nowhere) Close()                       {}

// What 1,000 silent WebSockets with the extension hold, after a compressed message each
// way; compare BenchmarkIdleSession/none.
func BenchmarkIdleDeflateSession(b *testing.B) {
	for name, opts := range map[string]Options{"plain": {}, "deflate": deflating} {
		b.Run(name, func(b *testing.B) {
			const sessions = 1000
			opts.Context = func(*http.Request) context.Context { return nil }
			message := "4" + strings.Repeat("x", 2000)
			frame := clientFrame(ws.OpText, true, message)
			if opts.PerMessageDeflate {
				frame = compressedFrame(ws.OpText, true, compressed(message))
			}
			for b.Loop() {
				e := serve(b, opts)
				e.accept = acceptFuncs(HandlerFuncs{Message: func(s *Session, data []byte, _ bool) { s.SendNow(TextFrame(data)) }})
				var before uint64
				conns := make([]*deflateClient, sessions+1)
				for i := range conns {
					c, _ := offerDeflate(b, e, "")
					c.read(b)
					c.Write(frame)
					if got, is := c.read(b); got != message || is != opts.PerMessageDeflate {
						b.Fatalf("%d bytes, compressed %v", len(got), is)
					}
					if conns[i] = c; i == 0 {
						before = heap()
					}
				}
				b.ReportMetric(float64(heap()-before)/sessions, "B/session")
				for _, c := range conns {
					c.Close()
				}
			}
		})
	}
}
