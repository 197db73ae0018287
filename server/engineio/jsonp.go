package engineio

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"github.com/puente-io/puente/server/internal/urlquery"
)

// JSONP is long-polling for browsers without XHR to other origins: a script element
// fetches each answer, which calls a function of the client with the payload, and a form
// posts. Clients of Socket.IO before 4.3 have it.

// isJSONP reports whether a request comes from a script element or its form.
func isJSONP(query func(string) string) bool {
	return query("j") != "" && query("transport") == "polling"
}

// jsonpCall returns the start of the call that an answer consists of; "" without JSONP.
func jsonpCall(query func(string) string) string {
	if !isJSONP(query) {
		return ""
	}
	index := strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, query("j"))
	return "___eio[" + index + "]("
}

// jsonpCall is jsonpCall, for a session of which JSONP is the transport: binary messages to
// it are base64.
func (s *Session) jsonpCall(query func(string) string) string {
	if s.form()&formBase64 == 0 {
		return ""
	}
	return jsonpCall(query)
}

// called returns the body of an answer, as a call if there is one. It may share the
// memory of the payload.
func called(call string, payload *bytes.Buffer) []byte {
	if call == "" {
		return payload.Bytes()
	}
	return append(append([]byte(call), quoteJSON(payload.String())...), ");"...)
}

// admitsScript reports whether a page may fetch answers as scripts, which it could then
// read. CORS does not apply to scripts, and they have no Origin, so the page's origin is
// that of the Referer, and [Options.CheckOrigin] decides as for a WebSocket.
func (srv *Server) admitsScript(r *http.Request) bool {
	if srv.opts.CheckOrigin == nil || r.Header.Get("Sec-Fetch-Site") == "same-origin" {
		return true
	}
	if r.Header.Get("Origin") == "" {
		origin := "null"
		if u, err := url.Parse(r.Referer()); err == nil && u.Host != "" {
			origin = u.Scheme + "://" + u.Host
		}
		with := *r
		with.Header = r.Header.Clone()
		with.Header.Set("Origin", origin)
		r = &with
	}
	return srv.opts.CheckOrigin(r)
}

// posted returns the payload of a form. Without one it reports false, and the client gets
// the usual answer, as on Node.
func posted(body []byte) (payload []byte, ok bool) {
	for name, value := range urlquery.All(string(body)) {
		if name != "d" {
			continue
		}
		if ok { // a list, not a payload
			return nil, false
		}
		payload, ok = unescapeLines(value), true
	}
	return payload, ok
}

// unescapeLines replaces \n by a line break and \\n by \n: forms change line breaks, so
// the client has replaced them.
func unescapeLines(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], `\\n`):
			out = append(out, `\n`...)
			i += 2
		case strings.HasPrefix(s[i:], `\n`):
			out = append(out, '\n')
			i++
		default:
			out = append(out, s[i])
		}
	}
	return out
}
