package engineio

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/puente-io/puente/server/engineio/packet"
	"github.com/puente-io/puente/server/waittest"
)

// numberedText makes n text frames of the given size, which begin with their number.
func numberedText(n, size int) (frames []Frame) {
	for i := range n {
		text := fmt.Sprintf("%06d", i)
		frames = append(frames, TextFrame([]byte(text+strings.Repeat("x", size-len(text)))))
	}
	return frames
}

// inOrder checks packets that numberedText has made, from the given number on, and
// returns the next number.
func inOrder(t *testing.T, packets []string, from, size int) int {
	t.Helper()
	for _, p := range packets {
		if len(p) != 1+size || !strings.HasPrefix(p, fmt.Sprintf("4%06d", from)) {
			t.Fatalf("message %d is %.20q, of %d bytes", from, p, len(p))
		}
		from++
	}
	return from
}

// fetch polls until n messages have come.
func fetch(t *testing.T, srv *Server, sid string, n, size int) {
	t.Helper()
	for got := 0; got < n; {
		status, body := pollOnce(srv, "GET", sid, "")
		if status != 200 || len(body) > maxPayload+size+1 {
			t.Fatalf("after %d messages: %d, %d bytes", got, status, len(body))
		}
		got = inOrder(t, strings.Split(body, "\x1e"), got, size)
	}
}

// A burst of more than MaxQueueBytes arrives completely, whether the client is between
// two polls or has a poll waiting. The publisher does not wait for long.
func TestBurstBetweenPolls(t *testing.T) {
	const n, size = 300, 12_000
	for _, waiting := range []bool{false, true} {
		inBubble(t, Options{}, func(t *testing.T, srv *Server, sessions chan *recorder) {
			pollOnce(srv, "GET", "", "")
			r := <-sessions
			bodies := make(chan string, 1)
			if waiting {
				go func() {
					_, body := pollOnce(srv, "GET", r.session.ID(), "")
					bodies <- body
				}()
				synctest.Wait()
			}
			frames := numberedText(n, size)
			start := time.Now()
			for _, f := range frames {
				if err := r.session.Send(f); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("the publisher waited %v", took)
			}
			from := 0
			if waiting {
				from = inOrder(t, strings.Split(<-bodies, "\x1e"), 0, size)
			}
			for from < n {
				_, body := pollOnce(srv, "GET", r.session.ID(), "")
				from = inOrder(t, strings.Split(body, "\x1e"), from, size)
			}
			if got := srv.LimitCounts().QueueBytes; got != 0 {
				t.Errorf("%d clients were too slow", got)
			}
		})
	}
}

// A burst during an upgrade, when the client has ended its polls, arrives completely
// over the WebSocket.
func TestBurstDuringUpgrade(t *testing.T) {
	const n, size = 300, 12_000
	inBubble(t, Options{}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		pollOnce(srv, "GET", "", "")
		r := <-sessions
		c := dialPipe(t, srv, r.session.ID())
		c.send("2probe")
		c.want(t, "3probe")
		for _, f := range numberedText(n, size) {
			if err := r.session.Send(f); err != nil {
				t.Fatal(err)
			}
		}
		c.send("5")
		for i := range n {
			inOrder(t, []string{<-c.got}, i, size)
		}
	})
}

// If a client takes nothing of its queue for SlowTimeout, its session is closed after
// that time and not earlier. A client that takes a little each time stays connected.
func TestSlowTimeout(t *testing.T) {
	inBubble(t, Options{PingInterval: time.Hour}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		pollOnce(srv, "GET", "", "")
		r := <-sessions
		time.Sleep(time.Minute) // nothing is queued
		for range 5 {
			r.session.Send(TextFrame([]byte("x")))
			time.Sleep(10*time.Second - 1)
			if _, body := pollOnce(srv, "GET", r.session.ID(), ""); body != "4x" {
				t.Fatalf("got %q", body)
			}
		}
		r.session.Send(TextFrame([]byte("x")))
		start := time.Now()
		if got := r.reason(t); got != ReasonSlowConsumer || time.Since(start) != 10*time.Second {
			t.Errorf("polling: reason %q after %v", got, time.Since(start))
		}

		_, in := openPipe(t, srv, "")
		r = <-sessions
		ws.ReadFrame(in) // the open packet
		r.session.Send(TextFrame(make([]byte, 600_000)))
		for range 10 { // a piece each time
			time.Sleep(9 * time.Second)
			io.ReadFull(in, make([]byte, pieceSize))
		}
		if !r.session.Open() {
			t.Fatal("a client that reads slowly was closed")
		}
		start = time.Now()
		if got := r.reason(t); got != ReasonSlowConsumer {
			t.Errorf("WebSocket: reason %q", got)
		}
		if took := time.Since(start); took > 10*time.Second || took < 10*time.Second-patience {
			t.Errorf("WebSocket: closed after %v", took)
		}
		if got := srv.LimitCounts().QueueBytes; got != 2 {
			t.Errorf("%d slow clients were counted, want 2", got)
		}
	})
}

// A client that has stopped reading slows its publishers down but does not stop them. If
// it reads again before SlowTimeout, it has lost nothing.
func TestStoppedClientDoesNotStopPublishers(t *testing.T) {
	const size = 64 << 10
	inBubble(t, Options{}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		pollOnce(srv, "GET", "", "")
		r := <-sessions
		start := time.Now()
		frames := numberedText(400, size) // 25 MB
		for _, f := range frames {
			before := time.Now()
			srv.Batch(func(b *Batch) {
				if err := b.Add(r.session, NewMessage(f)); err != nil {
					t.Fatal(err)
				}
			}).Wait(t.Context(), Patient)
			if took := time.Since(before); took > 100*time.Millisecond {
				t.Fatalf("one publication took %v", took)
			}
		}
		if took := time.Since(start); took > 9*time.Second || took < 5*time.Second {
			t.Errorf("25 MB took %v", took)
		}
		fetch(t, srv, r.session.ID(), len(frames), size)
		if !r.session.Open() {
			t.Error("the client was closed")
		}
	})
}

// A session with more than MaxBacklogBytes in its queue ends at once, before SlowTimeout.
func TestBacklogBound(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		pollOnce(srv, "GET", "", "")
		r := <-sessions
		f := TextFrame(make([]byte, 1<<20))
		for range 64 {
			if err := enqueue(r.session, f); err != nil {
				t.Fatal(err)
			}
		}
		if got, most := srv.backlog.held.Load(), int64(2<<20); got > most {
			t.Errorf("one frame that is queued 64 times counts %d bytes", got)
		}
		if err := r.session.Send(f); err != ErrSlowConsumer {
			t.Errorf("beyond the bound: %v", err)
		}
		if got := r.reason(t); got != ReasonSlowConsumer {
			t.Errorf("reason %q", got)
		}
		if got := srv.backlog.held.Load(); got != 0 {
			t.Errorf("%d bytes are held", got)
		}
	})
}

// A client that keeps reading, but very little, delays its publishers for a bounded time.
func TestTricklingClient(t *testing.T) {
	inBubble(t, Options{PingInterval: time.Hour}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		_, in := openPipe(t, srv, "")
		r := <-sessions
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				if _, err := io.ReadFull(in, make([]byte, pieceSize)); err != nil {
					return
				}
				time.Sleep(2 * time.Second)
			}
		}()
		start := time.Now()
		f := TextFrame(make([]byte, 100_000))
		for r.session.Send(f) == nil {
		}
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("publishers were held for %v", took)
		}
		<-ended
		if got := r.reason(t); got != ReasonSlowConsumer {
			t.Errorf("reason %q", got)
		}
	})
}

// A client that takes a lot now and then, and nothing in between, does not hold one
// publication for long, and is closed before it has held many.
func TestDrippingClient(t *testing.T) {
	inBubble(t, Options{PingInterval: time.Hour}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		_, in := openPipe(t, srv, "")
		r := <-sessions
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				if _, err := io.ReadFull(in, make([]byte, 2_000_000)); err != nil {
					return
				}
				time.Sleep(9 * time.Second)
			}
		}()
		start, longest := time.Now(), time.Duration(0)
		f := TextFrame(make([]byte, 50_000))
		for {
			before := time.Now()
			if r.session.Send(f) != nil {
				break
			}
			longest = max(longest, time.Since(before))
		}
		if longest > 1100*time.Millisecond {
			t.Errorf("one publication took %v", longest)
		}
		if took := time.Since(start); took > 40*time.Second {
			t.Errorf("publishers were slowed down for %v", took)
		}
		<-ended
		if got := r.reason(t); got != ReasonSlowConsumer {
			t.Errorf("reason %q", got)
		}
	})
}

// A client that takes enough slows its publishers down to its own speed and loses
// nothing, however much they send.
func TestSteadyClientIsWaitedFor(t *testing.T) {
	const n, size = 1000, 10_000 // several times MaxBacklogBytes
	inBubble(t, Options{MaxQueueBytes: 64 << 10, MaxBacklogBytes: 2 << 20, PingInterval: time.Hour}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		pollOnce(srv, "GET", "", "")
		r := <-sessions
		done := make(chan struct{})
		go func() {
			defer close(done)
			for got := 0; got < n; { // 1 MiB a second, at most
				time.Sleep(time.Second)
				_, body := pollOnce(srv, "GET", r.session.ID(), "")
				got = inOrder(t, strings.Split(body, "\x1e"), got, size)
			}
		}()
		for _, f := range numberedText(n, size) {
			if err := r.session.Send(f); err != nil {
				t.Fatal(err)
			}
			r.session.mu.Lock()
			if queued := r.session.queued(); queued > srv.backlog.pace+size {
				t.Fatalf("%d bytes are queued", queued)
			}
			r.session.mu.Unlock()
		}
		<-done
	})
}

// MaxTotalQueueBytes: the clients that take nothing are closed, the one with the
// most bytes first, and those that read are not.
func TestTotalBound(t *testing.T) {
	const total = 10 << 20
	inBubble(t, Options{MaxTotalQueueBytes: total, PingInterval: time.Hour}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		var all []*recorder
		for range 20 {
			pollOnce(srv, "GET", "", "")
			all = append(all, <-sessions)
		}
		reader := all[len(all)-1]
		got := 0
		reading := make(chan struct{})
		go func() {
			defer close(reading)
			for got < 10 {
				time.Sleep(300 * time.Millisecond)
				_, body := pollOnce(srv, "GET", reader.session.ID(), "")
				got += strings.Count(body, "\x1e") + 1
			}
		}()
		most := int64(0)
		for range 10 { // each client gets messages that no other client gets
			for j, r := range all {
				r.session.Send(TextFrame(make([]byte, 10_000*(j+1))))
				most = max(most, srv.backlog.held.Load())
			}
			time.Sleep(100 * time.Millisecond)
		}
		<-reading
		if most > total+200_000 {
			t.Errorf("%d bytes were held, the bound is %d", most, total)
		}
		if !reader.session.Open() {
			t.Error("the client that reads was closed")
		}
		if all[18].session.Open() || !all[0].session.Open() {
			t.Error("the session with the most bytes was not closed first")
		}
	})
}

// MaxTotalQueueBytes: a client with a short queue is not closed because of the queues of
// others. Before this was so, a client that opened many sessions and polled with none
// of them disconnected every client that paused between two polls.
func TestTotalBoundSparesShortQueues(t *testing.T) {
	inBubble(t, Options{MaxTotalQueueBytes: 1 << 20, PingInterval: time.Hour}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		pollOnce(srv, "GET", "", "")
		short := (<-sessions).session
		short.Send(TextFrame(make([]byte, 500)))
		time.Sleep(2 * time.Second) // it has taken nothing for more than a tenth of SlowTimeout
		for range 8 {
			pollOnce(srv, "GET", "", "")
			(<-sessions).session.Send(TextFrame(make([]byte, 400_000)))
		}
		if held := srv.backlog.held.Load(); held > 1<<20+400_000 {
			t.Errorf("%d bytes are held", held)
		}
		if !short.Open() {
			t.Error("the session with the short queue was closed")
		}
	})
}

// AwaitQueue waits until the client has taken what is queued and the queues of all
// clients together are within their bound. Without it, requests whose answers nobody
// took filled the memory as fast as they were sent, until the next check of the timer.
func TestAwaitQueue(t *testing.T) {
	inBubble(t, Options{MaxTotalQueueBytes: 1 << 20, PingInterval: time.Hour}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		open := func() *Session {
			pollOnce(srv, "GET", "", "")
			return (<-sessions).session
		}
		await := func(s *Session, most int) <-chan struct{} {
			done := make(chan struct{})
			go func() {
				defer close(done)
				s.AwaitQueue(most)
			}()
			synctest.Wait()
			return done
		}
		waits := func(done <-chan struct{}, why string) {
			t.Helper()
			select {
			case <-done:
				t.Error("it did not wait: " + why)
			default:
			}
		}
		client, other := open(), open()
		<-await(client, 4000) // nothing is queued
		enqueue(client, TextFrame(make([]byte, 5000)))
		<-await(client, 0) // less than MaxQueueBytes
		done := await(client, 4000)
		waits(done, "5000 bytes are queued")
		pollOnce(srv, "GET", client.ID(), "")
		<-done

		enqueue(client, TextFrame(make([]byte, 5000)))
		enqueue(other, TextFrame(make([]byte, 1<<20)))
		done = await(client, 0)
		waits(done, "the queues hold more than they may")
		pollOnce(srv, "GET", other.ID(), "")
		<-done
	})
}

// If all clients read, publishers wait for them beyond MaxTotalQueueBytes.
func TestTotalBoundHoldsPublishers(t *testing.T) {
	const total = 4 << 20
	inBubble(t, Options{MaxTotalQueueBytes: total, PingInterval: time.Hour}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		var all []*recorder
		var readers sync.WaitGroup
		const n, size = 20, 100_000
		for range 10 {
			pollOnce(srv, "GET", "", "")
			r := <-sessions
			all = append(all, r)
			readers.Go(func() {
				for got := 0; got < n; {
					time.Sleep(50 * time.Millisecond)
					_, body := pollOnce(srv, "GET", r.session.ID(), "")
					got = inOrder(t, strings.Split(body, "\x1e"), got, size)
				}
			})
		}
		for i := range n {
			for _, r := range all {
				text := fmt.Sprintf("%06d%0*d", i, size-6, 0)
				if err := r.session.Send(TextFrame([]byte(text))); err != nil {
					t.Fatal(err)
				}
				if held := srv.backlog.held.Load(); held > total+2*size {
					t.Fatalf("%d bytes are held", held)
				}
			}
		}
		readers.Wait()
	})
}

// A publisher's waiting ends with its context, and everything is queued.
func TestWaitEndsWithContext(t *testing.T) {
	inBubble(t, Options{MaxBacklogBytes: 1 << 20, MaxQueueBytes: 1000}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		pollOnce(srv, "GET", "", "")
		r := <-sessions
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		queued := srv.Batch(func(b *Batch) {
			for _, f := range numberedText(10, 90_000) {
				b.Add(r.session, NewMessage(f))
			}
		})
		start := time.Now()
		queued.Wait(ctx, Patient)
		if took := time.Since(start); took != 30*time.Millisecond {
			t.Errorf("waited %v", took)
		}
		fetch(t, srv, r.session.ID(), 10, 90_000)
	})
}

// A publisher's waiting ends when the session ends, for any reason, and when the server is
// closed.
func TestWaitEndsWithSession(t *testing.T) {
	for name, end := range map[string]func(*Server, *Session){
		"close":   func(_ *Server, s *Session) { s.Close() },
		"overrun": func(_ *Server, s *Session) { s.overrun() },
		"drain":   func(srv *Server, _ *Session) { srv.Drain(context.Background(), 0) },
		"server":  func(srv *Server, _ *Session) { srv.Close(context.Background()) },
		"poll":    func(srv *Server, s *Session) { pollOnce(srv, "GET", s.ID(), "") },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{MaxQueueBytes: 100_000, MaxBacklogBytes: 1 << 20}, func(t *testing.T, srv *Server, sessions chan *recorder) {
				pollOnce(srv, "GET", "", "")
				r := <-sessions
				done := make(chan struct{})
				start := time.Now()
				go func() { r.session.Send(TextFrame(make([]byte, 600_000))); close(done) }()
				time.Sleep(50 * time.Millisecond)
				end(srv, r.session)
				<-done
				if took := time.Since(start); took > 100*time.Millisecond {
					t.Errorf("waited %v", took)
				}
			})
		})
	}
}

// A large answer to a poll carries text and binary messages like a small one, even if it
// is compressed.
func TestLargeAnswers(t *testing.T) {
	e := quiet(t, Options{}, false)
	for _, encoding := range []string{"", "gzip"} {
		url, r := open(t, e)
		want := ""
		for i := range 40 {
			data := bytes.Repeat([]byte{byte('a' + i%20)}, 5000+i)
			if i%2 == 0 {
				enqueue(r.session, TextFrame(data))
				want += "\x1e4" + string(data)
			} else {
				enqueue(r.session, BinaryFrame(data))
				want += "\x1e" + string(packet.AppendBinary(nil, data))
			}
		}
		status, body, header := request(t, "GET", url, http.Header{"Accept-Encoding": {encoding}}, nil)
		if got := header.Get("Content-Encoding"); got != encoding || status != 200 {
			t.Errorf("status %d, encoding %q, want %q", status, got, encoding)
		}
		if encoding == "" && header.Get("Content-Length") == "" {
			t.Error("the response has no Content-Length")
		}
		if encoding == "gzip" {
			zr, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := io.ReadAll(zr)
			if err != nil {
				t.Fatal(err)
			}
			body = string(plain)
		}
		if body != want[1:] {
			t.Errorf("%q: %d bytes came, want %d", encoding, len(body), len(want)-1)
		}
	}
}

// When a session ends, its bytes are released wherever they are: in the queue, half
// written, or in the answer to a poll.
func TestEndReleasesTheQueue(t *testing.T) {
	for _, overTLS := range []bool{false, true} {
		e := quiet(t, Options{SlowTimeout: time.Hour}, overTLS)
		for _, size := range []int{1000, 300_000} {
			c, r := e.dial(t, false)
			c.StopReading()
			for range 20_000_000 / size { // more than the buffers of both sides take
				enqueue(r.session, TextFrame(make([]byte, size)))
			}
			e.flush()
			waittest.Until(t, "the client's buffers are full", func() bool {
				r.session.mu.Lock()
				defer r.session.mu.Unlock()
				return r.session.behind && r.session.ws.writer == writerBlocked
			})
			if held := e.backlog.held.Load(); held < 1<<20 {
				t.Errorf("TLS %v: %d bytes are held", overTLS, held)
			}
			c.Break()
			r.reason(t)
			waittest.Until(t, "nothing is held", func() bool { return e.backlog.held.Load() == 0 })
		}
	}
	e := quiet(t, Options{}, false)
	url, r := open(t, e)
	host := strings.Split(e.url, "/")[2]
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		enqueue(r.session, TextFrame(make([]byte, 100_000)))
	}
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", url[strings.Index(url, "/engine.io/"):])
	waittest.Until(t, "the answer is being written", func() bool {
		r.session.mu.Lock()
		defer r.session.mu.Unlock()
		return r.session.polling.answer != nil || r.session.queue.bytes < 10_000_000
	})
	r.session.overrun()
	conn.Close()
	waittest.Until(t, "nothing is held", func() bool { return e.backlog.held.Load() == 0 })
}

// A client is not slow if the server has not yet written to it: then the machine is slow.
func TestServerIsNotTheClient(t *testing.T) {
	e := quiet(t, Options{SlowTimeout: time.Hour}, false)
	_, ws := e.dial(t, false)
	s := ws.session
	s.mu.Lock()
	s.fallBehind()
	s.tookAt -= 2 * time.Hour
	s.mu.Unlock()
	if left := s.patienceLeft(); left < 59*time.Minute {
		t.Errorf("a WebSocket that is not blocked has %v left", left)
	}
	s.mu.Lock()
	s.ws.writer = writerBlocked
	s.tookAt -= 2 * time.Hour
	s.ws.unacked = 0
	s.mu.Unlock()
	if left := s.patienceLeft(); left > 0 {
		t.Errorf("a WebSocket that is blocked has %v left", left)
	}
	s.mu.Lock()
	s.ws.writer = writerIdle
	s.catchUp()
	s.mu.Unlock()
}

// A client whose kernel takes bytes counts as reading, even if it takes too few for the
// next write.
func TestKernelProgress(t *testing.T) {
	e := quiet(t, Options{SlowTimeout: time.Hour}, false)
	conn := rawWebSocket(t, e, "")
	s := e.next(t).session
	for _, f := range numbered(200, 100_000) {
		enqueue(s, f)
	}
	e.flush()
	look := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.ws != nil && s.ws.drained()
	}
	waittest.Until(t, "the client's buffers are full", func() bool {
		s.mu.Lock()
		blocked := s.ws.writer == writerBlocked
		s.mu.Unlock()
		if !blocked {
			return false
		}
		look()
		time.Sleep(20 * time.Millisecond)
		return !look()
	})
	if s.server.poller() == nil {
		t.Skip("this system has no poller")
	}
	buf := make([]byte, 64<<10)
	waittest.Until(t, "the kernel takes something", func() bool {
		conn.Read(buf)
		return look()
	})
}

// A publisher that is Hurried does not wait for a client that has stopped reading, but it
// waits for a client that takes enough if that client would otherwise be disconnected. A
// publisher that is Pressed waits for no client.
func TestHaste(t *testing.T) {
	message := NewMessage(TextFrame(make([]byte, 100_000)))
	inBubble(t, Options{PingInterval: time.Hour}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		publish := func(s *Session, h Haste, n int) (took time.Duration) {
			start := time.Now()
			for range n {
				srv.Batch(func(b *Batch) { b.Add(s, message) }).Wait(t.Context(), h)
			}
			return time.Since(start)
		}
		for _, h := range []Haste{Hurried, Pressed} {
			pollOnce(srv, "GET", "", "")
			r := <-sessions
			if took := publish(r.session, h, 400); took > window(srv) { // 40 MB
				t.Errorf("haste %d: publishers waited %v for a client that has stopped", h, took)
			}
			if took := publish(r.session, Patient, 10); took > window(srv) {
				t.Errorf("haste %d: Patient publishers waited %v afterwards", h, took)
			}
			publish(r.session, h, 400)
			if got := r.reason(t); got != ReasonSlowConsumer {
				t.Errorf("haste %d: reason %q", h, got)
			}
		}
		pollOnce(srv, "GET", "", "")
		r := <-sessions
		reading := make(chan struct{})
		go func() { // a poll takes 256 KiB
			defer close(reading)
			for got := 0; got < 700; {
				time.Sleep(100 * time.Millisecond)
				_, body := pollOnce(srv, "GET", r.session.ID(), "")
				got += strings.Count(body, "\x1e") + 1
			}
		}()
		publish(r.session, Hurried, 700) // more than MaxBacklogBytes
		<-reading
		if !r.session.Open() {
			t.Error("a client that reads was closed")
		}
	})
}

// window is the time after which a client that has taken nothing counts as stopped.
func window(srv *Server) time.Duration { return 2 * srv.backlog.window() }
