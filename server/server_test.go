package server

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/puente-io/puente/compat/raw"
)

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	// With a key set whose fetch the node must end.
	keys := httptest.NewServer(http.NotFoundHandler())
	defer keys.Close()
	_, err = New(env{"HTTP_PORT": port, "JWT_JWKS_URL": keys.URL}.parse(t), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "HTTP_PORT") || !strings.Contains(err.Error(), "127.0.0.1:"+port) ||
		!strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error %v", err)
	}
}

var jwt = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`)

// Without a source of keys the log shows a token that connects.
func TestDevelopmentSecret(t *testing.T) {
	n := start(t, env{"JWT_SECRET": ""})
	n.do("GET", "/healthz", "") // it serves, so it has greeted
	var token string
	for range 1000 {
		if token = jwt.FindString(n.log.String()); token != "" {
			break
		}
		n.do("GET", "/healthz", "")
	}
	c := raw.Connect(t, n.url, raw.Options{Auth: map[string]string{"token": token}})
	if e := c.Next("authenticated"); !strings.Contains(e.Arg(0), `"userId":"demo"`) {
		t.Errorf("authenticated %s", e.Arg(0))
	}
	if !strings.Contains(n.log.String(), `.io("`+n.url+`"`) {
		t.Errorf("the command does not name the address: %s", n.log)
	}
	// The secret of one run is not that of the next.
	_, refusal := raw.Try(t, start(t, env{"JWT_SECRET": ""}).url, raw.Options{Auth: map[string]string{"token": token}})
	if !strings.Contains(refusal, "token_invalid") {
		t.Errorf("another run's token: %s", refusal)
	}
}

// HARDENING, tokens: tokens and secrets never reach a log; neither do payloads.
func TestLogHasNoSecrets(t *testing.T) {
	for _, production := range []string{"production", ""} {
		n := start(t, env{"SHUTDOWN_TIMEOUT": "400", "LOG_LEVEL": "trace", "NODE_ENV": production, "JWT_SECRET_PREVIOUS": "the previous secret, long enough too"})
		const marker = "WHAT-USERS-SAY"
		c := n.device("ana")
		c.Ask("join-room", "r")
		c.Ask("authenticate", map[string]string{"token": n.token("ana")})
		c.Ask("authenticate", map[string]string{"token": n.token("ben")})
		c.Ask("authenticate", map[string]string{"token": "not.a." + marker})
		c.Ask("authenticate", marker)
		c.Ask("publish-update", map[string]any{"roomId": "r", "type": "x", "payload": marker})
		c.Ask("publish-update", map[string]any{"roomId": "r", "type": 7, "payload": marker})
		c.Ask("publish-update", map[string]any{"roomId": []string{marker}, "type": "x"})
		c.Ask("publish-notification", map[string]any{"targetUserId": "ana", "type": "INFO", "title": marker, "message": marker, "priority": marker})
		c.Emit("nobody-handles-this", marker)
		_, refusal := raw.Try(t, n.url, raw.Options{Auth: map[string]string{"token": n.token("ana")[:40] + marker}})
		if refusal == "" {
			t.Error("a broken token was accepted")
		}
		n.do("POST", "/api/ws/updates", `{"roomId":"r","type":"x","payload":"`+marker+`"}`, "Authorization: Bearer "+apiKey)
		n.do("POST", "/api/ws/updates", marker, "Authorization: Bearer "+apiKey)
		n.do("POST", "/api/ws/updates", marker, "Authorization: Bearer "+marker)
		for _, target := range []string{polling, polling + "&sid=nobody", "/socket.io/?EIO=4&transport=none", "/api/ws/users", "/nowhere?x"} {
			n.do("GET", target+"&token="+marker+"&apiKey="+apiKey, "", "Authorization: Basic "+marker, "Cookie: session="+marker, "Referer: http://x/?"+marker)
		}
		n.do("POST", polling+"&sid=nobody&token="+marker, marker, "Authorization: Bearer "+n.token("ana"))
		raw.Connect(t, n.url, raw.Options{
			Auth:   map[string]string{"password": marker},
			Header: http.Header{"Authorization": {"Bearer " + n.token("ana")}, "Cookie": {"session=" + marker}},
		}).Close()
		broken := n.device("ana")
		broken.Send(`42["` + marker + `"`)
		broken.Ended()
		n.stop()
		if err := <-n.ran; err != nil {
			t.Error(err)
		}
		text := n.log.String()
		for _, secret := range []string{marker, jwtSecret, apiKey, "the previous secret", n.token("ana")[:20], "eyJ"} {
			if strings.Contains(text, secret) {
				t.Errorf("the log has %q: %s", secret, text)
			}
		}
		for _, line := range []string{"connected", "authenticated", "authentication refused", "handshake refused", "API key refused", "event failed", "packet refused", "nobody-handles-this", "disconnected"} {
			if !strings.Contains(text, line) {
				t.Errorf("the log has no %q: %s", line, text)
			}
		}
		if production == "" {
			continue
		}
		for line := range strings.Lines(text) {
			if !json.Valid([]byte(line)) {
				t.Errorf("a line in production is not JSON: %s", line)
			}
		}
	}
}

// Names of events come from clients, so the log contains only the beginning of each.
func TestLogClipsNames(t *testing.T) {
	n := start(t, nil)
	c := n.device("ana")
	c.Emit(strings.Repeat("é", 100_000))
	c.Emit(strings.Repeat("é", 100_000))
	c.Ask("ping")
	text := n.log.String()
	if got := strings.Count(text, "unhandled event ("); got != 1 || len(text) > 10_000 {
		t.Errorf("%d lines, %d bytes", got, len(text))
	}
}

func TestPresenceMaxZero(t *testing.T) {
	n := start(t, env{"WS_PRESENCE_MAX": "0"})
	a := n.device("a")
	a.Ask("join-room", "r")
	n.device("b").Ask("join-room", "r")
	if names := a.Names(); len(names) > 0 {
		t.Errorf("events %v", names)
	}
}

func TestRateLimitZero(t *testing.T) {
	for _, e := range []env{{"WS_RATE_LIMIT": "0"}, {"WS_RATE_WINDOW": "0"}} {
		c := start(t, e).device("ana")
		for range 150 {
			c.Emit("leave-room", "r")
		}
		if a := c.Ask("join-room", "r"); !strings.Contains(a.Arg(0), `"success":true`) {
			t.Errorf("%v: %s", e, a.Arg(0))
		}
	}
}

// Every path that begins with the endpoint's belongs to it, as on Node, and nothing is
// redirected.
func TestEndpointPath(t *testing.T) {
	n := start(t, env{})
	for path, want := range map[string]int{
		"/socket.io/": 400, "/socket.io/any": 400, "/socket.io/../": 400, "/socket.io//": 400, // no transport
		"//socket.io/": 400, "///socket.io///any": 400, // not redirected
		"/socket.io": 404, "//socket.io": 404, "/socket.iox/": 404, "/": 404, "//": 404,
	} {
		if status, _, h := n.do("GET", path+"?EIO=4", ""); status != want {
			t.Errorf("%s: %d to %q, want %d", path, status, h.Get("Location"), want)
		}
	}
}

// WS_ADD_TRAILING_SLASH=false serves the path without the slash, and with it, as
// Node does.
func TestNoTrailingSlash(t *testing.T) {
	n := start(t, env{"WS_ADD_TRAILING_SLASH": "false"})
	for path, want := range map[string]int{
		"/socket.io": 200, "/socket.io/": 200, "//socket.io": 200, "//socket.io//": 200, "/socket.iox": 404, "/socket.io.js": 404,
	} {
		if status, _, h := n.do("GET", path+"?EIO=4&transport=polling", ""); status != want {
			t.Errorf("%s: %d to %q, want %d", path, status, h.Get("Location"), want)
		}
	}
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	strict := start(t, env{})
	for path, want := range map[string]int{"/socket.io": 101, "/socket.io/": 101, "//socket.io/": 101} {
		if status, _ := n.ask(path+"?EIO=4&transport=websocket", "x", upgrade); status != want {
			t.Errorf("WebSocket at %s: %d, want %d", path, status, want)
		}
		if path == "/socket.io" {
			want = 404
		}
		if status, _ := strict.ask(path+"?EIO=4&transport=websocket", "x", upgrade); status != want {
			t.Errorf("WebSocket at %s with the slash: %d, want %d", path, status, want)
		}
	}
}

// A doubled slash, which balancers make of a path that ends with a slash, counts as one.
// Nothing is redirected, because a POST would lose its body and a health check would
// fail. An escaped slash is part of an id.
func TestDoubledSlashes(t *testing.T) {
	n := start(t, nil)
	n.device("ana").Ask("join-room", "a//b")
	for _, tc := range []struct {
		method, path, body string
		status             int
		text               string
	}{
		{"GET", "//healthz", "", 200, `"healthy":true`},
		{"GET", "/api//ws///health", "", 200, `"healthy":true`},
		{"POST", "//api/ws//updates", `{"roomId":"a//b","type":"x"}`, 200, `"success":true`},
		{"GET", "/api/ws//rooms/a%2F%2Fb", "", 200, `"ana"`},
		{"GET", "/api/ws/rooms/a%2F%2Fb", "", 200, `"ana"`},
		{"GET", "//nowhere", "", 404, ""},
	} {
		status, text, h := n.do(tc.method, tc.path, tc.body, "Authorization: Bearer "+apiKey)
		if status != tc.status || !strings.Contains(text, tc.text) {
			t.Errorf("%s %s: %d %s %q", tc.method, tc.path, status, text, h.Get("Location"))
		}
	}
	if bundle, _ := clientBundle(); bundle != nil {
		want, _, _ := n.do("GET", "/socket.io/socket.io.js", "")
		if status, _, h := n.do("GET", "//socket.io//socket.io.js", ""); status != want {
			t.Errorf("the browser's client: %d to %q, want %d", status, h.Get("Location"), want)
		}
	}
}

// Balancers without a configured path ask for OPTIONS / (HAProxy), or HEAD /.
func TestBareHealthCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startOn(t, nil, raw.NewNetwork())
		n.device("ana")
		n.device("ben") // the drain takes its time
		ask := func(request string) int {
			conn, err := n.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go io.WriteString(conn, request)
			res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: request[:strings.Index(request, " ")]})
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode == 204 && len(body) > 0 {
				t.Errorf("%q: %q %v", request, body, err)
			}
			return res.StatusCode
		}
		checks := []string{
			"OPTIONS / HTTP/1.0\r\n\r\n", "HEAD / HTTP/1.0\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
			"OPTIONS / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HEAD // HTTP/1.1\r\nHost: x\r\n\r\n",
		}
		for _, check := range checks {
			if status := ask(check); status != 204 {
				t.Errorf("%q: %d", check, status)
			}
		}
		n.stop()
		synctest.Wait()
		for _, check := range checks {
			if status := ask(check); status != 503 {
				t.Errorf("while draining: %q: %d", check, status)
			}
		}
	})
}

// HARDENING, browsers: no CORS header unless an origin is configured; with one,
// on errors and preflights too.
func TestCORS(t *testing.T) {
	const good, evil = "https://app.example", "https://evil.example"
	for _, tc := range []struct{ origins, from, allowed string }{
		{"", good, ""},
		{good, good, good},
		{good + "," + evil, evil, evil},
		{good, evil, ""},
	} {
		n := start(t, env{"WS_CORS_ORIGINS": tc.origins})
		for _, r := range []struct{ method, path string }{{"GET", polling}, {"GET", polling + "&sid=unknown"}, {"OPTIONS", polling}} {
			_, _, h := n.do(r.method, r.path, "", "Origin: "+tc.from, "Access-Control-Request-Method: POST")
			if got := h.Get("Access-Control-Allow-Origin"); got != tc.allowed {
				t.Errorf("origins %q, %s %s from %s: allowed %q, want %q", tc.origins, r.method, r.path, tc.from, got, tc.allowed)
			}
			if credentials := h.Get("Access-Control-Allow-Credentials"); tc.origins == "" && credentials != "" {
				t.Errorf("no origins, %s %s: credentials %q", r.method, r.path, credentials)
			}
		}
	}
}

// Without WS_CORS_ORIGINS pages of the developer's own machine may use XHR, on any
// port, but not in production.
func TestCORSOfLocalPages(t *testing.T) {
	development, production := start(t, nil), start(t, env{"NODE_ENV": "production"})
	for origin, local := range map[string]bool{
		"http://localhost:5173": true, "https://localhost": true, "http://127.0.0.1:8080": true, "http://[::1]:3000": true, "http://app.localhost:3000": true,
		"http://localhost.evil.example": false, "https://app.example": false, "http://127.0.0.1.evil.example": false, "null": false, "http://192.168.0.2": false,
		"chrome-extension://localhost": false,
	} {
		for _, method := range []string{"GET", "OPTIONS"} {
			want := ""
			if local {
				want = origin
			}
			if _, _, h := development.do(method, polling, "", "Origin: "+origin); h.Get("Access-Control-Allow-Origin") != want || h.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s from %s: %v", method, origin, h)
			}
			if _, _, h := production.do(method, polling, "", "Origin: "+origin); h.Get("Access-Control-Allow-Origin") != "" || h.Get("Vary") != "" {
				t.Errorf("%s from %s in production: %v", method, origin, h)
			}
		}
	}
}

// A browser hides from a page of another origin why it cannot connect, so the log
// names the origin and the variable.
func TestBlockedOriginIsInTheLog(t *testing.T) {
	const page = "https://app.example"
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Origin: " + page}
	for name, tc := range map[string]struct {
		env     env
		ask     func(*node)
		message string // "": no line
	}{
		"XHR":                   {nil, func(n *node) { n.do("GET", polling, "", "Origin: "+page) }, "origin not allowed, browser blocks the page"},
		"preflight":             {nil, func(n *node) { n.do("OPTIONS", polling, "", "Origin: "+page) }, "origin not allowed, browser blocks the page"},
		"XHR in production":     {env{"NODE_ENV": "production"}, func(n *node) { n.do("GET", polling, "", "Origin: "+page) }, "origin not allowed, browser blocks the page"},
		"XHR, not listed":       {env{"WS_CORS_ORIGINS": "https://other.example"}, func(n *node) { n.do("GET", polling, "", "Origin: "+page) }, "origin not allowed, browser blocks the page"},
		"WebSocket, not listed": {env{"WS_CORS_ORIGINS": "https://other.example"}, func(n *node) { n.ask(polling+"&transport=websocket", "x", upgrade) }, "handshake refused"},
		"listed":                {env{"WS_CORS_ORIGINS": page}, func(n *node) { n.do("GET", polling, "", "Origin: "+page) }, ""},
		"any":                   {env{"WS_CORS_ORIGINS": "*"}, func(n *node) { n.do("GET", polling, "", "Origin: "+page) }, ""},
		"the server's own":      {nil, func(n *node) { n.do("GET", polling, "", "Origin: "+n.url) }, ""},
		"a local page":          {nil, func(n *node) { n.do("GET", polling, "", "Origin: http://localhost:5173") }, ""},
		"no browser":            {nil, func(n *node) { n.do("GET", polling, "") }, ""},
		"WebSocket":             {nil, func(n *node) { n.ask(polling+"&transport=websocket", "x", upgrade) }, ""},
	} {
		n := start(t, tc.env)
		tc.ask(n)
		var got string
		for line := range strings.Lines(n.log.String()) {
			if strings.Contains(line, "origin") {
				got = line
			}
		}
		switch {
		case tc.message == "" && got != "":
			t.Errorf("%s: %s", name, got)
		case tc.message != "" && (!strings.Contains(got, page) || !strings.Contains(got, "WS_CORS_ORIGINS") || !strings.Contains(got, tc.message)):
			t.Errorf("%s: logged %q", name, got)
		}
	}
}

// HARDENING, browsers: a WebSocket from a foreign origin is refused if origins are
// configured.
func TestWebSocketOrigin(t *testing.T) {
	const good, evil = "https://app.example", "https://evil.example"
	for _, tc := range []struct {
		origins, from string
		status        int
	}{
		{"", evil, 101},
		{good, good, 101},
		{good, "", 101},
		{good, "http://HOST", 101},
		{good, evil, 400},
		{good, "null", 400},
		{good, good + ".evil.example", 400},
		{"*", evil, 101},
	} {
		n := start(t, env{"WS_CORS_ORIGINS": tc.origins})
		headers := []string{
			"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		}
		if tc.from != "" {
			headers = append(headers, "Origin: "+strings.Replace(tc.from, "HOST", n.Addr().String(), 1))
		}
		if got := n.upgrade(headers); got != tc.status {
			t.Errorf("origins %q, from %q: status %d, want %d", tc.origins, tc.from, got, tc.status)
		}
	}
}

// The server's own origin is compared as browsers and proxies write it, not by
// its bytes: default ports, case, brackets, and what trusted proxies say.
func TestOwnOrigin(t *testing.T) {
	const list = "https://listed.example,http://[2001:db8::1]:8080"
	trusting := start(t, env{"WS_CORS_ORIGINS": list, "TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8"})
	alone := start(t, env{"WS_CORS_ORIGINS": list})
	for _, tc := range []struct {
		node         *node
		host, origin string
		headers      []string
		status, xhr  int // xhr: 1 if the page may read answers
	}{
		{alone, "app.example:443", "https://app.example", nil, 101, 0},
		{alone, "app.example", "https://app.example:443", nil, 101, 0},
		{alone, "app.example:80", "http://app.example", nil, 101, 0},
		{alone, "app.example", "http://app.example", nil, 101, 0},
		{alone, "app.example", "https://app.example", nil, 101, 0},
		{alone, "App.Example", "https://app.example", nil, 101, 0},
		{alone, "app.example", "HTTPS://APP.EXAMPLE", nil, 101, 0},
		{alone, "app.example:8080", "http://app.example:8080", nil, 101, 0},
		{alone, "[::1]:3001", "http://[::1]:3001", nil, 101, 0},
		{alone, "[0:0:0:0:0:0:0:1]:80", "http://[::1]", nil, 101, 0},
		{alone, "[::1]", "https://[::1]:443", nil, 101, 0},
		{alone, "app.example:80", "https://app.example", nil, 400, 0},
		{alone, "app.example:443", "http://app.example", nil, 400, 0},
		{alone, "app.example", "https://app.example:8443", nil, 400, 0},
		{alone, "app.example:8443", "https://app.example", nil, 400, 0},
		{alone, "app.example", "https://app.example.evil.example", nil, 400, 0},
		{alone, "app.example", "https://app.example@evil.example", nil, 400, 0},
		{alone, "app.example", "app.example", nil, 400, 0},
		{alone, "app.example", "null", nil, 400, 0},
		{alone, "app.example", "chrome-extension://app.example", nil, 400, 0},
		// The configured origins are compared in the same way, for XHR too.
		{alone, "x", "https://listed.example", nil, 101, 1},
		{alone, "x", "https://listed.example:443", nil, 101, 1},
		{alone, "x", "https://LISTED.example", nil, 101, 1},
		{alone, "x", "http://[2001:DB8:0::1]:8080", nil, 101, 1},
		{alone, "x", "http://listed.example", nil, 400, 0},
		{alone, "x", "https://listed.example:444", nil, 400, 0},
		// What proxies say counts if they are trusted.
		{alone, "inside:3001", "https://app.example", []string{"X-Forwarded-Host: app.example", "X-Forwarded-Proto: https"}, 400, 0},
		{trusting, "inside:3001", "https://app.example", []string{"X-Forwarded-Host: app.example", "X-Forwarded-Proto: https"}, 101, 0},
		{trusting, "inside:3001", "https://app.example", []string{"X-Forwarded-Host: APP.example:443", "X-Forwarded-Proto: HTTPS"}, 101, 0},
		{trusting, "inside:3001", "https://app.example", []string{"X-Forwarded-Host: app.example", "X-Forwarded-Proto: wss"}, 101, 0},
		{trusting, "app.example", "https://app.example", []string{"X-Forwarded-Proto: https"}, 101, 0},
		{trusting, "app.example", "http://app.example", []string{"X-Forwarded-Proto: https"}, 400, 0},
		{trusting, "app.example", "https://app.example", []string{"X-Forwarded-Proto: http"}, 400, 0},
		{trusting, "app.example", "https://app.example", []string{"X-Forwarded-Proto: gopher"}, 101, 0},
		{trusting, "inside:3001", "https://app.example", []string{"X-Forwarded-Host: app.example"}, 101, 0},
		{trusting, "app.example", "https://app.example", []string{"X-Forwarded-Host: a b"}, 101, 0},
		{trusting, "inside:3001", "https://evil.example", []string{"X-Forwarded-Host: app.example"}, 400, 0},
		// If the header is a list, the entry that the outermost trusted proxy appended counts.
		{trusting, "inside", "https://app.example", []string{"X-Forwarded-Host: evil.example, app.example"}, 101, 0},
		{trusting, "inside", "https://evil.example", []string{"X-Forwarded-Host: evil.example, app.example"}, 400, 0},
		{trusting, "inside", "https://evil.example", []string{"X-Forwarded-Host: evil.example", "X-Forwarded-Host: app.example"}, 400, 0},
		{trusting, "inside", "https://app.example", []string{"X-Forwarded-For: 203.0.113.9, 10.0.0.1", "X-Forwarded-Host: app.example, middle"}, 101, 0},
		{trusting, "inside", "https://app.example", []string{"X-Forwarded-For: 203.0.113.9, 10.0.0.1", "X-Forwarded-Host: evil.example, app.example, middle"}, 101, 0},
	} {
		name := fmt.Sprintf("%s at %s %v", tc.origin, tc.host, tc.headers)
		headers := append([]string{"Origin: " + tc.origin}, tc.headers...)
		upgrade := append(headers, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
		if status, _ := tc.node.ask("/socket.io/?EIO=4&transport=websocket", tc.host, upgrade); status != tc.status {
			t.Errorf("%s: %d, want %d", name, status, tc.status)
		}
		_, h := tc.node.ask(polling, tc.host, headers)
		if allowed := h.Get("Access-Control-Allow-Origin"); (allowed == tc.origin) != (tc.xhr == 1) || allowed != "" && tc.xhr == 0 {
			t.Errorf("%s by XHR: allowed %q", name, allowed)
		}
	}
	// A refusal says what was compared.
	log := alone.log.String()
	for _, want := range []string{"https://app.example:8443", "app.example:443", "chrome-extension://app.example"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not name %s", want)
		}
	}
	if log := trusting.log.String(); !strings.Contains(log, "https://app.example") || !strings.Contains(log, "http://app.example") {
		t.Errorf("log: %s", log)
	}
}

// ask sends a request for a host and returns the answer's status and headers.
func (n *node) ask(path, host string, headers []string) (int, http.Header) {
	n.t.Helper()
	conn, err := net.Dial("tcp", n.Addr().String())
	if err != nil {
		n.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n", path, host, strings.Join(headers, "\r\n"))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		n.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode, res.Header
}

// A client may send a whole URL in its request line. The scheme of that URL does not say
// whether the client came over TLS.
func TestSchemeOfAWholeURL(t *testing.T) {
	n := start(t, env{"WS_CORS_ORIGINS": "https://app.example"})
	status, _ := n.ask("http://app2.example/socket.io/?EIO=4&transport=websocket", "app2.example", []string{
		"Origin: https://app2.example", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	})
	if status != 101 {
		t.Errorf("status %d", status)
	}
	c := raw.Connect(t, n.url, raw.Options{Header: http.Header{"X-Forwarded-Proto": {"https"}}})
	if n.SocketIO().Namespace("/").Socket(c.ID()).Handshake().Secure {
		t.Error("a header from an untrusted address made the connection secure")
	}
	trusting := start(t, env{"TRUSTED_PROXIES": "127.0.0.1"})
	c = raw.Connect(t, trusting.url, raw.Options{Header: http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"app.example"}}})
	if h := trusting.SocketIO().Namespace("/").Socket(c.ID()).Handshake(); !h.Secure || h.Headers.Get("Host") != "app.example" {
		t.Errorf("secure: %v, host %q", h.Secure, h.Headers.Get("Host"))
	}
}

// upgrade asks for a WebSocket and returns the status.
func (n *node) upgrade(headers []string) int {
	n.t.Helper()
	r, err := http.NewRequest("GET", n.url+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	res, err := n.http.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

func TestTrustedProxies(t *testing.T) {
	for _, tc := range []struct{ trusted, header, want string }{
		{"", "203.0.113.9", "127.0.0.1"},
		{"10.0.0.0/8", "203.0.113.9", "127.0.0.1"},
		{"127.0.0.1", "203.0.113.9", "203.0.113.9"},
		{"127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"},
		{"127.0.0.1,10.0.0.0/8", "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"},
		{"127.0.0.1,10.0.0.0/8", "10.0.0.1", "10.0.0.1"},
		{"127.0.0.1", "203.0.113.9:4711", "203.0.113.9"},
		{"127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"},
		{"127.0.0.1", "2001:db8::1", "2001:db8::1"},
		{"127.0.0.1", "unknown", "127.0.0.1"},
		{"127.0.0.1", "", "127.0.0.1"},
	} {
		n := start(t, env{"TRUSTED_PROXIES": tc.trusted})
		c := raw.Connect(t, n.url, raw.Options{Header: http.Header{"X-Forwarded-For": {tc.header}}})
		if got := n.SocketIO().Namespace("/").Socket(c.ID()).Handshake().Address; got != tc.want {
			t.Errorf("trusted %q, X-Forwarded-For %q: %s, want %s", tc.trusted, tc.header, got, tc.want)
		}
	}
}

func TestForwardedThroughMappedAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	if got := clientAddr(trusted, netip.MustParseAddr("::ffff:10.1.1.1"), []string{"203.0.113.9"}); got.String() != "203.0.113.9" {
		t.Errorf("client %v", got)
	}
}
