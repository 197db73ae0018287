package engineio

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// What Node answers (recorded).
func TestJSONP(t *testing.T) {
	p := open3(t, Options{}, "&b64=1&j=1x2", true)
	sid := p.session.ID()
	for _, tc := range [][2]string{
		{"EIO=3&j=0", `___eio[0]("101:0{\"sid\":\"SID\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}");`},
		{"EIO=4&j=34", `___eio[34]("0{\"sid\":\"SID\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}");`},
		{"EIO=4&j=", `0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`},
	} {
		w := httptest.NewRecorder()
		p.srv.opts.NewID = func() string { return "SID" }
		p.srv.ServeHTTP(w, httptest.NewRequest("GET", "/engine.io/?transport=polling&"+tc[0], nil))
		if w.Body.String() != tc[1] || w.Header().Get("Content-Type") != textUTF8 {
			t.Errorf("%s: %s %s", tc[0], w.Header(), w.Body)
		}
		p.srv.Session("SID").close(ReasonForcedClose, nil)
	}

	text := "4\"<\u2028\u2029&>\x00\\"
	p.session.Send(TextFrame([]byte(text[1:])), BinaryFrame([]byte{1, 2, 3}))
	p.poll(textUTF8, `___eio[12]("9:4\"<\u2028\u2029&>\u0000\\6:b4AQID");`)
	p.post("application/x-www-form-urlencoded", "d="+url.QueryEscape(`8:4a\nb\\nc\`)+"&x=1")
	if got, want := p.message(t), "a\nb\\nc\\"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	p.poll(textUTF8, `___eio[12]("8:4a\nb\\nc\\");`)
	large := strings.Repeat("x", 2*smallPayload)
	p.session.Send(TextFrame([]byte(large)))
	p.poll(textUTF8, `___eio[12]("131073:4`+large+`");`)
	for _, body := range []string{"", "x=1", "d=1:2&d=1:2"} { // nothing of ours
		p.post("application/x-www-form-urlencoded", body)
	}
	if p.srv.Session(sid) == nil {
		t.Error("the session has ended")
	}
}

// A session whose messages are not text has no JSONP.
func TestJSONPNeedsBase64(t *testing.T) {
	p := open3(t, Options{}, "", false)
	p.query += "&j=0"
	p.session.Send(BinaryFrame([]byte{1}))
	p.poll(octets, "\x01\x02\xff\x04\x01")
}

// A page reads answers as scripts only if it may also open a WebSocket.
func TestJSONPOrigin(t *testing.T) {
	srv := New(Options{AllowProtocol3: true, CheckOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") == "https://ours.test" }}, acceptFuncs(HandlerFuncs{}))
	defer shut(t, srv)
	for _, tc := range []struct {
		header http.Header
		want   int
	}{
		{http.Header{"Referer": {"https://ours.test/page?x#y"}}, 200},
		{http.Header{"Referer": {"https://ours.test"}}, 200},
		{http.Header{"Sec-Fetch-Site": {"same-origin"}}, 200},
		{http.Header{"Referer": {"https://theirs.test/https://ours.test/"}}, 403},
		{http.Header{"Referer": {"https://theirs.test/"}, "Sec-Fetch-Site": {"cross-site"}}, 403},
		{http.Header{"Referer": {"::"}}, 403},
		{http.Header{}, 403},
		{http.Header{"Origin": {"https://theirs.test"}, "Referer": {"https://ours.test/"}}, 403},
	} {
		r := httptest.NewRequest("GET", "/engine.io/?EIO=3&transport=polling&j=0", nil)
		r.Header = tc.header
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		if w.Code != tc.want {
			t.Errorf("%v: %d, want %d", tc.header, w.Code, tc.want)
		}
	}
}
