package engineio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/waittest"
)

// quiet is an endpoint whose sessions do not echo.
func quiet(t testing.TB, opts Options, overTLS bool) *endpoint {
	e := serveOn(t, opts, overTLS)
	e.accept = accepting(e.sessions)
	return e
}

// A tight loop of sends to clients that read is slowed down, so their queues do not
// overflow, and everything arrives in order.
func TestBackpressure(t *testing.T) {
	for _, overTLS := range []bool{false, true} {
		frames, clients := 20_000, 50
		if testing.Short() || raceEnabled {
			frames, clients = 5000, 10
		}
		if overTLS {
			clients = 5
		}
		e := quiet(t, Options{MaxQueueBytes: 64 << 10}, overTLS)
		var readers sync.WaitGroup
		var all []*Session
		for range clients {
			c, r := e.dial(t, false)
			all = append(all, r.session)
			readers.Go(func() {
				for i := range frames {
					m, err := c.Receive()
					if err != nil || len(m.Data) != 40 || int(binary.BigEndian.Uint32(m.Data)) != i {
						t.Errorf("TLS %v: message %d is %q, %v", overTLS, i, m.Data, err)
						return
					}
				}
			})
		}
		for i := range frames {
			b := make([]byte, 40)
			binary.BigEndian.PutUint32(b, uint32(i))
			f := BinaryFrame(b)
			for _, s := range all {
				enqueue(s, f)
			}
			e.flush()
		}
		readers.Wait()
	}
}

// A client that stops reading is cut off with a reason, and nobody waits for it.
func TestSlowConsumer(t *testing.T) {
	for _, overTLS := range []bool{false, true} {
		e := quiet(t, Options{MaxBacklogBytes: 4 << 20, SlowTimeout: time.Second}, overTLS)
		good, goodEnd := e.dial(t, false)
		c, slow := e.dial(t, false)
		c.StopReading()
		payload := bytes.Repeat([]byte("x"), 32<<10)
		sent := 0
		for i := 0; slow.session.Open(); i++ {
			if i > 10_000 {
				t.Fatal("the queue has no bound")
			}
			slow.session.Send(TextFrame(payload))
			goodEnd.session.Send(TextFrame([]byte(strconv.Itoa(i))))
			sent++
		}
		if got := slow.reason(t); got != ReasonSlowConsumer {
			t.Errorf("reason %q", got)
		}
		for i := range sent {
			if got := good.Text(); got != strconv.Itoa(i) {
				t.Fatalf("the good client got %q for message %d", got, i)
			}
		}
		if err := slow.session.Send(TextFrame(payload)); err != ErrClosed {
			t.Errorf("Send after the end: %v", err)
		}
	}
}

// The send that goes beyond the bound is taken, whatever its size.
func TestQueueBound(t *testing.T) {
	e := quiet(t, Options{MaxBacklogBytes: 1000}, false)
	url, r := open(t, e)
	big := TextFrame(bytes.Repeat([]byte("x"), 5000))
	if err := enqueue(r.session, TextFrame([]byte("a"))); err != nil {
		t.Error(err)
	}
	if err := enqueue(r.session, big, big); err != nil {
		t.Errorf("beyond the bound: %v", err)
	}
	if _, body, _ := request(t, "GET", url, nil, nil); len(body) != 2+2*5002 {
		t.Errorf("the poll brought %d bytes", len(body))
	}
	enqueue(r.session, big)
	if err := r.session.Send(big); err != ErrSlowConsumer {
		t.Errorf("over the bound: %v", err)
	}
	if got := r.reason(t); got != ReasonSlowConsumer {
		t.Errorf("reason %q", got)
	}
}

func TestVolatile(t *testing.T) {
	e := quiet(t, Options{MaxQueueBytes: 64 << 20}, false)
	f := TextFrame([]byte("v"))

	c, r := e.dial(t, false)
	if !r.session.putVolatile([]Frame{f}) {
		t.Error("dropped although the client takes it")
	}
	e.flush()
	if got := c.Text(); got != "v" {
		t.Errorf("got %q", got)
	}
	c.StopReading()
	big := TextFrame(bytes.Repeat([]byte("x"), 1<<20))
	waittest.Until(t, "the client's buffers are full", func() bool {
		r.session.Send(big)
		r.session.mu.Lock()
		defer r.session.mu.Unlock()
		return r.session.ws.writer == writerBlocked
	})
	if r.session.putVolatile([]Frame{f}) {
		t.Error("queued to a client that does not read")
	}
	r.session.Close()
	if r.session.putVolatile([]Frame{f}) {
		t.Error("queued to a session that is closed")
	}

	url, r := open(t, e)
	if r.session.putVolatile([]Frame{f}) {
		t.Error("queued although no poll waits")
	}
	got := make(chan string)
	go func() { _, body, _ := request(t, "GET", url, nil, nil); got <- body }()
	waitForPoll(t, r.session)
	if !r.session.putVolatile([]Frame{f}) {
		t.Error("dropped although a poll waits")
	}
	if body := receive(t, got, "the poll's answer"); body != "4v" {
		t.Errorf("the poll brought %q", body)
	}
}

// A session that has much to write goes back to the end of the flusher's line after its
// turn, so that one publisher that never pauses does not delay other sessions.
func TestFlusherIsFair(t *testing.T) {
	e := quiet(t, Options{}, false)
	_, r := e.dial(t, false)
	s := r.session
	waittest.Until(t, "the open packet is written", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.queue.empty() && s.ws.writer == writerIdle && !s.inLine
	})
	e.flusher.mu.Lock()
	e.flusher.limit = 0 // this goroutine is the flusher's
	e.flusher.mu.Unlock()
	for range 100 {
		enqueue(s, TextFrame(make([]byte, 5000)))
	}
	e.flusher.mu.Lock()
	e.flusher.head, e.flusher.tail = nil, nil
	e.flusher.mu.Unlock()
	s.flush(true)
	s.mu.Lock()
	left, again := s.queue.bytes, s.inLine
	s.mu.Unlock()
	e.flusher.mu.Lock()
	again = again && e.flusher.head == s
	e.flusher.limit = 1
	e.flusher.mu.Unlock()
	if left == 0 || left > 500_000-turn*chunkSize/2 || !again {
		t.Errorf("after a turn %d of 500,000 bytes are left, in line again: %v", left, again)
	}
	e.flush()
}

// A write to a session that is in the line already does not put it there again: the line
// is a list that is linked through the sessions, and it would lose those behind it.
func TestInLineOnce(t *testing.T) {
	e := quiet(t, Options{}, false)
	_, first := e.dial(t, false)
	other, second := e.dial(t, false)
	for _, s := range []*Session{first.session, second.session} {
		waittest.Until(t, "the open packet is written", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.queue.empty() && s.ws.writer == writerIdle && !s.inLine
		})
	}
	e.flusher.mu.Lock()
	e.flusher.limit = 0 // nobody works on the line
	e.flusher.mu.Unlock()
	for range 100 {
		enqueue(first.session, TextFrame(make([]byte, 5000)))
	}
	enqueue(second.session, TextFrame([]byte("x")))
	first.session.flush(false)                 // for a turn
	e.flusher.push(&Session{server: e.Server}) // behind first, if first were in the line again
	e.flusher.mu.Lock()
	n := 0
	for s := e.flusher.head; s != nil && n < 10; s = s.nextFlush {
		n++
	}
	e.flusher.limit = 1
	e.flusher.mu.Unlock()
	if n != 3 {
		t.Errorf("%d sessions are in line, want 3", n)
	}
	e.flush()
	if got := other.Text(); got != "x" {
		t.Errorf("the other got %q", got)
	}
}

// If a session's turn ends while the server is being closed, when no goroutine may be
// started any more, the session still gets its close frame, and Close returns.
func TestTurnEndsOnClosedServer(t *testing.T) {
	e := quiet(t, Options{}, false)
	conn := rawWebSocket(t, e, "")
	s := e.next(t).session
	waittest.Until(t, "the open packet is written", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.queue.empty() || s.ws.writer != writerIdle || s.inLine {
			return false
		}
		s.ws.writer = writerBusy // by this goroutine
		return true
	})
	closed := make(chan struct{})
	go func() { shut(t, e.Server); close(closed) }()
	waittest.Until(t, "no goroutine is started", func() bool {
		e.mu.RLock()
		defer e.mu.RUnlock()
		return e.closed
	})
	s.ws.writeLater()
	conn.SetReadDeadline(time.Now().Add(engineiotest.Wait))
	for {
		f, err := ws.ReadFrame(conn)
		if err != nil {
			t.Fatal(err)
		}
		if f.Header.OpCode == ws.OpClose {
			break
		}
	}
	receive(t, closed, "the end of Close")
}

// A connection that ends while its session is in line is forgotten.
func TestGoneInLine(t *testing.T) {
	e := quiet(t, Options{}, false)
	c, r := e.dial(t, false)
	waittest.Until(t, "the open packet is written", func() bool {
		r.session.mu.Lock()
		defer r.session.mu.Unlock()
		return r.session.queue.empty() && r.session.ws.writer == writerIdle && !r.session.inLine
	})
	e.flusher.mu.Lock()
	e.flusher.limit = 0 // nobody works on the line
	e.flusher.mu.Unlock()
	enqueue(r.session, TextFrame([]byte("x")))
	c.Break()
	r.reason(t)
	e.goroutines.Wait() // for the connection
	e.flusher.mu.Lock()
	e.flusher.limit = 1
	e.flusher.mu.Unlock()
	e.flusher.wake()
	waittest.Until(t, "the flusher has seen it", func() bool {
		r.session.mu.Lock()
		defer r.session.mu.Unlock()
		return !r.session.inLine && r.session.ws.writer == writerIdle
	})
	e.mu.RLock()
	defer e.mu.RUnlock()
	if len(e.lingering) != 0 {
		t.Error("the session is still in the line")
	}
}

// Publishers that wait for a session are released when it ends, for any reason, and when
// it can take more.
func TestCrowdEnds(t *testing.T) {
	for name, end := range map[string]func(*endpoint, *engineiotest.Conn, *Session){
		"flush":   func(e *endpoint, _ *engineiotest.Conn, _ *Session) { e.flusher.wake() },
		"now":     func(_ *endpoint, _ *engineiotest.Conn, s *Session) { s.flush(false) },
		"close":   func(_ *endpoint, _ *engineiotest.Conn, s *Session) { s.Close() },
		"at once": func(_ *endpoint, _ *engineiotest.Conn, s *Session) { s.overrun() },
		"gone":    func(_ *endpoint, c *engineiotest.Conn, _ *Session) { c.Break() },
		"blocked": func(e *endpoint, c *engineiotest.Conn, s *Session) {
			c.StopReading()
			for range 300 { // more than the buffers of both sides take
				s.mu.Lock()
				s.queue.push(TextFrame(make([]byte, 100_000)))
				s.mu.Unlock()
			}
			e.flusher.wake()
		},
	} {
		for _, overTLS := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				e := quiet(t, Options{}, overTLS)
				c, r := e.dial(t, false)
				enqueue(r.session, TextFrame(make([]byte, 600_000)))
				e.flusher.mu.Lock()
				crowded := e.flusher.crowded
				e.flusher.mu.Unlock()
				if crowded != 1 {
					t.Fatalf("%d sessions are crowded, want 1", crowded)
				}
				end(e, c, r.session)
				free := make(chan struct{})
				go func() { e.flusher.wait(); close(free) }()
				receive(t, free, "the relief")
			})
		}
	}
}

// Many goroutines send in all three ways while sessions close, break and stop reading.
// The flusher's count of crowded sessions returns to zero, which shut checks, and no
// goroutine hangs.
func TestChaos(t *testing.T) {
	e := serve(t, Options{MaxQueueBytes: 16 << 10})
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	var wg sync.WaitGroup
	for i := range rounds {
		c, r := e.dial(t, i%3 == 0)
		f := TextFrame([]byte(strings.Repeat("x", 100+i*50)))
		for way := range 3 {
			wg.Go(func() {
				for range 200 {
					switch way {
					case 0:
						r.session.Send(f)
					case 1:
						r.session.SendNow(f)
					case 2:
						enqueue(r.session, f)
						r.session.putVolatile([]Frame{f})
						e.flush()
					}
				}
			})
		}
		wg.Go(func() {
			switch i % 6 {
			case 0:
				r.session.Close()
			case 1:
				c.Break()
			case 2:
				c.StopReading()
			case 3: // a connection that sends nothing
				conn, err := net.Dial("tcp", strings.Split(e.url, "/")[2])
				if err == nil {
					conn.Close()
				}
			case 4:
				c.Close()
			case 5:
				r.session.CloseWithReason(ReasonShutdown, nil)
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(engineiotest.Wait):
		t.Fatal("a goroutine hangs")
	}
}

// HandleClose may send. It must not stop the flusher, on whose goroutine it runs if the
// flusher finds that a connection is broken.
func TestSendInHandleClose(t *testing.T) {
	e := serve(t, Options{MaxQueueBytes: 16 << 10})
	e.flusher.limit = 1
	c, r := e.dial(t, false)
	victim, v := e.dial(t, false)
	handled := make(chan struct{})
	v.session.mu.Lock()
	v.session.handler = HandlerFuncs{Close: func(*Session, Reason, error) {
		for range 1000 {
			r.session.Send(TextFrame(make([]byte, 1000)))
		}
		close(handled)
	}}
	v.session.mu.Unlock()
	victim.Break()
	for v.session.Open() {
		v.session.Send(TextFrame([]byte("x")))
	}
	receive(t, handled, "the end of the handler")
	for range 1000 {
		c.Text()
	}
}

// A queue that is never empty does not grow without limit.
func TestQueueForgets(t *testing.T) {
	q := queue{frames: new([]Frame)} // not a pooled slice, which an earlier test may have grown
	f := TextFrame([]byte("x"))
	q.push(f, f)
	buf := make([]byte, 0, f.Len()) // for one frame
	for range 100_000 {
		q.push(f)
		if packed, _ := q.pack(buf); len(packed) != f.Len() {
			t.Fatalf("packed %d bytes", len(packed))
		}
	}
	if n := cap(*q.frames); n > 256 {
		t.Errorf("the queue has room for %d frames and holds 2", n)
	}
	if len(q.all()) != 2 || q.bytes != 2*f.Len() {
		t.Errorf("%d frames, %d bytes", len(q.all()), q.bytes)
	}
	if _, large := q.pack(make([]byte, 0, 1)); large.Len() != f.Len() {
		t.Errorf("a large frame came as %d bytes", large.Len())
	}
}

// Fragmented messages with control frames between the fragments arrive in order.
func TestInterleavedFrames(t *testing.T) {
	e := serve(t, Options{})
	c, _ := e.dial(t, false)
	for i := range 100 {
		c.WriteRaw(join(
			clientFrame(ws.OpText, false, "4"), clientFrame(ws.OpPing, true, "p"),
			clientFrame(ws.OpContinuation, true, strconv.Itoa(i))))
	}
	for i := range 100 {
		if got := c.Text(); got != strconv.Itoa(i) {
			t.Fatalf("got %q for message %d", got, i)
		}
	}
}

// readMessages reads n messages of the given size, each filled with its number, from a
// client that has not read yet.
func readMessages(t *testing.T, conn net.Conn, n, size int) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(engineiotest.Wait))
	in := bufio.NewReader(conn)
	for i := 0; i < n; {
		f, err := ws.ReadFrame(in)
		if err != nil {
			t.Fatalf("message %d of %d: %v", i, n, err)
		}
		if f.Header.OpCode != ws.OpBinary {
			continue // the open packet
		}
		if len(f.Payload) != size || bytes.Count(f.Payload, []byte{byte(i)}) != size {
			t.Fatalf("message %d of %d has %d bytes, or another's", i, n, len(f.Payload))
		}
		i++
	}
}

func numbered(n, size int) (frames []Frame) {
	for i := range n {
		frames = append(frames, BinaryFrame(bytes.Repeat([]byte{byte(i)}, size)))
	}
	return frames
}

// A write that the client does not take goes on from the same byte when the client reads
// again, even if that happens several times on one connection.
func TestWriteGoesOn(t *testing.T) {
	const n, size = 200, 100_000 // more than the buffers of both sides take
	e := quiet(t, Options{MaxQueueBytes: 4 * n * size}, false)
	conn := rawWebSocket(t, e, "")
	r := e.next(t)
	blocked := func() bool {
		r.session.mu.Lock()
		defer r.session.mu.Unlock()
		return r.session.ws.writer == writerBlocked
	}
	for range 3 {
		for _, f := range numbered(n, size) {
			r.session.Send(f)
		}
		waittest.Until(t, "the client's buffers are full", blocked)
		readMessages(t, conn, n, size)
		waittest.Until(t, "all is written", func() bool { return !blocked() })
	}
}

// More than the client takes at once may be sent to a session before the server reads
// from it for the first time.
func TestWriteBlocksBeforeTheFirstRead(t *testing.T) {
	const n, size = 200, 100_000 // more than the buffers of both sides take
	e := quiet(t, Options{MaxQueueBytes: 2 * n * size}, false)
	accept := e.accept
	e.accept = func(s *Session, r *http.Request) Handler {
		for _, f := range numbered(n, size) {
			enqueue(s, f)
		}
		return accept(s, r)
	}
	conn := rawWebSocket(t, e, "")
	readMessages(t, conn, n, size)
}

// What clients have not taken of a large frame is kept once for all of them, and
// not copied each time that they take a little.
func TestBlockedClientsShareTheFrame(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("a goroutine of its own writes, and holds the frame")
	}
	const size = 20 << 20 // more than the buffers of both sides take
	e := quiet(t, Options{}, false)
	f := BinaryFrame(make([]byte, size))
	for range 3 {
		rawWebSocket(t, e, "")
		s := e.next(t).session
		s.Send(f)
		waittest.Until(t, "the client's buffers are full", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.ws.writer == writerBlocked
		})
		s.mu.Lock()
		rest := s.ws.rest
		s.mu.Unlock()
		if &rest[len(rest)-1] != &f.wire[len(f.wire)-1] {
			t.Errorf("a copy of %d bytes is kept", len(rest))
		}
	}
}
