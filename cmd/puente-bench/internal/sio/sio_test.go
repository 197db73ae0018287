package sio

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
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
	return runForm(t, Text, h, dial, done)
}

func runForm(t *testing.T, form Form, h http.Handler, dial func(loop.Loop, *Options, int, string, Handler) Client, done func(*recorder) bool) *recorder {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	l, err := loop.New([]string{server.Listener.Addr().String()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &recorder{}
	dial(l, &Options{Host: server.Listener.Addr().String(), Browser: true, Form: form}, 7, "tok", r)
	if err := l.Run(context.Background(), waitTimeout, func() bool { return done(r) }); err != nil {
		t.Fatalf("%v with %+v", err, r)
	}
	return r
}

// socket serves WebSocket connections by a script: it sends each line, except that for a line "<message" it waits for that
// message, and for "<binary message" for a binary one in hexadecimal.
func socket(t *testing.T, script ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, script := ws.HTTPUpgrader{}, script
		if len(script) > 0 && script[0] == "deflate" {
			u.Negotiate = (&wsflate.Extension{Parameters: wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}}).Negotiate
			script = script[1:]
		}
		conn, _, _, err := u.Upgrade(r, w)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		for _, line := range script {
			if want, in := strings.CutPrefix(line, "<binary "); in {
				got, err := wsutil.ReadClientBinary(conn)
				if err != nil || hex.EncodeToString(got) != want {
					t.Errorf("server got %x, error %v; want %s", got, err, want)
					return
				}
			} else if want, in := strings.CutPrefix(line, "<"); in {
				got, err := wsutil.ReadClientText(conn)
				if err != nil || string(got) != want {
					t.Errorf("server got %q, error %v; want %q", got, err, want)
					return
				}
			} else if b, in := strings.CutPrefix(line, "binary "); in {
				err = wsutil.WriteServerBinary(conn, []byte(b))
			} else if b, in := strings.CutPrefix(line, "hex "); in {
				p, _ := hex.DecodeString(b)
				err = wsutil.WriteServerBinary(conn, p)
			} else if b, in := strings.CutPrefix(line, "compressed "); in {
				var f ws.Frame
				if f, err = wsflate.CompressFrame(ws.NewTextFrame([]byte(b))); err == nil {
					err = ws.WriteFrame(conn, f)
				}
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

func TestDeflateClient(t *testing.T) {
	large := `2["update","` + strings.Repeat("abcd", 500) + `"]`
	script := []string{"deflate", `0{"sid":"a"}`, `<40{"token":"tok"}`, `40{"sid":"b"}`, `<42["ping"]`}
	r := runForm(t, Deflate, socket(t, append(script, "compressed 4"+large, `42["pong"]`, "compressed 4"+large)...),
		DialWebSocket, func(r *recorder) bool { return len(r.packets) == 3 })
	if got, want := strings.Join(r.packets, " "), large+` 2["pong"] `+large; got != want || r.err != nil {
		t.Errorf("got %s, error %v", got, r.err)
	}
	for _, c := range []struct {
		script []string
		want   error
	}{
		{nil, ErrHandshake}, // without the extension
		{append(script, "4"+large), ErrProtocol},
	} {
		r := runForm(t, Deflate, socket(t, c.script...), DialWebSocket, func(r *recorder) bool { return r.err != nil })
		if !errors.Is(r.err, c.want) {
			t.Errorf("got %v, want %v", r.err, c.want)
		}
	}
}

// The bytes are those of socket.io-msgpack-parser 3.0.2, but for the order of keys.
func TestMsgpackClient(t *testing.T) {
	const (
		connect = "83a474797065" + "00" + "a464617461" + "81a5746f6b656ea3746f6b" + "a36e7370a12f"
		ping    = "83a474797065" + "02" + "a464617461" + "91a470696e67" + "a36e7370a12f"
		opened  = "83a474797065" + "00" + "a464617461" + "81a3736964a162" + "a36e7370a12f"
		ack     = "84a26964cd012c" + "a474797065" + "03" + "a464617461" + "9181a773756363657373c3" + "a36e7370a12f"
		other   = "83a474797065" + "02" + "a464617461" + "91a470696e67" + "a36e7370a22f61"
	)
	r := runForm(t, Msgpack, socket(t, `0{"sid":"a"}`, "<binary "+connect, "hex "+opened, "<binary "+ping, "2", "<3", "hex "+ack),
		DialWebSocket, func(r *recorder) bool { return len(r.packets) == 1 || r.err != nil })
	if got := strings.Join(r.packets, " "); got != `3300[{"success":true}]` || r.err != nil {
		t.Errorf("got %s, error %v", got, r.err)
	}
	for name, last := range map[string]string{"another namespace": "hex " + other, "not a map": "hex 01", "no type": "hex 80"} {
		r := runForm(t, Msgpack, socket(t, `0{"sid":"a"}`, "<binary "+connect, "hex "+opened, "<binary "+ping, last),
			DialWebSocket, func(r *recorder) bool { return r.err != nil })
		if !errors.Is(r.err, ErrProtocol) {
			t.Errorf("%s: got %v", name, r.err)
		}
	}
}

// What is packed is unpacked as it was.
func TestPacker(t *testing.T) {
	var k packer
	for _, p := range []string{`2["ping"]`, `2["ping"]`, `20["a",{"z":1,"b":[true,null,-7,1.5,1234567890123,"é\"\n"]},{}]`, `3300[]`, `0{"token":"x"}`, `0`} {
		b, err := k.pack([]byte(p))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.unpack(b); err != nil || string(got) != p {
			t.Errorf("%s became %s, %v", p, got, err)
		}
	}
	for _, p := range []string{"", "x", `51-["a",{"_placeholder":true,"num":0}]`, `2["a"`} {
		if b, err := k.pack([]byte(p)); err == nil {
			t.Errorf("%q became % x", p, b)
		}
	}
	if b, err := k.pack([]byte(`2["a"`)); err == nil {
		t.Errorf("the second time it became % x", b)
	}
}

// A client of protocol 3 sends no CONNECT, and pings.
func TestProtocol3Client(t *testing.T) {
	queries := make(chan string, 1)
	h := socket(t, `0{"sid":"a"}`, "40", `<42["ping"]`, `42["pong"]`, "<2", "3", `42["after"]`)
	pinged := false
	var client Client
	r := runForm(t, Protocol3, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { queries <- r.URL.RawQuery; h.ServeHTTP(w, r) }),
		func(l loop.Loop, o *Options, i int, token string, h Handler) Client {
			client = DialWebSocket(l, o, i, token, h)
			client.Ping() // is not ready
			return client
		}, func(r *recorder) bool {
			if len(r.packets) == 1 && !pinged {
				pinged = true
				client.Ping()
			}
			return len(r.packets) == 2 || r.err != nil
		})
	query := ""
	select {
	case query = <-queries:
	default: // it has not come so far
	}
	if r.err != nil || query != "EIO=3&transport=websocket&token=tok" {
		t.Errorf("query %s, error %v", query, r.err)
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
