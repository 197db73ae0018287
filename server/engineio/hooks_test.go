package engineio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/waittest"
)

// Each session is opened once and closed once, whatever happens to it.
func TestHooks(t *testing.T) {
	var mu sync.Mutex
	log := map[*Session][]string{}
	note := func(s *Session, what string) {
		mu.Lock()
		defer mu.Unlock()
		log[s] = append(log[s], what)
	}
	e := serve(t, Options{Hooks: Hooks{
		SessionOpened:   func(s *Session) { note(s, "opened") },
		SessionUpgraded: func(s *Session) { note(s, "upgraded to "+s.Transport()) },
		SessionClosed:   func(s *Session, reason Reason, _ error) { note(s, string(reason)) },
	}})
	accept := e.accept
	e.accept = func(s *Session, r *http.Request) Handler {
		note(s, "accepted")
		if r.URL.Query().Get("panic") != "" {
			panic("on purpose")
		}
		return accept(s, r)
	}
	c, r := e.dial(t, true)
	c.Upgrade()
	c.SendText("x")
	r.message(t)
	c.Close()
	r.reason(t)
	request(t, "GET", e.url+"?EIO=4&transport=polling&panic=yes", nil, nil)
	waittest.Until(t, "both are closed", func() bool {
		mu.Lock()
		defer mu.Unlock()
		n := 0
		for _, l := range log {
			if len(l) > 2 {
				n++
			}
		}
		return n == 2
	})
	mu.Lock()
	defer mu.Unlock()
	for s, got := range log {
		want := []string{"opened", "accepted", string(ReasonInternalError)}
		if s == r.session {
			want = []string{"opened", "accepted", "upgraded to websocket", string(ReasonTransportClose)}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A panic of a hook, or of Options.Context or NewID, is reported and changes nothing else.
func TestHooksPanic(t *testing.T) {
	reports := make(chan error, 100)
	say := func() { panic("on purpose") }
	e := serve(t, Options{
		Context: func(*http.Request) context.Context { say(); return nil },
		NewID:   func() string { say(); return "" },
		Hooks: Hooks{
			SessionOpened:   func(*Session) { say() },
			SessionUpgraded: func(*Session) { say() },
			SessionClosed:   func(*Session, Reason, error) { say() },
			Refused:         func(*http.Request, *HandshakeError) { say() },
			HandlerPanic:    func(_ *Session, err error) { reports <- err },
		},
	})
	request(t, "GET", e.url, nil, nil)
	c, r := e.dial(t, true)
	c.Upgrade()
	c.SendText("still here")
	if got := c.Text(); got != "still here" {
		t.Errorf("got %q", got)
	}
	c.Close()
	r.reason(t)
	for range 6 {
		if err := receive(t, reports, "a report"); !errors.Is(err, ErrPanic) {
			t.Errorf("reported %v", err)
		}
	}
	if n := e.HandlerPanics(); n != 6 || len(reports) != 0 {
		t.Errorf("%d panics are counted", n)
	}
}

type userKey struct{}

// The values that an HTTP middleware has put into the context of a request can be read
// as long as the session lives, over every transport, unless Options.Context chooses
// another context.
func TestSessionContext(t *testing.T) {
	for _, overTLS := range []bool{false, true} {
		for _, polling := range []bool{false, true} {
			for want, choose := range map[string]func(*http.Request) context.Context{
				"ana": nil,
				"ben": func(r *http.Request) context.Context { return context.WithValue(t.Context(), userKey{}, "ben") },
				"":    func(*http.Request) context.Context { return nil },
			} {
				e := serveOn(t, Options{Context: choose}, overTLS)
				e.wrap = func(w http.ResponseWriter, r *http.Request) {
					e.Server.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, "ana")))
				}
				_, r := e.dial(t, polling)
				ctx := r.session.Context()
				if user, _ := ctx.Value(userKey{}).(string); user != want || ctx.Err() != nil || ctx.Done() != nil {
					t.Errorf("user %q, want %q; %v", user, want, ctx.Err())
				}
				if state := r.session.TLS(); (state != nil) != overTLS || overTLS && !state.HandshakeComplete {
					t.Errorf("over TLS %v: %+v", overTLS, state)
				}
			}
		}
	}
}

// Options.NewID chooses session ids; a handshake for which it returns an id in use is
// refused.
func TestNewID(t *testing.T) {
	ids := make(chan string, 3)
	ids <- "first"
	ids <- "second"
	ids <- "first"
	e := serve(t, Options{NewID: func() string { return <-ids }})
	for _, want := range []string{"first", "second"} {
		if c, r := e.dial(t, want == "first"); c.Handshake.SID != want || r.session.ID() != want {
			t.Errorf("id %q, want %q", c.Handshake.SID, want)
		}
	}
	if status, body, _ := request(t, "GET", e.url+"?EIO=4&transport=polling", nil, nil); status != 403 {
		t.Errorf("a second session of one id: %d %s", status, body)
	}
	if e.Session("first") == nil || e.Count() != 2 {
		t.Error("the first session is lost")
	}
	close(ids) // "" is no id
	c := engineiotest.Dial(t, e.url, engineiotest.Options{})
	if len(c.Handshake.SID) != 20 {
		t.Error(fmt.Sprint("id ", c.Handshake.SID))
	}
}
