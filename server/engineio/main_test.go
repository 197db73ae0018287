package engineio

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/waittest"
)

func TestMain(m *testing.M) { os.Exit(waittest.Run(m)) }

// recorder is a handler that records its calls and, if echo is set, echoes messages.
type recorder struct {
	echo     bool
	messages chan string
	closed   chan string // reasons
	session  *Session

	mu     sync.Mutex
	closes int
}

func newRecorder(s *Session, echo bool) *recorder {
	return &recorder{echo: echo, session: s, messages: make(chan string, 10_000), closed: make(chan string, 1)}
}

func (r *recorder) HandleMessage(s *Session, data []byte, binary bool) {
	if r.echo {
		if binary {
			s.Send(BinaryFrame(data))
		} else {
			s.Send(TextFrame(data))
		}
	}
	r.messages <- string(data)
}

func (r *recorder) HandleReadEnd(*Session) Task { return nil }

func (r *recorder) HandleClose(_ *Session, reason Reason, _ error) {
	r.mu.Lock()
	r.closes++
	r.mu.Unlock()
	r.closed <- string(reason) // a second call would block, which goleak reports
}

// message returns the next message that the session's client has sent.
func (r *recorder) message(t testing.TB) string {
	t.Helper()
	return receive(t, r.messages, "a message")
}

func (r *recorder) reason(t testing.TB) Reason {
	t.Helper()
	return Reason(receive(t, r.closed, "the session's end"))
}

func receive[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(engineiotest.Wait):
		t.Fatalf("%s does not come", what)
		panic("unreachable")
	}
}

// endpoint is a server on a socket, whose sessions are recorded.
type endpoint struct {
	*Server
	url      string
	tls      *tls.Config
	sessions chan *recorder
	wrap     http.HandlerFunc // if not nil, serves instead of the Server
}

// next is the recorder of the next new session.
func (e *endpoint) next(t testing.TB) *recorder {
	t.Helper()
	return receive(t, e.sessions, "a session")
}

func (e *endpoint) dial(t testing.TB, polling bool) (*engineiotest.Conn, *recorder) {
	t.Helper()
	c := engineiotest.Dial(t, e.url, engineiotest.Options{Polling: polling, TLS: e.tls})
	return c, e.next(t)
}

// serve starts a server that echoes.
func serve(t testing.TB, opts Options) *endpoint { return serveOn(t, opts, false) }

func serveOn(t testing.TB, opts Options, overTLS bool) *endpoint {
	e := &endpoint{sessions: make(chan *recorder, 20_000)}
	e.Server = New(opts, func(s *Session, _ *http.Request) Handler {
		r := newRecorder(s, true)
		e.sessions <- r
		return r
	})
	start := httptest.NewServer
	if overTLS {
		start = httptest.NewTLSServer
	}
	hs := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e.wrap != nil {
			e.wrap(w, r)
			return
		}
		e.ServeHTTP(w, r)
	}))
	e.url = hs.URL + "/engine.io/"
	if overTLS {
		e.tls = &tls.Config{InsecureSkipVerify: true}
	}
	t.Cleanup(func() {
		shut(t, e.Server)
		hs.CloseClientConnections()
		hs.Close()
	})
	return e
}

// shut closes a server and checks that nothing of it is left.
func shut(t testing.TB, srv *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), engineiotest.Wait)
	defer cancel()
	if err := srv.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	if n := srv.Count(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	// A handshake may be under way, which the server does not wait for.
	waittest.Until(t, "all places are free", func() bool { return srv.places() == 0 })
	waittest.Until(t, "no connection lingers", func() bool {
		srv.mu.RLock()
		defer srv.mu.RUnlock()
		return len(srv.lingering) == 0
	})
	if n := len(srv.admission.addresses.open); n != 0 {
		t.Errorf("%d addresses are left", n)
	}
	f := srv.flusher
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crowded != 0 || f.running != 0 {
		t.Errorf("the flusher counts %d crowded sessions and %d goroutines", f.crowded, f.running)
	}
	// The bytes that a connection still holds are released when its goroutine ends.
	waittest.Until(t, "the queues hold nothing", func() bool { return srv.backlog.held.Load() == 0 })
	srv.backlog.mu.Lock()
	if n := len(srv.backlog.behind); n != 0 {
		t.Errorf("%d sessions are behind", n)
	}
	srv.backlog.mu.Unlock()
	for _, q := range []*deadlines{srv.pings, srv.pongs, srv.silences, srv.lingers} {
		if q.head != nil || q.tail != nil {
			t.Error("a session waits in a queue of deadlines")
		}
	}
}

// request sends a request and returns status, body and headers.
func request(t testing.TB, method, url string, header http.Header, body io.Reader) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	tr := &http.Transport{DisableCompression: true}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

// open opens a polling session by hand.
func open(t testing.TB, e *endpoint) (url string, r *recorder) {
	t.Helper()
	status, body, _ := request(t, "GET", e.url+"?EIO=4&transport=polling", nil, nil)
	_, rest, ok := strings.Cut(body, `"sid":"`)
	if status != 200 || !ok {
		t.Fatalf("handshake: %d %s", status, body)
	}
	return e.url + "?EIO=4&transport=polling&sid=" + rest[:20], e.next(t)
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// accepting makes sessions that do not echo.
func accepting(sessions chan<- *recorder) func(*Session, *http.Request) Handler {
	return func(s *Session, _ *http.Request) Handler {
		r := newRecorder(s, false)
		sessions <- r
		return r
	}
}

// enqueue queues frames, which flush writes later.
func enqueue(s *Session, frames ...Frame) error {
	_, err := s.put(frames)
	return err
}

// clientFrame is a masked frame as the framing library compiles it.
func clientFrame(op ws.OpCode, fin bool, payload string) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, fin, []byte(payload))))
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

// acceptFuncs gives all sessions the same handler.
func acceptFuncs(h Handler) func(*Session, *http.Request) Handler {
	return func(*Session, *http.Request) Handler { return h }
}
