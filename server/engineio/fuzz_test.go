package engineio

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/puente-io/puente/server/engineio/packet"
)

// FuzzHandshake sends requests of any kind. Each opens one session, or opens none and is
// answered with one of the errors that Node's server has.
func FuzzHandshake(f *testing.F) {
	f.Add("GET", "EIO=4&transport=polling", "", "", "")
	f.Add("POST", "EIO=4&transport=polling&transport=websocket", "http://a.test", "gzip;q=0, br", "")
	f.Add("GET", "EIO=3&transport=__proto__&sid=%00", "null", "*", "websocket")
	f.Add("OPTIONS", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA&b64=1", "http://a.test", "", "h2c")
	f.Add("GET", ";&%zz=&transport=polling", "", "deflate,gzip;q=abc", "websocket")
	srv := New(Options{CORS: &CORS{Origins: []string{"http://a.test"}}}, acceptFuncs(HandlerFuncs{}))
	f.Cleanup(func() { shut(f, srv) })
	f.Fuzz(func(t *testing.T, method, query, origin, encoding, upgrade string) {
		r := &http.Request{
			Method: method, URL: &url.URL{Path: "/engine.io/", RawQuery: query}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Origin": {origin}, "Accept-Encoding": {encoding}}, Body: http.NoBody, Host: "x", RemoteAddr: "192.0.2.1:1", RequestURI: "/engine.io/?" + query,
		}
		if upgrade != "" {
			r.Header["Upgrade"], r.Header["Connection"] = []string{upgrade}, []string{"Upgrade"}
		}
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		sessions := srv.Sessions()
		for _, s := range sessions {
			s.close(ReasonForcedClose, nil)
		}
		var refusal struct {
			Code    *int
			Message string
		}
		switch {
		case method == http.MethodOptions:
			if len(sessions) != 0 {
				t.Errorf("%q: a preflight opens %d sessions", query, len(sessions))
			}
		case w.Code == http.StatusOK:
			if len(sessions) != 1 || method != http.MethodGet || upgrade != "" && isUpgrade(r) {
				t.Errorf("%s %q: %d sessions", method, query, len(sessions))
			}
		case len(sessions) != 0:
			t.Errorf("%s %q: %d, and %d sessions", method, query, w.Code, len(sessions))
		case isUpgrade(r):
			if w.Code < 400 || w.Code > 499 || json.Valid(w.Body.Bytes()) {
				t.Errorf("%s %q: %d %s", method, query, w.Code, w.Body)
			}
		case json.Unmarshal(w.Body.Bytes(), &refusal) != nil || refusal.Code == nil || *refusal.Code < 0 || *refusal.Code > 5 || refusal.Message == "":
			t.Errorf("%s %q: %d %s", method, query, w.Code, w.Body)
		}
	})
}

// FuzzPost posts bodies in pieces to a session over polling. However a body is cut, the
// handler gets the same messages as readBody, which follows the protocol document, and
// the status says whether the whole body was valid.
func FuzzPost(f *testing.F) {
	for _, s := range []string{"4a", "4a\x1e4b\x1e3", "4é\x1ebAQID\x1e4\xff", "4a\x1e", "", "4a\x1e1\x1e4b", "4a\x1e2\x1e4b", "4a\x1e0{}\x1e5\x1e6\x1e4b", "b!\x1e4a", "4a\x1eb===="} {
		f.Add([]byte(s), uint8(1))
	}
	f.Fuzz(func(t *testing.T, body []byte, step uint8) {
		var got []string
		srv := New(Options{}, acceptFuncs(HandlerFuncs{Message: func(_ *Session, data []byte, binary bool) {
			got = append(got, message(binary, data))
		}}))
		defer shut(t, srv)
		_, open := pollOnce(srv, "GET", "", "")
		_, sid, _ := strings.Cut(open, `"sid":"`)
		reader := io.Reader(bytes.NewReader(body))
		if step > 0 {
			reader = iotest.OneByteReader(reader)
		}
		r := httptest.NewRequest("POST", "/engine.io/?EIO=4&transport=polling&sid="+sid[:20], reader)
		r.ContentLength = -1
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		want, ok := readBody(body)
		if !slices.Equal(got, want) {
			t.Errorf("%q: the handler got %q, want %q", body, got, want)
		}
		if wantCode := map[bool]int{true: 200, false: 400}[ok]; w.Code != wantCode {
			t.Errorf("%q: answered %d, want %d", body, w.Code, wantCode)
		}
	})
}

func message(binary bool, data []byte) string {
	if binary {
		return "binary " + string(data)
	}
	return "text " + string(data)
}

// readBody reads a payload as the protocol describes it, and reports whether it is
// one. After the client's close, or a ping, which only servers send, nothing is
// looked at any more.
func readBody(body []byte) (messages []string, ok bool) {
	for i, p := range strings.Split(decodeUTF8(body), "\x1e") {
		switch {
		case p == "" || i >= packet.MaxPayloadPackets:
			return messages, false
		case p[0] == '4':
			messages = append(messages, message(false, []byte(p[1:])))
		case p[0] == 'b':
			data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(p[1:], "="))
			if err != nil {
				return messages, false
			}
			messages = append(messages, message(true, data))
		case p[0] == '1', p[0] == '2':
			return messages, true
		case p[0] < '0' || p[0] > '6':
			return messages, false
		}
	}
	return messages, true
}

// decodeUTF8 is JavaScript's TextDecoder: a U+FFFD for each maximal part of a
// character (WHATWG Encoding, "UTF-8 decoder").
func decodeUTF8(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		if r, n := utf8.DecodeRune(b); r != utf8.RuneError || n > 1 {
			out.WriteRune(r)
			b = b[n:]
			continue
		}
		part := 1
		for n := 2; n <= min(3, len(b)); n++ { // a longer part that some bytes would complete
			if startsRune(b[:n]) {
				part = n
			}
		}
		out.WriteRune(utf8.RuneError)
		b = b[part:]
	}
	return out.String()
}

// startsRune reports whether more bytes would make a character of b.
func startsRune(b []byte) bool {
	for _, rest := range []string{"\x80", "\xbf", "\x80\x80", "\xbf\xbf", "\x80\xbf", "\xbf\x80"} {
		if r, n := utf8.DecodeRuneInString(string(b) + rest); r != utf8.RuneError && n == len(b)+len(rest) {
			return true
		}
	}
	return false
}

// FuzzRequestBlock: a session returns its request unchanged.
func FuzzRequestBlock(f *testing.F) {
	f.Add("/socket.io/?EIO=4", "x.test:80", "192.0.2.1:4000", "Cookie", "a=b", "c=d")
	f.Add("", "", "@", "", "", "")
	f.Add("*", "\x00", "[2001:db8::1%eth0]:1", "Host", "spoofed", strings.Repeat("x", 300))
	f.Fuzz(func(t *testing.T, uri, host, addr, name, v1, v2 string) {
		r := &http.Request{RequestURI: uri, Host: host, RemoteAddr: addr, Header: http.Header{"Fixed": {"1"}}}
		if name != "Host" { // package http takes it out
			r.Header[name] = []string{v1, v2}
		}
		got := encodeRequest(r, 0).decode()
		want := r.Header.Clone()
		want["Host"] = []string{host}
		if got.URL != uri || !reflect.DeepEqual(got.Header, want) || got.Secure {
			t.Errorf("%+v became %+v", r, got)
		}
		got.Query()
		for _, most := range []int{1, 10, 100} {
			part, size := encodeRequest(r, most).decode(), 0
			for name, values := range part.Header {
				for _, v := range values {
					size += len(name) + len(v)
				}
				if name != "Host" && !slices.Equal(values, want[name]) {
					t.Errorf("%s: %q became %q", name, want[name], values)
				}
			}
			if !strings.HasPrefix(uri, part.URL) || len(part.URL)+size > most+len("Host") {
				t.Errorf("%d bytes of %+v: %+v", most, r, part)
			}
		}
	})
}
