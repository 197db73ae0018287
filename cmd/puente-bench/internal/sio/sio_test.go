package sio

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/golang-jwt/jwt/v5"
	"github.com/puente-io/puente/cmd/puente-bench/internal/loop"
)

const waitTimeout = 30 * time.Second // no correct result depends on its value

type recorder struct {
	ready   bool
	packets []string
	err     error
}

func (r *recorder) Ready(c Client)            { r.ready = true; c.Send([]byte(`2["ping"]`)) }
func (r *recorder) Packet(_ Client, p []byte) { r.packets = append(r.packets, string(p)) }
func (r *recorder) Attachment(_ Client, p []byte) {
	r.packets = append(r.packets, "attachment "+string(p))
}
func (r *recorder) Closed(_ Client, err error) { r.err = err }

func run(t *testing.T, h http.Handler, dial func(loop.Loop, *Options, int, string, Handler) Client, done func(*recorder) bool) *recorder {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	l, err := loop.New([]string{server.Listener.Addr().String()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &recorder{}
	dial(l, &Options{Host: server.Listener.Addr().String(), Browser: true}, 7, "tok", r)
	if err := l.Run(context.Background(), waitTimeout, func() bool { return done(r) }); err != nil {
		t.Fatalf("%v with %+v", err, r)
	}
	return r
}

// socket serves WebSocket connections by a script: it sends each line, except that for a line "<message" it waits for that
// message.
func socket(t *testing.T, script ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		for _, line := range script {
			if want, in := strings.CutPrefix(line, "<"); in {
				got, err := wsutil.ReadClientText(conn)
				if err != nil || string(got) != want {
					t.Errorf("server got %q, error %v; want %q", got, err, want)
					return
				}
			} else if b, in := strings.CutPrefix(line, "binary "); in {
				err = wsutil.WriteServerBinary(conn, []byte(b))
			} else if b, in := strings.CutPrefix(line, "fragments "); in {
				half := len(b) / 2
				err = errors.Join(ws.WriteFrame(conn, ws.NewFrame(ws.OpText, false, []byte(b[:half]))),
					ws.WriteFrame(conn, ws.NewPingFrame(nil)),
					ws.WriteFrame(conn, ws.NewFrame(ws.OpContinuation, true, []byte(b[half:]))))
			} else {
				err = wsutil.WriteServerText(conn, []byte(line))
			}
			if err != nil {
				t.Error(err)
			}
		}
		wsutil.ReadClientText(conn) // until the client closes
	})
}

func TestWebSocketConversation(t *testing.T) {
	r := run(t, socket(t, `0{"sid":"a","upgrades":[]}`, `<40{"token":"tok"}`, `40{"sid":"b"}`, `<42["ping"]`, "2", "<3",
		`fragments 42["pong",{"timestamp":"now"}]`, `451-["update",{"_placeholder":true,"num":0}]`, "binary xyz"),
		DialWebSocket, func(r *recorder) bool { return len(r.packets) == 3 })
	want := `2["pong",{"timestamp":"now"}] 51-["update",{"_placeholder":true,"num":0}] attachment xyz`
	if got := strings.Join(r.packets, " "); got != want || r.err != nil {
		t.Errorf("got %s, error %v", got, r.err)
	}
}

func TestWebSocketEnds(t *testing.T) {
	for name, c := range map[string]struct {
		h    http.Handler
		want error
	}{
		"plain answer": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", 403) }), ErrHandshake},
		"bad token":    {socket(t, `0{"sid":"a"}`, `<40{"token":"tok"}`, `44{"message":"Authentication failed"}`), ErrConnect},
		"disconnect":   {socket(t, `0{"sid":"a"}`, `<40{"token":"tok"}`, `40{"sid":"b"}`, `<42["ping"]`, `41`), ErrDisconnect},
		"garbage":      {socket(t, "binary x"), ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, c.h, DialWebSocket, func(r *recorder) bool { return r.err != nil })
			if !errors.Is(r.err, c.want) {
				t.Errorf("got %v, want %v", r.err, c.want)
			}
		})
	}
}

func TestPollingConversation(t *testing.T) {
	answers := make(chan string, 4)
	posts := make(chan string, 8)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == "POST":
			body := make([]byte, r.ContentLength)
			if _, err := r.Body.Read(body); err != nil && r.ContentLength == 0 {
				t.Error(err)
			}
			posts <- string(body)
			switch string(body) {
			case `40{"token":"tok"}`:
				answers <- `40{"sid":"b"}`
			case `42["ping"]`:
				answers <- "2\x1e42[\"pong\"]\x1ebeHl6"
			}
			w.Write([]byte("ok"))
		case r.URL.Query().Get("sid") == "":
			w.Write([]byte(`0{"sid":"a"}`))
		case r.URL.Query().Get("sid") == "a":
			select {
			case body := <-answers:
				w.Header().Set("Connection", "close") // the client must dial again
				w.Write([]byte(body))
			case <-r.Context().Done():
			}
		}
	})
	r := run(t, h, DialPolling, func(r *recorder) bool { return len(r.packets) == 2 && len(posts) == 3 || r.err != nil })
	if got := strings.Join(r.packets, " "); got != `2["pong"] attachment xyz` || r.err != nil {
		t.Errorf("got %s, error %v", got, r.err)
	}
	for _, want := range []string{`40{"token":"tok"}`, `42["ping"]`, "3"} {
		if got := <-posts; got != want {
			t.Errorf("posted %q, want %q", got, want)
		}
	}
}

func TestPollingRefused(t *testing.T) {
	r := run(t, http.NotFoundHandler(), DialPolling, func(r *recorder) bool { return r.err != nil })
	if !errors.Is(r.err, ErrHandshake) {
		t.Errorf("got %v, want ErrHandshake", r.err)
	}
}

func TestToken(t *testing.T) {
	s, err := Token("secret", "user-1")
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.MapClaims
	if _, err := jwt.ParseWithClaims(s, &claims, func(*jwt.Token) (any, error) { return []byte("secret"), nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired()); err != nil || claims["userId"] != "user-1" {
		t.Errorf("claims %v, error %v", claims, err)
	}
}
