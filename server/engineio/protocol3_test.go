package engineio

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/puente-io/puente/server/engineio/engineiotest"
)

// request3 is a polling request of protocol 3 without a network.
func request3(srv *Server, method, query, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/engine.io/?EIO=3&transport=polling"+query, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	return w
}

const (
	plainText = "text/plain;charset=UTF-8"
	octets    = "application/octet-stream"
)

// polling3 is a polling session of protocol 3.
type polling3 struct {
	t     testing.TB
	srv   *Server
	query string // with the sid
	*recorder
}

// open3 opens a polling session of protocol 3, with more parameters.
func open3(t testing.TB, opts Options, query string, echo bool) *polling3 {
	t.Helper()
	opts.AllowProtocol3 = true
	sessions := make(chan *recorder, 10)
	srv := New(opts, func(s *Session, _ *http.Request) Handler {
		r := newRecorder(s, echo)
		sessions <- r
		return r
	})
	t.Cleanup(func() { shut(t, srv) })
	w := request3(srv, "GET", query, "", "")
	_, rest, ok := strings.Cut(w.Body.String(), `sid":"`)
	if !ok {
		if _, rest, ok = strings.Cut(w.Body.String(), `sid\":\"`); !ok {
			t.Fatalf("handshake: %d %s", w.Code, w.Body)
		}
	}
	return &polling3{t, srv, query + "&sid=" + rest[:20], <-sessions}
}

func (p *polling3) post(contentType, body string) {
	p.t.Helper()
	if w := request3(p.srv, "POST", p.query, contentType, body); w.Code != 200 || w.Body.String() != "ok" || w.Header().Get("Content-Type") != "text/html" {
		p.t.Errorf("%q: answered %d %s %q", body, w.Code, w.Header(), w.Body)
	}
}

func (p *polling3) poll(contentType, want string) {
	p.t.Helper()
	w := request3(p.srv, "GET", p.query, "", "")
	if got := w.Body.String(); w.Code != 200 || got != want || w.Header().Get("Content-Type") != contentType {
		p.t.Errorf("a poll brought %d %s %.300q, want %q", w.Code, w.Header(), got, want)
	}
}

// gone checks that the session has ended.
func (p *polling3) gone(want Reason) {
	p.t.Helper()
	if w := request3(p.srv, "GET", p.query, "", ""); w.Code != 400 || w.Body.String() != `{"code":1,"message":"Session ID unknown"}` {
		p.t.Errorf("a poll of the ended session: %d %s", w.Code, w.Body)
	}
	if got := p.reason(p.t); got != want {
		p.t.Errorf("reason %q, want %q", got, want)
	}
}

const textUTF8 = "text/plain; charset=UTF-8"

// Without the option, every EIO but 4 is answered as on Node.
func TestProtocol3IsOff(t *testing.T) {
	srv := New(Options{}, acceptFuncs(HandlerFuncs{}))
	defer shut(t, srv)
	for _, eio := range []string{"EIO=3&", "EIO=2&", "EIO=5&", "EIO=&", "EIO=04&", ""} {
		r := httptest.NewRequest("GET", "/engine.io/?"+eio+"transport=polling", nil)
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		if w.Code != 400 || w.Body.String() != `{"code":5,"message":"Unsupported protocol version"}` {
			t.Errorf("%s: %d %s", eio, w.Code, w.Body)
		}
		r = httptest.NewRequest("GET", "/engine.io/?"+eio+"transport=websocket", nil)
		r.Header = wsHeader.Clone()
		w = httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		if w.Code != 400 || w.Body.String() != "Unsupported protocol version" {
			t.Errorf("%s, WebSocket: %d %s", eio, w.Code, w.Body)
		}
	}
	if open, total := srv.Protocol3(); open != 0 || total != 0 || srv.LimitCounts().UnsupportedProtocols != 12 {
		t.Errorf("%d open, %d in all, %d refused", open, total, srv.LimitCounts().UnsupportedProtocols)
	}
}

// With it, every EIO but 4 is protocol 3, and a session keeps its protocol.
func TestProtocol3Handshake(t *testing.T) {
	sessions := make(chan *recorder, 10)
	srv := New(Options{AllowProtocol3: true}, accepting(sessions))
	defer shut(t, srv)
	open := func(query string) string {
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, httptest.NewRequest("GET", "/engine.io/?transport=polling"+query, nil))
		return w.Body.String()
	}
	for query, protocol := range map[string]int{"&EIO=4": 4, "&EIO=3": 3, "&EIO=2": 3, "": 3, "&EIO=x": 3, "&EIO=4&EIO=3": 3} {
		body := open(query)
		s := (<-sessions).session
		want := `0{"sid":"` + s.ID() + `","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`
		if protocol == 3 {
			want = "118:" + want
		}
		if body != want || s.Protocol() != protocol {
			t.Errorf("%s: protocol %d, %s", query, s.Protocol(), body)
		}
		for _, eio := range []string{"4", "3", "2", ""} {
			if other := (eio == "4") != (protocol == 4); other && open("&EIO="+eio+"&sid="+s.ID()) != `{"code":3,"message":"Bad request"}` {
				t.Errorf("a request with EIO=%s of a session of protocol %d is not refused", eio, protocol)
			}
		}
	}
	if open, total := srv.Protocol3(); open != 5 || total != 5 {
		t.Errorf("%d open, %d in all", open, total)
	}
	for _, s := range srv.Sessions() {
		s.close(ReasonForcedClose, nil)
	}
	if open, total := srv.Protocol3(); open != 0 || total != 5 {
		t.Errorf("%d open, %d in all", open, total)
	}
}

// What Node answers over polling (recorded).
func TestProtocol3Polling(t *testing.T) {
	p := open3(t, Options{}, "", true)
	p.post(plainText, `13:42["e","€😀"]1:26:2probe`)
	p.message(t)
	p.poll(textUTF8, `13:42["e","€😀"]1:31:3`)
	p.post(plainText, `39:451-["e",{"_placeholder":true,"num":0}]6:b4AQID`)
	p.message(t)
	p.message(t)
	binary := "\x00\x03\x09\xff" + `451-["e",{"_placeholder":true,"num":0}]` + "\x01\x04\xff\x04\x01\x02\x03"
	p.poll(octets, binary)
	p.post(octets, "\x00\x03\x09\xff"+`451-["e",{"_placeholder":true,"num":0}]`+"\x01\x04\xff\x04\x01\x02\x03")
	p.message(t)
	p.message(t)
	p.poll(octets, binary)
	p.session.Send(BinaryFrame(nil))
	p.poll(octets, "\x01\x01\xff\x04")
	p.post(octets, "\x00\x03\xff4\xffa") // repaired, since it may reach WebSockets
	if got := p.message(t); got != "\ufffda" {
		t.Errorf("got %q", got)
	}
}

func TestProtocol3Base64(t *testing.T) {
	p := open3(t, Options{}, "&b64=1", true)
	p.post(plainText, `39:451-["e",{"_placeholder":true,"num":0}]6:b4AQID`)
	p.message(t)
	if got := p.message(t); got != "\x01\x02\x03" {
		t.Errorf("got %q", got)
	}
	p.poll(textUTF8, `39:451-["e",{"_placeholder":true,"num":0}]6:b4AQID`)
}

// A large answer is not copied, and reads the same; one payload has one encoding.
func TestProtocol3LargeAnswers(t *testing.T) {
	text := strings.Repeat("€", 30_000)
	data := bytes.Repeat([]byte{7}, 100_000)
	for query, want := range map[string]string{
		"":       "\x00\x09\x00\x00\x00\x01\xff4" + text + "\x01\x01\x00\x00\x00\x00\x01\xff\x04" + string(data),
		"&b64=1": fmt.Sprintf("30001:4%s%d:%s", text, 2+len(base64Of(data)), "b4"+base64Of(data)),
	} {
		p := open3(t, Options{CompressionThreshold: -1}, query, false)
		p.session.Send(TextFrame([]byte(text)), BinaryFrame(data))
		w := request3(p.srv, "GET", p.query, "", "")
		if w.Body.String() != want {
			t.Errorf("%s: %d bytes that begin with %.20q, want %d", query, w.Body.Len(), w.Body, len(want))
		}
	}
}

func base64Of(data []byte) string { return string(BinaryFrame(data).in(formBase64).payload()[1:]) }

// A bad payload ends the session, but is answered as on Node, and what precedes the error
// is delivered.
func TestProtocol3BadPayload(t *testing.T) {
	for _, tc := range [][2]string{{plainText, "zz"}, {plainText, ""}, {plainText, "2:4a9:4"}, {octets, "\x00\x02\xff4a\x01"}, {octets, "2:4a"}} {
		p := open3(t, Options{}, "", false)
		p.post(tc[0], tc[1])
		p.gone(ReasonParseError)
		if strings.Contains(tc[1], "4a\x01") || strings.Contains(tc[1], "4a9") {
			if got := p.message(t); got != "a" {
				t.Errorf("%q: got %q", tc[1], got)
			}
		}
	}
}

// The client pings; a pong from it is an error.
func TestProtocol3WrongDirection(t *testing.T) {
	p := open3(t, Options{}, "", false)
	p.post(plainText, "1:3")
	p.gone(ReasonTransportError)
}

// Both ways to end a session, as recorded from Node.
func TestProtocol3Close(t *testing.T) {
	p := open3(t, Options{}, "", false)
	p.session.Close()
	p.poll(textUTF8, "1:61:1")
	p.gone(ReasonForcedClose)

	for _, tc := range []struct {
		end    func(p *polling3)
		answer string
		reason Reason
	}{
		{func(p *polling3) { p.post(plainText, "1:1") }, "1:6", ReasonTransportClose},
		{func(p *polling3) { p.session.Close() }, "1:1", ReasonForcedClose},
	} {
		p := open3(t, Options{}, "", false)
		polled := make(chan struct{})
		go func() { defer close(polled); p.poll(textUTF8, tc.answer) }()
		waitForPoll(t, p.session)
		tc.end(p)
		<-polled
		p.gone(tc.reason)
	}
}

// The limit of bodies holds for both kinds.
func TestProtocol3BodyLimit(t *testing.T) {
	for _, contentType := range []string{plainText, octets} {
		p := open3(t, Options{MaxHTTPBufferSize: 10}, "", false)
		if w := request3(p.srv, "POST", p.query, contentType, "9:4aaaaaaaa"); w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d", contentType, w.Code)
		}
		p.gone(ReasonTransportError)
	}
}

// dial3 opens a WebSocket of protocol 3 over a pipe.
func dial3(t testing.TB, srv *Server, query string) *pipeClient {
	t.Helper()
	client, br := openPipeTo(t, srv, "/engine.io/?EIO=3&transport=websocket"+query)
	c := &pipeClient{conn: client, got: make(chan string, 10_000)}
	go c.read(br)
	return c
}

func TestProtocol3WebSocket(t *testing.T) {
	for query, binary := range map[string]string{"": "\x04\x01\x02", "&b64=1": "b4AQI="} {
		srv := New(Options{AllowProtocol3: true}, func(s *Session, _ *http.Request) Handler { return newRecorder(s, true) })
		c := dial3(t, srv, query)
		<-c.got
		c.send("4text")
		c.want(t, "4text")
		c.conn.Write(clientFrame(ws.OpBinary, true, "\x04\x01\x02"))
		c.want(t, binary)
		c.send("b4AQI=")
		c.want(t, binary)
		c.send("2")
		c.want(t, "3")
		c.send("2abc")
		c.want(t, "3")
		c.conn.Write(clientFrame(ws.OpBinary, true, "\x07"))
		c.want(t, "close 1005")
		shut(t, srv)
	}
}

func TestProtocol3Upgrade(t *testing.T) {
	p := open3(t, Options{}, "", true)
	p.session.Send(TextFrame([]byte("before")), BinaryFrame([]byte{9}))
	c := dial3(t, p.srv, p.query)
	c.send("2probe")
	c.want(t, "3probe")
	p.poll(octets, "\x00\x07\xff4before\x01\x02\xff\x04\x09")
	p.session.Send(BinaryFrame([]byte{8}))
	c.send("5")
	c.want(t, "\x04\x08")
	c.send("2")
	c.want(t, "3")
	if p.session.Transport() != "websocket" || p.session.Protocol() != 3 {
		t.Errorf("%s, protocol %d", p.session.Transport(), p.session.Protocol())
	}
	if w := request3(p.srv, "GET", p.query, "", ""); w.Code != 400 {
		t.Errorf("a poll after the upgrade: %d", w.Code)
	}
	c.conn.Close()
}

// The server sends no pings, and closes a session whose client has sent none for
// PingInterval and PingTimeout; nothing else that it sends counts.
func TestProtocol3Heartbeat(t *testing.T) {
	inBubble(t, Options{AllowProtocol3: true}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		start := time.Now()
		c := dial3(t, srv, "")
		r := <-sessions
		<-c.got
		for range 3 {
			time.Sleep(44 * time.Second)
			c.send("2")
			c.want(t, "3")
		}
		for range 4 {
			time.Sleep(10 * time.Second)
			c.send("4still here")
		}
		synctest.Wait()
		if got := <-r.closed; got != string(ReasonPingTimeout) {
			t.Errorf("reason %q", got)
		}
		if got := time.Since(start); got != (3*44+45)*time.Second {
			t.Errorf("closed after %v", got)
		}
		c.want(t, "close 1005")
	})
}

func TestProtocol3SilentPolling(t *testing.T) {
	inBubble(t, Options{AllowProtocol3: true}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		start := time.Now()
		request3(srv, "GET", "", "", "")
		if got := <-(<-sessions).closed; got != string(ReasonPingTimeout) || time.Since(start) != 45*time.Second {
			t.Errorf("%q after %v", got, time.Since(start))
		}
	})
}

// A ping may be waiting behind a handler that is busy.
func TestProtocol3BusyHandler(t *testing.T) {
	inBubble(t, Options{AllowProtocol3: true}, func(t *testing.T, srv *Server, _ chan *recorder) {
		srv.accept = func(*Session, *http.Request) Handler {
			return HandlerFuncs{Message: func(*Session, []byte, bool) { time.Sleep(60 * time.Second) }}
		}
		c := dial3(t, srv, "")
		<-c.got
		go c.conn.Write(join(clientFrame(ws.OpText, true, "4x"), clientFrame(ws.OpText, true, "2")))
		c.want(t, "3")
		c.conn.Close()
	})
}

// Pings of a client that reads keep one timer; each is answered.
func TestProtocol3ManyPings(t *testing.T) {
	const bursts, burst = 200, 500
	e := serve(t, Options{AllowProtocol3: true})
	c := engineiotest.Dial(t, e.url, engineiotest.Options{Query: url.Values{"EIO": {"3"}}})
	s := e.next(t).session
	var timer *time.Timer
	for i := range bursts {
		c.WriteRaw(bytes.Repeat(clientFrame(ws.OpText, true, "2"), burst))
		c.SendText("all")
		c.Text()
		e.silences.mu.Lock()
		if i == 0 {
			timer = e.silences.timer
		}
		if e.silences.head != s || e.silences.tail != s || e.silences.timer != timer {
			t.Fatal("the session does not wait once, for one timer")
		}
		e.silences.mu.Unlock()
	}
}

// Pings of a client that reads nothing make no queue.
func TestProtocol3PingFlood(t *testing.T) {
	p := open3(t, Options{SlowTimeout: time.Hour}, "", false) // the machine may be slow
	for range 20 {
		p.post(plainText, strings.Repeat("1:2", 5000))
	}
	p.session.mu.Lock()
	n := len(p.session.queue.all())
	p.session.mu.Unlock()
	if n != maxPongs {
		t.Errorf("%d frames are queued, want %d", n, maxPongs)
	}
	p.poll(textUTF8, strings.Repeat("1:3", maxPongs))
	p.post(plainText, "1:2")
	p.poll(textUTF8, "1:3")
}

// A client that pings and never polls is slow.
func TestProtocol3PingsButNoPolls(t *testing.T) {
	inBubble(t, Options{AllowProtocol3: true}, func(t *testing.T, srv *Server, sessions chan *recorder) {
		request3(srv, "GET", "", "", "")
		r := <-sessions
		for range 20 {
			request3(srv, "POST", "&sid="+r.session.ID(), plainText, "1:2")
			time.Sleep(time.Second)
		}
		if got := <-r.closed; got != string(ReasonSlowConsumer) {
			t.Errorf("reason %q", got)
		}
	})
}

// A text is the same in both protocols, so a message of text has no other form: clients of
// both get one frame. Binary messages have one form more.
func TestProtocol3SharesText(t *testing.T) {
	srv := New(Options{}, acceptFuncs(HandlerFuncs{}))
	defer shut(t, srv)
	m := NewMessage(TextFrame([]byte("text")))
	if got := m.in(formProtocol3, srv); &got[0] != &m.plain[0] || m.built.Load() != nil {
		t.Error("the text was built again")
	}
	if got := m.in(formProtocol3|formBase64, srv); &got[0] != &m.plain[0] {
		t.Error("the text was built again for base64")
	}
	m = NewMessage(TextFrame([]byte("text")), BinaryFrame([]byte{1, 2, 3}).Uncompressed())
	got := m.in(formProtocol3, srv)
	if &got[0].wire[0] != &m.plain[0].wire[0] || string(got[1].payload()) != "\x04\x01\x02\x03" || got[1].text || !got[1].plain || &m.in(formProtocol3, srv)[0] != &got[0] {
		t.Errorf("got %+v", got)
	}
	if got := string(m.in(formProtocol3|formBase64, srv)[1].wire); got != "\x81\x06b4AQID" {
		t.Errorf("base64: %q", got)
	}
}
