package engineio

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/waittest"
)

// fragile is a handler that echoes. When a message asks for it, one of its functions
// panics once.
type fragile struct {
	*recorder
	in     string
	armed  atomic.Bool
	closes atomic.Int64
}

func (h *fragile) panicIn(function string) {
	if h.in == function && h.armed.CompareAndSwap(true, false) {
		panic("on purpose")
	}
}

func (h *fragile) HandleMessage(s *Session, data []byte, binary bool) {
	if string(data) == "panic" {
		h.armed.Store(true)
	}
	h.panicIn("HandleMessage")
	h.recorder.HandleMessage(s, data, binary)
}

func (h *fragile) HandleReadEnd(*Session) Task {
	h.panicIn("HandleReadEnd")
	return taskFunc(func() { h.panicIn("Task") })
}

func (h *fragile) HandleLargeMessage(*Session) {
	h.armed.Store(true)
	h.panicIn("HandleLargeMessage")
}

func (h *fragile) HandleClose(s *Session, reason Reason, err error) {
	h.closes.Add(1)
	h.recorder.HandleClose(s, reason, err)
	h.panicIn("HandleClose")
}

// A panic of any function of a handler ends its session, over every transport, and
// nothing else: no lock stays held, others are served, and it is reported and counted.
func TestHandlerPanics(t *testing.T) {
	for _, in := range []string{"HandleMessage", "HandleReadEnd", "Task", "HandleLargeMessage", "HandleClose"} {
		for name, tls := range map[string]bool{"polling": false, "websocket": false, "websocket over TLS": true} {
			t.Run(in+" over "+name, func(t *testing.T) {
				reports := make(chan error, 10)
				e := serveOn(t, Options{Hooks: Hooks{HandlerPanic: func(_ *Session, err error) { reports <- err }}}, tls)
				handlers := make(chan *fragile, 10)
				e.accept = func(s *Session, _ *http.Request) Handler {
					h := &fragile{recorder: newRecorder(s, true), in: in}
					if in == "HandleLargeMessage" {
						s.SetMaxMessageBytes(100)
					}
					e.sessions <- h.recorder
					handlers <- h
					return h
				}
				other, _ := e.dial(t, false)
				receive(t, handlers, "the other's handler")
				c, r := e.dial(t, name == "polling")
				h := receive(t, handlers, "the handler")

				if in == "HandleLargeMessage" {
					c.SendText(strings.Repeat("x", 200))
				} else {
					c.SendText("panic")
				}
				if in == "HandleClose" {
					r.message(t)
					r.session.Close()
				}
				if err := receive(t, reports, "the report"); !errors.Is(err, ErrPanic) || !strings.Contains(err.Error(), "on purpose") || !strings.Contains(err.Error(), "panicIn") {
					t.Errorf("reported %v", err)
				}
				want := ReasonInternalError
				if in == "HandleClose" {
					want = ReasonForcedClose
				}
				if got := r.reason(t); got != want {
					t.Errorf("reason %q, want %q", got, want)
				}
				if end := c.End(); name != "polling" && in != "HandleClose" && end.Code != 1011 {
					t.Errorf("the client saw %+v", end)
				}
				if name == "polling" {
					url := e.url + "?EIO=4&transport=polling&sid=" + c.Handshake.SID
					if status, body, _ := request(t, "POST", url, nil, strings.NewReader("4x")); status != 400 {
						t.Errorf("the next POST: %d %s", status, body)
					}
				}
				other.SendText("still here")
				if got := other.Text(); got != "still here" {
					t.Errorf("the other got %q", got)
				}
				waittest.Until(t, "the lock of the reading is free", func() bool {
					free := r.session.reading.TryLock()
					if free {
						r.session.reading.Unlock()
					}
					return free
				})
				if n := h.closes.Load(); n != 1 || e.HandlerPanics() != 1 || len(reports) != 0 {
					t.Errorf("closed %d times, %d panics, %d more reports", n, e.HandlerPanics(), len(reports))
				}
			})
		}
	}
}

// If the accept function of New panics, the client is refused, and no session and no
// connection is left.
func TestAcceptPanics(t *testing.T) {
	e := serve(t, Options{MaxSessions: 1})
	e.accept = func(*Session, *http.Request) Handler { panic("on purpose") }
	for range 3 {
		if status, _, _ := request(t, "GET", e.url+"?EIO=4&transport=polling", nil, nil); status != 500 {
			t.Errorf("polling is answered %d", status)
		}
		conn := rawWebSocket(t, e, "")
		if code := closeCodeOf(conn); code != 1011 {
			t.Errorf("closed with %d", code)
		}
		waittest.Until(t, "the place is free", func() bool { return e.places() == 0 })
	}
	if n := e.HandlerPanics(); n != 6 {
		t.Errorf("%d panics are counted", n)
	}
	sessions := make(chan *recorder, 1)
	e.accept = accepting(sessions)
	engineiotest.Dial(t, e.url, engineiotest.Options{}).SendText("hi")
	if got := receive(t, sessions, "a session").message(t); got != "hi" {
		t.Errorf("got %q", got)
	}
}

// A panic of Hooks.HandlerPanic itself ends nothing more.
func TestHandlerPanicPanics(t *testing.T) {
	e := serve(t, Options{Hooks: Hooks{HandlerPanic: func(*Session, error) { panic("again") }}})
	e.accept = acceptFuncs(HandlerFuncs{Message: func(*Session, []byte, bool) { panic("on purpose") }})
	for range 3 {
		c := engineiotest.Dial(t, e.url, engineiotest.Options{})
		c.SendText("x")
		if end := c.End(); end.Code != 1011 {
			t.Errorf("the client saw %+v", end)
		}
	}
}
