package engineio

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/engineio/engineiotest"
)

var wsHeader = http.Header{
	"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
	"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
}

func TestHandshakeErrors(t *testing.T) {
	refused := make(chan *HandshakeError, 1)
	e := serve(t, Options{
		Hooks: Hooks{Refused: func(_ *http.Request, e *HandshakeError) { refused <- e }},
		AllowRequest: func(r *http.Request) error {
			switch r.Header.Get("X-Test") {
			case "":
				return nil
			case "say":
				return &Refusal{Message: `no "thanks"`}
			}
			return errors.New("a secret")
		},
	})
	for _, tc := range []struct {
		name, method, query string
		header              http.Header
		status              int
		body                string
	}{
		{"no transport", "GET", "EIO=4", nil, 400, `{"code":0,"message":"Transport unknown"}`},
		{"prototype", "GET", "EIO=4&transport=__proto__", nil, 400, `{"code":0,"message":"Transport unknown"}`},
		{"constructor", "GET", "EIO=4&transport=constructor", nil, 400, `{"code":0,"message":"Transport unknown"}`},
		{"constructor over an upgrade", "GET", "EIO=4&transport=constructor", wsHeader, 400, "Transport unknown"},
		{"sid", "GET", "EIO=4&transport=polling&sid=nobody", nil, 400, `{"code":1,"message":"Session ID unknown"}`},
		{"sid over an upgrade", "GET", "EIO=4&transport=websocket&sid=nobody", wsHeader, 400, "Session ID unknown"},
		{"method", "POST", "EIO=4&transport=polling", nil, 400, `{"code":2,"message":"Bad handshake method"}`},
		{"websocket without an upgrade", "GET", "EIO=4&transport=websocket", nil, 400, `{"code":3,"message":"Bad request"}`},
		{"forbidden", "GET", "EIO=4&transport=polling", http.Header{"X-Test": {"x"}}, 403, `{"code":4,"message":"Forbidden"}`},
		{"refusal", "GET", "EIO=4&transport=polling", http.Header{"X-Test": {"say"}}, 403, `{"code":4,"message":"no \"thanks\""}`},
		{"protocol 3", "GET", "EIO=3&transport=polling", nil, 400, `{"code":5,"message":"Unsupported protocol version"}`},
		{"no protocol", "GET", "transport=polling", nil, 400, `{"code":5,"message":"Unsupported protocol version"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, body, _ := request(t, tc.method, e.url+"?"+tc.query, tc.header, nil)
			if status != tc.status || body != tc.body {
				t.Errorf("got %d %s, want %d %s", status, body, tc.status, tc.body)
			}
			if r := receive(t, refused, "the hook's news"); !strings.Contains(tc.body, r.Message) && r.Message != `no "thanks"` {
				t.Errorf("the hook got %q", r.Message)
			}
		})
	}
	if n := e.Count(); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func TestHandshake(t *testing.T) {
	e := serve(t, Options{
		InitialPacket:  []byte("hello"),
		Cookie:         &http.Cookie{HttpOnly: true},
		InitialHeaders: func(h http.Header, r *http.Request) { h.Set("X-Initial", r.URL.Query().Get("transport")) },
		Headers:        func(h http.Header, _ *http.Request) { h.Set("X-Every", "yes") },
	})
	status, body, h := request(t, "GET", e.url+"?EIO=4&transport=polling&a=1", nil, nil)
	r := e.next(t)
	open, rest, _ := strings.Cut(body, "\x1e")
	var got engineiotest.Handshake
	if err := json.Unmarshal([]byte(open[1:]), &got); err != nil || status != 200 || open[0] != '0' {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	want := engineiotest.Handshake{SID: r.session.ID(), Upgrades: []string{"websocket"}, PingInterval: 25000, PingTimeout: 20000, MaxPayload: 1e6}
	if !reflect.DeepEqual(got, want) || len(got.SID) != 20 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if rest != "4hello" {
		t.Errorf("initial packet: %q", rest)
	}
	if c := h.Get("Set-Cookie"); c != "io="+got.SID+"; Path=/; HttpOnly" {
		t.Errorf("cookie: %q", c)
	}
	if h.Get("X-Initial") != "polling" || h.Get("X-Every") != "yes" {
		t.Errorf("headers: %v", h)
	}
	_, _, h = request(t, "POST", e.url+"?EIO=4&transport=polling&sid="+got.SID, nil, strings.NewReader("4x"))
	if h.Get("X-Initial") != "" || h.Get("X-Every") != "yes" {
		t.Errorf("headers of a POST: %v", h)
	}
	req := r.session.Request()
	if req.Query().Get("a") != "1" || req.RemoteAddr != "127.0.0.1" || r.session.RemoteAddr() != req.RemoteAddr || req.Header.Get("User-Agent") == "" || req.Header.Get("Host") == "" || req.Secure {
		t.Errorf("remembered: %+v", req)
	}

	c, r := e.dial(t, false)
	if len(c.Handshake.Upgrades) != 0 || c.Text() != "hello" || r.session.Transport() != "websocket" {
		t.Errorf("WebSocket handshake: %+v", c.Handshake)
	}
}

func TestTransportsTakenAway(t *testing.T) {
	for _, tc := range []struct {
		opts             Options
		polling, upgrade bool
		transport        string
	}{
		{Options{DisablePolling: true}, false, false, "polling"},
		{Options{DisableWebSocket: true}, true, false, "websocket"},
		{Options{DisableUpgrades: true}, true, false, ""},
	} {
		e := serve(t, tc.opts)
		if tc.transport != "" {
			if status, body, _ := request(t, "GET", e.url+"?EIO=4&transport="+tc.transport, nil, nil); status != 400 || !strings.Contains(body, "Transport unknown") {
				t.Errorf("%+v: %d %s", tc.opts, status, body)
			}
		}
		c, _ := e.dial(t, tc.polling)
		if len(c.Handshake.Upgrades) != 0 {
			t.Errorf("%+v: upgrades %v", tc.opts, c.Handshake.Upgrades)
		}
		if tc.polling {
			status, _, _ := request(t, "GET", e.url+"?EIO=4&transport=websocket&sid="+c.Handshake.SID, wsHeader, nil)
			if status != 400 {
				t.Errorf("%+v: an upgrade was answered %d", tc.opts, status)
			}
		}
	}
}

// While AllowRequest decides about one client, others are served.
func TestAllowRequestMayWait(t *testing.T) {
	release := make(chan struct{})
	e := serve(t, Options{AllowRequest: func(r *http.Request) error {
		if r.Header.Get("X-Slow") != "" {
			<-release
		}
		return nil
	}})
	done := make(chan string)
	go func() {
		_, body, _ := request(t, "GET", e.url+"?EIO=4&transport=polling", http.Header{"X-Slow": {"1"}}, nil)
		done <- body
	}()
	c, _ := e.dial(t, false)
	c.SendText("quick")
	if got := c.Text(); got != "quick" {
		t.Errorf("got %q", got)
	}
	close(release)
	if body := receive(t, done, "the slow answer"); !strings.HasPrefix(body, "0{") {
		t.Errorf("got %s", body)
	}
}

func TestCheckOrigin(t *testing.T) {
	e := serve(t, Options{CheckOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") != "https://evil.example" }})
	url, _ := open(t, e)
	evil := wsHeader.Clone()
	evil.Set("Origin", "https://evil.example")
	for _, u := range []string{e.url + "?EIO=4&transport=websocket", strings.Replace(url, "polling", "websocket", 1)} {
		if status, body, _ := request(t, "GET", u, evil, nil); status != 400 || body != "Forbidden" {
			t.Errorf("%s: %d %s", u, status, body)
		}
	}
	engineiotest.Dial(t, e.url, engineiotest.Options{Header: http.Header{"Origin": {"https://good.example"}}})
}

// Errors carry CORS headers too: without them a page could not read the error code.
func TestCORSOnErrorsAndPreflights(t *testing.T) {
	e := serve(t, Options{CORS: &CORS{Origins: []string{"https://a.example", "https://b.example"}, Credentials: true}})
	h := http.Header{"Origin": {"https://b.example"}}
	status, _, got := request(t, "GET", e.url, h, nil)
	if status != 400 || got.Get("Access-Control-Allow-Origin") != "https://b.example" || got.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("an error: %d %v", status, got)
	}
	status, _, got = request(t, "OPTIONS", e.url, http.Header{"Origin": {"https://b.example"}, "Access-Control-Request-Headers": {"x-a"}}, nil)
	if status != 204 || got.Get("Access-Control-Allow-Headers") != "x-a" || got.Get("Vary") != "Origin, Access-Control-Request-Headers" {
		t.Errorf("a preflight: %d %v", status, got)
	}
	_, _, got = request(t, "GET", e.url, http.Header{"Origin": {"https://evil.example"}}, nil)
	if got.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a foreign origin: %v", got)
	}
}

// A WebSocket that was accepted just before the server began to drain is closed and
// removed.
func TestHandshakeWhileDrainBegins(t *testing.T) {
	e := serve(t, Options{})
	accept := e.accept
	e.accept = func(s *Session, r *http.Request) Handler {
		e.Drain(t.Context(), 0)
		return accept(s, r)
	}
	conn := rawWebSocket(t, e, "")
	if got := readFrame(conn); got != "8 " {
		t.Errorf("got %q, want a close frame", got)
	}
	if got := e.next(t).reason(t); got != ReasonShutdown {
		t.Errorf("reason %q", got)
	}
}
