package engineio

import (
	"bufio"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/waittest"
)

func TestPollingQueues(t *testing.T) {
	e := serve(t, Options{})
	url, r := open(t, e)
	r.session.Send(TextFrame([]byte("a")), BinaryFrame([]byte{1, 2, 3, 4}))
	r.session.Send(TextFrame([]byte("b")))
	if _, body, h := request(t, "GET", url, nil, nil); body != "4a\x1ebAQIDBA==\x1e4b" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("a poll brought %q, %v", body, h)
	}
	// What is sent while a poll waits ends it.
	got := make(chan string)
	go func() { _, body, _ := request(t, "GET", url, nil, nil); got <- body }()
	waitForPoll(t, r.session)
	r.session.Send(TextFrame([]byte("c")))
	if body := receive(t, got, "the poll's answer"); body != "4c" {
		t.Errorf("a waiting poll brought %q", body)
	}
	if status, body, _ := request(t, "POST", url, nil, strings.NewReader("4x\x1ebAQ==\x1e4y")); status != 200 || body != "ok" {
		t.Errorf("POST: %d %s", status, body)
	}
	if a, b, c := r.message(t), r.message(t), r.message(t); a != "x" || b != "\x01" || c != "y" {
		t.Errorf("got %q, %q, %q", a, b, c)
	}
}

func waitForPoll(t testing.TB, s *Session) {
	t.Helper()
	waittest.Until(t, "a poll waits", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.polling.poll != nil
	})
}

func TestPollingOverlap(t *testing.T) {
	e := serve(t, Options{})
	url, r := open(t, e)
	got := make(chan string)
	go func() { _, body, _ := request(t, "GET", url, nil, nil); got <- body }()
	waitForPoll(t, r.session)
	if status, _, _ := request(t, "GET", url, nil, nil); status != 400 {
		t.Errorf("the second poll was answered %d", status)
	}
	if body := receive(t, got, "the first poll's answer"); body != "1" {
		t.Errorf("the first poll was answered %q", body)
	}
	if got := r.reason(t); got != ReasonTransportError {
		t.Errorf("reason %q", got)
	}
}

// The later of two POSTs is refused at once, the earlier cut off.
func TestPollingOverlappingPosts(t *testing.T) {
	e := serve(t, Options{})
	url, r := open(t, e)
	first := halfPost(t, url)
	waittest.Until(t, "the first body is awaited", func() bool {
		r.session.mu.Lock()
		defer r.session.mu.Unlock()
		return r.session.polling.body != nil
	})
	second := halfPost(t, url)
	if status := answerOf(second); status != "HTTP/1.1 400 Bad Request\r\n" {
		t.Errorf("the second POST was answered %q", status)
	}
	if status := answerOf(first); status != "" {
		t.Errorf("the first POST was answered %q", status)
	}
	r.reason(t)
}

// halfPost sends a POST whose body does not end.
func halfPost(t testing.TB, url string) net.Conn {
	t.Helper()
	host, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(engineiotest.Wait))
	fmt.Fprintf(conn, "POST /%s HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\n4half", path, host)
	return conn
}

func answerOf(conn net.Conn) string {
	line, err := bufio.NewReader(conn).ReadString('\n')
	if isTimeout(err) {
		return err.Error()
	}
	return line
}

func TestPollingIncompleteBody(t *testing.T) {
	e := serve(t, Options{BodyTimeout: 50 * time.Millisecond})
	url, r := open(t, e)
	if status := answerOf(halfPost(t, url)); status != "HTTP/1.1 408 Request Timeout\r\n" {
		t.Errorf("answered %q", status)
	}
	if status, body, _ := request(t, "GET", url, nil, nil); status != 400 || body != `{"code":1,"message":"Session ID unknown"}` {
		t.Errorf("the next poll: %d %s", status, body)
	}
	if got := r.reason(t); got != ReasonTransportError {
		t.Errorf("reason %q", got)
	}
	// A body that belongs to no session is not waited for either.
	if status := answerOf(halfPost(t, url)); status != "HTTP/1.1 400 Bad Request\r\n" {
		t.Errorf("an unknown session: answered %q", status)
	}
}

func TestPollingClose(t *testing.T) {
	e := serve(t, Options{})
	c, r := e.dial(t, true)
	c.SendPacket("1")
	if got := r.reason(t); got != ReasonTransportClose {
		t.Errorf("closed by the client: %q", got)
	}
	c, r = e.dial(t, true)
	r.session.Send(TextFrame([]byte("last")))
	r.session.Close()
	if got := c.Text(); got != "last" {
		t.Errorf("got %q", got)
	}
	if end := c.End(); !end.Packet {
		t.Errorf("closed by the server: the client saw %+v", end)
	}
	if got := r.reason(t); got != ReasonForcedClose {
		t.Errorf("closed by the server: %q", got)
	}
	waittest.Until(t, "the session is forgotten", func() bool { return e.Count() == 0 })
}

// The close packet comes in a payload of its own, after what was queued, because official
// clients handle the close packet of a payload first. What the client sends meanwhile is
// dropped, without an error.
func TestPollingCloseComesAlone(t *testing.T) {
	e := serve(t, Options{})
	url, r := open(t, e)
	r.session.Send(TextFrame([]byte("last")))
	r.session.Close()
	if got := r.reason(t); got != ReasonForcedClose {
		t.Errorf("reason %q", got)
	}
	for _, want := range []string{"4last", "1"} {
		if status, body, _ := request(t, "POST", url, nil, strings.NewReader("4late")); status != 200 || body != "ok" {
			t.Errorf("a late message: %d %s", status, body)
		}
		if status, body, _ := request(t, "GET", url, nil, nil); status != 200 || body != want {
			t.Errorf("a poll brought %d %q, want %q", status, body, want)
		}
	}
	if status, _, _ := request(t, "POST", url, nil, strings.NewReader("4late")); status != 400 {
		t.Errorf("once closed: %d", status)
	}
	select {
	case m := <-r.messages:
		t.Errorf("the handler got %q", m)
	default:
	}
}

func TestPollingGone(t *testing.T) {
	e := serve(t, Options{})
	c, r := e.dial(t, true)
	waitForPoll(t, r.session)
	c.Break()
	if got := r.reason(t); got != ReasonTransportError {
		t.Errorf("reason %q", got)
	}
}

func TestPollingLargePackets(t *testing.T) {
	e := serve(t, Options{})
	c, r := e.dial(t, true)
	noise := make([]byte, 700_000)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	for _, msg := range []string{strings.Repeat("€", 333_333-1), "small"} {
		c.SendText(msg)
		if got := r.message(t); got != msg {
			t.Errorf("%d bytes became %d on the way in", len(msg), len(got))
		}
		if got := c.Text(); got != msg {
			t.Errorf("%d bytes became %d on the way out", len(msg), len(got))
		}
	}
	c.SendBinary(noise)
	if m := c.Next(); string(m.Data) != string(noise) || !m.Binary {
		t.Errorf("%d bytes of binary became %d", len(noise), len(m.Data))
	}
}

func TestPollingCompression(t *testing.T) {
	e := serve(t, Options{})
	long := []byte(strings.Repeat("x", 2000))
	for _, tc := range []struct {
		accept, want string
		frame        Frame
	}{
		{"gzip, deflate", "gzip", TextFrame(long)},
		{"deflate", "deflate", TextFrame(long)},
		{"deflate;q=0.5, gzip;q=0.8", "gzip", TextFrame(long)},
		{"gzip;q=0", "", TextFrame(long)},
		{"br", "", TextFrame(long)},
		{"gzip", "", TextFrame(long[:1000])},
		{"gzip", "", TextFrame(long).Uncompressed()},
	} {
		url, r := open(t, e)
		r.session.Send(tc.frame)
		_, body, h := request(t, "GET", url, http.Header{"Accept-Encoding": {tc.accept}}, nil)
		plain := io.Reader(strings.NewReader(body))
		var err error
		switch h.Get("Content-Encoding") {
		case "gzip":
			plain, err = gzip.NewReader(plain)
		case "deflate":
			plain, err = zlib.NewReader(plain)
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(plain)
		if err != nil || string(got) != string(tc.frame.payload()) || h.Get("Content-Encoding") != tc.want {
			t.Errorf("%q: %d bytes in %q (%v), want %d in %q", tc.accept, len(got), h.Get("Content-Encoding"), err, len(tc.frame.payload()), tc.want)
		}
	}
}

// endless is a body of size bytes that counts those that were read from it.
type endless struct {
	taken atomic.Int64
	size  int64
}

func (b *endless) Read(p []byte) (int, error) {
	if b.taken.Load() >= b.size {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = '4'
	}
	b.taken.Add(int64(len(p)))
	return len(p), nil
}

// A body that is too large ends the session, with a length and without one.
func TestPollingBodyLimit(t *testing.T) {
	e := serve(t, Options{MaxHTTPBufferSize: 1000})
	exact, over := "4"+strings.Repeat("x", 999), "4"+strings.Repeat("x", 1000)
	chunked := func(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) } // no length is known
	url, r := open(t, e)
	for _, body := range []io.Reader{strings.NewReader(exact), chunked(exact)} {
		if status, _, _ := request(t, "POST", url, nil, body); status != 200 {
			t.Errorf("at the limit: %d", status)
		}
		if got := r.message(t); got != exact[1:] {
			t.Errorf("the handler got %.50q", got)
		}
	}
	for i, body := range []io.Reader{strings.NewReader(over), chunked(over)} {
		url, r := open(t, e)
		poll := make(chan string, 1)
		go func() {
			_, got, _ := request(t, "GET", url, nil, nil)
			poll <- got
		}()
		waittest.Until(t, "the poll waits", func() bool {
			r.session.mu.Lock()
			defer r.session.mu.Unlock()
			return r.session.polling.poll != nil
		})
		if status, _, _ := request(t, "POST", url, nil, body); status != 413 {
			t.Errorf("over the limit: %d", status)
		}
		if got := receive(t, poll, "the end of the poll"); got != "1" {
			t.Errorf("the poll got %q", got)
		}
		if got := r.reason(t); got != ReasonTransportError || len(r.messages) != 0 {
			t.Errorf("reason %q, %d messages", got, len(r.messages))
		}
		if status, body, _ := request(t, "GET", url, nil, nil); status != 400 || body != `{"code":1,"message":"Session ID unknown"}` {
			t.Errorf("the next poll: %d %s", status, body)
		}
		if got := e.LimitCounts().MessageBytes; got != int64(i+1) {
			t.Errorf("counted %d times", got)
		}
	}
	url, r = open(t, e)
	huge := &endless{size: 200 << 20}
	req, _ := http.NewRequest("POST", url, huge)
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	if resp, err := tr.RoundTrip(req); err == nil { // or the connection was reset while we were sending
		resp.Body.Close()
		if resp.StatusCode != 413 {
			t.Errorf("200 MB: %d", resp.StatusCode)
		}
	}
	if huge.taken.Load() > 20<<20 {
		t.Errorf("%d bytes were swallowed", huge.taken.Load())
	}
	if got := r.reason(t); got != ReasonTransportError {
		t.Errorf("reason %q", got)
	}
}

func TestPollingBadRequests(t *testing.T) {
	e := serve(t, Options{})
	for _, tc := range []struct {
		name, method, body string
		header             http.Header
		status             int
		reason             Reason
	}{
		{"binary body", "POST", "4x", http.Header{"Content-Type": {"application/octet-stream"}}, 400, ReasonTransportError},
		{"empty body", "POST", "", nil, 400, ReasonParseError},
		{"unknown packet", "POST", "abc", nil, 400, ReasonParseError},
		{"broken base64", "POST", "b!", nil, 400, ReasonParseError},
		{"a ping", "POST", "2", nil, 200, ReasonTransportError},
		{"method", "PUT", "4x", nil, 500, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url, r := open(t, e)
			status, _, _ := request(t, tc.method, url, tc.header, strings.NewReader(tc.body))
			if status != tc.status {
				t.Errorf("got %d, want %d", status, tc.status)
			}
			if tc.reason != "" {
				if got := r.reason(t); got != tc.reason {
					t.Errorf("reason %q, want %q", got, tc.reason)
				}
			}
			if tc.reason == "" && !r.session.Open() {
				t.Error("the session has ended")
			}
		})
	}
}

// Text that is not UTF-8 must not reach the WebSockets of others, which would
// be closed for it.
func TestPollingRepairsUTF8(t *testing.T) {
	e := serve(t, Options{})
	c, _ := e.dial(t, false)
	url, r := open(t, e)
	for _, tc := range [][2]string{
		{"4a\xffb", "a\ufffdb"},
		{"4\xff\xfe", "\ufffd\ufffd"},
		{"4\xe2\x82x", "\ufffdx"}, // one mark for a character that breaks off
		{"4\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
		{"4\xf0\x9f\x98", "\ufffd"},
		{"4\xc0\xaf", "\ufffd\ufffd"},
		{"4\xef\xbb\xbfz", "\ufeffz"},
	} {
		in, want := tc[0], tc[1]
		request(t, "POST", url, nil, strings.NewReader(in))
		got := r.message(t)
		if got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
		c.SendText(got)
		if echo := c.Text(); echo != want {
			t.Errorf("over a WebSocket %q became %q", got, echo)
		}
	}
}

// deadlineWriter notes the write deadline at each write.
type deadlineWriter struct {
	*httptest.ResponseRecorder
	deadline time.Time
	at       []time.Time
}

func (w *deadlineWriter) SetWriteDeadline(t time.Time) error { w.deadline = t; return nil }
func (w *deadlineWriter) SetReadDeadline(time.Time) error    { return nil }
func (w *deadlineWriter) Write(b []byte) (int, error) {
	w.at = append(w.at, w.deadline)
	return w.ResponseRecorder.Write(b)
}

// A poll's answer has a deadline of its own.
func TestPollingAnswerHasADeadline(t *testing.T) {
	srv := New(Options{}, func(*Session, *http.Request) Handler { return HandlerFuncs{} })
	defer shut(t, srv)
	w := &deadlineWriter{ResponseRecorder: httptest.NewRecorder()}
	srv.ServeHTTP(w, httptest.NewRequest("GET", "/engine.io/?EIO=4&transport=polling", nil))
	if len(w.at) != 1 || time.Until(w.at[0]) <= 0 || !w.Flushed {
		t.Errorf("deadlines %v while writing", w.at)
	}
}

// The deadline is removed after the answer; otherwise later answers on the same
// connection would fail, those of other handlers too.
func TestPollingLeavesNoWriteDeadline(t *testing.T) {
	t.Parallel()                     // it waits
	const closeTimeout = time.Second // within which a busy machine writes the answer
	e := serve(t, Options{CloseTimeout: closeTimeout})
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(e.url, "http://"), "/engine.io/"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(engineiotest.Wait))
	answers := bufio.NewReader(conn)
	for range 2 {
		io.WriteString(conn, "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n")
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 {
			t.Fatalf("%d %s %v", res.StatusCode, body, err)
		}
		time.Sleep(2 * closeTimeout)
	}
}
