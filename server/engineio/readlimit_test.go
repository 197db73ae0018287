package engineio

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"
)

// SetMaxMessageBytes bounds messages and bodies of every form, below the bound of the
// server, and can be undone.
func TestMaxMessageBytes(t *testing.T) {
	e := serve(t, Options{MaxHTTPBufferSize: 3000})
	large := strings.Repeat("x", 1500)
	for _, polling := range []bool{false, true} {
		c, r := e.dial(t, polling)
		for _, tc := range []struct{ set, want int }{{2000, 2000}, {0, 3000}, {4000, 3000}, {1000, 1000}} {
			r.session.SetMaxMessageBytes(tc.set)
			if got := r.session.MaxMessageBytes(); got != tc.want {
				t.Errorf("set to %d: %d", tc.set, got)
			}
			msg := large
			if tc.want < len(large) {
				msg = large[:900]
			}
			c.SendText(msg)
			if got := r.message(t); got != msg {
				t.Errorf("%d bytes became %d", len(msg), len(got))
			}
			c.Text() // the echo
		}
		c.SendText(large)
		end := c.End()
		if got := r.reason(t); got != ReasonTransportError || !polling && end.Code != 1009 {
			t.Errorf("polling %v: %q, the client saw %+v", polling, got, end)
		}
	}
	url, polled := open(t, e)
	polled.session.SetMaxMessageBytes(1000)
	if status, _, _ := request(t, "POST", url, nil, strings.NewReader("4"+large)); status != 413 {
		t.Errorf("a body is answered %d", status)
	}
	c, r := e.dial(t, false)
	r.session.SetMaxMessageBytes(1000)
	for i, op := range []ws.OpCode{ws.OpText, ws.OpContinuation} {
		c.WriteRaw(clientFrame(op, i > 0, large[:900]))
	}
	if end := c.End(); end.Code != 1009 {
		t.Errorf("in fragments: the client saw %+v", end)
	}
	if got := e.LimitCounts().MessageBytes; got != 4 {
		t.Errorf("%d are counted", got)
	}
}

// lifter is a handler that raises its session's bound in the first call of
// HandleLargeMessage.
type lifter struct {
	*recorder
	asked atomic.Int64
}

func (l *lifter) HandleLargeMessage(s *Session) {
	if l.asked.Add(1) == 1 {
		s.SetMaxMessageBytes(2000)
	}
}

// The handler may raise the bound before a large message is refused, and then receives the
// whole message. HandleLargeMessage is not called for a message beyond the server's own
// bound.
func TestHandleLargeMessage(t *testing.T) {
	handlers := make(chan *lifter, 100)
	e := serve(t, Options{MaxHTTPBufferSize: 3000})
	e.Server.accept = func(s *Session, _ *http.Request) Handler {
		l := &lifter{recorder: newRecorder(s, false)}
		s.SetMaxMessageBytes(100)
		e.sessions <- l.recorder
		handlers <- l
		return l
	}
	large := strings.Repeat("x", 1500)
	for name, send := range map[string]func(t *testing.T) *recorder{
		"frame": func(t *testing.T) *recorder {
			c, r := e.dial(t, false)
			c.SendText(large)
			return r
		},
		"byte by byte": func(t *testing.T) *recorder {
			c, r := e.dial(t, false)
			for _, b := range clientFrame(ws.OpText, true, "4"+large) {
				c.WriteRaw([]byte{b})
			}
			return r
		},
		"fragments": func(t *testing.T) *recorder {
			c, r := e.dial(t, false)
			c.WriteRaw(clientFrame(ws.OpText, false, "4"+large[:50]))
			c.WriteRaw(clientFrame(ws.OpContinuation, true, large[50:]))
			return r
		},
		"body": func(t *testing.T) *recorder {
			c, r := e.dial(t, true)
			c.SendText(large)
			return r
		},
		"chunked body": func(t *testing.T) *recorder {
			url, r := open(t, e)
			body := io.MultiReader(strings.NewReader("4"), strings.NewReader(large))
			if status, answer, _ := request(t, "POST", url, nil, body); status != 200 {
				t.Errorf("%d %s", status, answer)
			}
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := send(t)
			if got := r.message(t); got != large {
				t.Errorf("%d bytes came", len(got))
			}
			if n := receive(t, handlers, "the handler").asked.Load(); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
	for _, polling := range []bool{false, true} {
		for size, asked := range map[int]int64{2500: 1, 3500: 0} {
			c, _ := e.dial(t, polling)
			c.SendText(strings.Repeat("x", size))
			c.End()
			if n := receive(t, handlers, "the handler").asked.Load(); n != asked {
				t.Errorf("polling %v, %d bytes: asked %d times", polling, size, n)
			}
		}
	}
}

// If a request is larger than MaxRequestBytes, the session keeps its small parts.
func TestMaxRequestBytes(t *testing.T) {
	e := serve(t, Options{MaxRequestBytes: 1000})
	junk := strings.Repeat("j", 5000)
	for query, want := range map[string]string{"": "/engine.io/?EIO=4&transport=polling", "&junk=" + junk: "/engine.io/"} {
		_, _, _ = request(t, "GET", e.url+"?EIO=4&transport=polling"+query, http.Header{"Cookie": {"a=b"}, "X-Junk": {junk, junk}}, nil)
		r := e.next(t).session.Request()
		if r.URL != want || r.Header.Get("Cookie") != "a=b" || r.Header.Get("X-Junk") != "" || r.Header.Get("Host") == "" || r.RemoteAddr != "127.0.0.1" {
			t.Errorf("kept %.100q %.1000v", r.URL, r.Header)
		}
	}
	if n := len(e.Sessions()[0].request); n > 1100 {
		t.Errorf("%d bytes are kept", n)
	}
}
