package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/cluster/health"
	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/socketio"
)

// Sockets that did not authenticate in time and expired tokens have lines of their own.
func TestExpiryIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startOn(t, env{"NODE_ENV": "production"}, raw.NewNetwork())
		for _, sent := range []any{nil, map[string]string{"token": n.token("ana", auth.Grant{TTL: time.Minute})}} {
			raw.Connect(t, n.url, raw.Options{Auth: sent, NetDial: n.dial})
		}
		time.Sleep(2 * time.Minute)
		for message, user := range map[string]any{"authentication timed out": nil, "token expired": "ana"} {
			if got := lines(t, n.log.String(), message); len(got) != 1 || got[0]["user"] != user {
				t.Errorf("%s: %v", message, got)
			}
		}
	})
}

// The log line about presence that catches up does not claim that messages of other
// nodes are missing.
func TestHealthIsLogged(t *testing.T) {
	var out strings.Builder
	l := zerolog.New(&out)
	for _, tt := range []struct {
		part, reason, degraded, restored string
		report                           func(health.Health)
	}{
		{"messages", "connecting to Redis", "cluster degraded, this node serves only its own clients", "cluster connected", adapterHooks(l).Health},
		{"presence", "catching up with the other nodes", "cluster degraded, users of other nodes may be outdated", "presence up to date", presenceHooks(l).Health},
	} {
		tt.report(health.Health{Degraded: true, Reason: tt.reason})
		tt.report(health.Health{})
		if got := lines(t, out.String(), tt.degraded); len(got) != 1 || got[0]["part"] != tt.part || got[0]["reason"] != tt.reason {
			t.Errorf("%s: %s", tt.part, &out)
		}
		if got := lines(t, out.String(), tt.restored); len(got) != 1 || got[0]["part"] != tt.part {
			t.Errorf("%s: %s", tt.part, &out)
		}
	}
}

// lines returns the lines of a log in JSON that have the message, without the time. The
// values of durations and ids are replaced by "*".
func lines(t *testing.T, log, message string) (found []map[string]any) {
	t.Helper()
	for text := range strings.Lines(log) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if line["message"] != message {
			continue
		}
		delete(line, "time")
		delete(line, "message")
		for _, name := range []string{"socket", "after"} {
			if _, ok := line[name]; ok {
				line[name] = "*"
			}
		}
		found = append(found, line)
	}
	return found
}

// The log has a line for each client that connects, leaves or is refused, with its
// address and the reason.
func TestServiceHooks(t *testing.T) {
	n := start(t, env{
		"NODE_ENV": "production", "LOG_LEVEL": "debug", "TRUSTED_PROXIES": "127.0.0.1", "SHUTDOWN_TIMEOUT": "400",
		"WS_CORS_ORIGINS": "https://app.example", "WS_MAX_CONNECTIONS_PER_ADDRESS": "1", "WS_MAX_SOCKETS_PER_USER": "1",
	})
	from := func(address string, auth any) (*raw.Client, string) {
		return raw.Try(t, n.url, raw.Options{Auth: auth, Header: http.Header{"X-Forwarded-For": {address}}})
	}
	token := map[string]string{"token": n.token("ana")}
	c, _ := from("203.0.113.1", token)
	c.Next("authenticated")
	from("203.0.113.2", map[string]string{"token": "x"})
	from("203.0.113.3", token) // one socket too many
	broken, _ := from("203.0.113.4", nil)
	broken.Send("4garbage")
	broken.Ended()
	n.open("203.0.113.1") // one session too many
	n.do("GET", polling+"&sid=nobody", "", "X-Forwarded-For: 203.0.113.5")
	n.upgrade([]string{
		"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"Origin: https://evil.example", "X-Forwarded-For: 203.0.113.6",
	})
	n.do("GET", strings.Replace(polling, "EIO=4", "EIO=3", 1), "", "X-Forwarded-For: 203.0.113.8")
	n.do("GET", strings.Replace(polling, "EIO=4", "EIO="+strings.Repeat("x", 100), 1), "", "X-Forwarded-For: 203.0.113.9")
	n.do("GET", strings.Replace(polling, "EIO=4&", "", 1), "", "X-Forwarded-For: 203.0.113.10")
	n.do("GET", "/api/ws/users", "", "Authorization: Bearer wrong", "X-Forwarded-For: 203.0.113.7")
	c.Ask("publish-update", map[string]any{"roomId": "elsewhere", "type": "x"})
	c.Send("41")
	n.until("all are logged", func() bool {
		text := n.log.String()
		return strings.Contains(text, `"user":"ana","reason":"client namespace disconnect"`) && strings.Contains(text, `"reason":"parse error"`)
	})
	text := n.log.String()
	for message, want := range map[string][]map[string]any{
		"connected": {
			{"level": "info", "socket": "*", "address": "203.0.113.1", "transport": "websocket"},
			{"level": "info", "socket": "*", "address": "203.0.113.4", "transport": "websocket"},
		},
		"authenticated": {{"level": "info", "socket": "*", "address": "203.0.113.1", "user": "ana"}},
		"authentication refused": {
			{"level": "warn", "socket": "*", "address": "203.0.113.2", "code": "token_invalid", "error": "auth: token invalid: malformed"},
			{"level": "warn", "socket": "*", "address": "203.0.113.3", "code": "rate_limited", "error": "realtime: rate_limited: Too many connections for this user"},
		},
		"packet refused": {{"level": "warn", "address": "203.0.113.4", "error": "socketio/packet: unknown packet type"}},
		"handshake refused": {
			{"level": "warn", "address": "203.0.113.1", "code": 4.0, "error": "engineio: Too many connections from this address: engineio: MaxSessionsPerAddress reached"},
			{"level": "debug", "address": "203.0.113.5", "code": 1.0, "error": "engineio: Session ID unknown"},
			{"level": "warn", "address": "203.0.113.6", "code": 4.0, "error": "engineio: Forbidden: engineio: origin not allowed", "origin": "https://evil.example", "host": n.Addr().String(), "hint": originHint},
			{"level": "warn", "address": "203.0.113.8", "code": 5.0, "error": "engineio: Unsupported protocol version: EIO 3, a client of Socket.IO 1.x or 2.x", "hint": "WS_ALLOW_EIO3=true admits these clients"},
			{"level": "warn", "address": "203.0.113.9", "code": 5.0, "error": `engineio: Unsupported protocol version: EIO "xxxxxxxxxxxxxxxx"`},
			{"level": "warn", "address": "203.0.113.10", "code": 5.0, "error": "engineio: Unsupported protocol version: no EIO, not a client of Socket.IO 1.x or later"},
		},
		"API key refused": {{"level": "warn", "address": "203.0.113.7", "method": "GET", "path": "/api/ws/users"}},
		"event failed":    {{"level": "debug", "socket": "*", "address": "203.0.113.1", "event": "publish-update", "error": "realtime: unauthorized: Unauthorized (not_a_member)"}},
	} {
		if got := lines(t, text, message); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\nwant %v", message, got, want)
		}
	}
	gone := lines(t, text, "disconnected")
	if len(gone) != 2 {
		t.Fatalf("disconnected: %v", gone)
	}
	for _, line := range gone {
		if line["after"] != "*" || line["reason"] == nil || line["socket"] != "*" || line["address"] == nil || (line["user"] == nil) != (line["address"] == "203.0.113.4") {
			t.Errorf("disconnected: %v", line)
		}
	}
}

// HARDENING, limits: the log grows slowly, whatever a client repeats and however long
// its texts are.
func TestLogIsBounded(t *testing.T) {
	long := strings.Repeat("x", 8_000)
	const each = 120 // at one moment of the bubble's clock: of a kind 50 are logged, and the first of a thousand
	synctest.Test(t, func(t *testing.T) {
		n := startOn(t, env{
			"NODE_ENV": "production", "LOG_LEVEL": "debug", "WS_CORS_ORIGINS": "https://app.example", "WS_RATE_LIMIT": "0",
			"TRUSTED_PROXIES": "127.0.0.1",
		}, raw.NewNetwork())
		c := n.device("ana")
		for i := range each {
			n.do("GET", "/socket.io/?EIO=4&transport="+long, "", "X-Forwarded-For: fe80::1%"+long)
			n.do("GET", strings.Replace(polling, "EIO=4", "EIO=3", 1), "")
			n.do("GET", "/api/ws/users/"+long+"?token="+long, "", "Authorization: Bearer "+long)
			n.upgrade([]string{
				"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
				"Origin: https://" + long,
			})
			raw.Try(t, n.url, raw.Options{Auth: map[string]string{"token": long}, NetDial: n.dial})
			c.Emit(fmt.Sprint(i%7, long), long)
			c.Emit("join-room", map[string]string{"roomId": long})
		}
		c.Ask("ping")
		text := n.log.String()
		for message, want := range map[string]int{
			"handshake refused": 3 * 51, "API key refused": 51, "authentication refused": 51, "event failed": 51,
			"unhandled event (logged once per name)": 7, "connected": 1,
		} {
			if got := len(lines(t, text, message)); got != want {
				t.Errorf("%s: %d lines, want %d", message, got, want)
			}
		}
		for line := range strings.Lines(text) {
			if len(line) > 1000 {
				t.Errorf("a line of %d bytes: %.300s", len(line), line)
			}
		}
	})
}

// A panic of a program's function that handles no event is logged once, like a panic of
// an event handler.
func TestLogOfPanics(t *testing.T) {
	n := start(t, env{"NODE_ENV": "production", "SHUTDOWN_TIMEOUT": "400"})
	ns := n.SocketIO().Namespace("/")
	ns.OnConnect(func(context.Context, *socketio.Socket) error { panic("while connecting") })
	ns.OnDisconnect(func(context.Context, *socketio.Socket, socketio.Reason) { panic("while leaving") })
	raw.Connect(t, n.url, raw.Options{}).Disconnected()
	n.until("both are logged", func() bool { return strings.Contains(n.log.String(), "while leaving") })
	got := lines(t, n.log.String(), "handler failed")
	if len(got) != 2 {
		t.Fatalf("got %v", got)
	}
	for i, what := range []string{"while connecting", "while leaving"} {
		if text := fmt.Sprint(got[i]["error"]); got[i]["level"] != "error" || got[i]["socket"] != "*" || got[i]["address"] != "127.0.0.1" ||
			!strings.Contains(text, what) || !strings.Contains(text, "log_test.go") {
			t.Errorf("got %v", got[i])
		}
	}
}

// Errors of the HTTP server are logged at level error, repeated ones only now and then,
// and those of single connections at level debug.
func TestComplaints(t *testing.T) {
	for level, want := range map[string]int{"debug": 3, "info": 2, "error": 2} {
		out := new(logBuffer)
		l := errorLog(newLogger(config.Config{LogLevel: level, LogFormat: "json"}, out))
		l.Printf("http: TLS handshake error from 203.0.113.1:1: %s", strings.Repeat("x", 100_000))
		for range 1000 { // as long as it lasts
			l.Printf("http: Accept error: too many open files; retrying in 5ms")
		}
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oops") }))
		srv.Config.ErrorLog = l
		srv.Start()
		if _, err := http.Get(srv.URL); err == nil {
			t.Error("a panic was answered")
		}
		srv.Close()
		text := out.String()
		if got := strings.Count(text, "\n"); got != want || len(text) > 2*maxTrace {
			t.Errorf("level %s: %d lines, %d bytes: %s", level, got, len(text), text)
		}
		if strings.Count(text, `"level":"error"`) != 2 {
			t.Errorf("level %s: %s", level, text)
		}
	}
}
