package socket

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/puente-io/puente/server/socketio"
)

// Handshake describes the request and the CONNECT that a socket connected with.
type Handshake struct {
	// Headers of the request, by their canonical names.
	Headers map[string][]string `json:"headers"`
	// Time is when the socket connected, as "2006-01-02 15:04:05" in local time.
	Time string `json:"time"`
	// Address is the client's address without the port.
	Address string `json:"address"`
	// Xdomain reports whether the request had an Origin header.
	Xdomain bool `json:"xdomain"`
	// Secure reports whether the request came over TLS.
	Secure bool `json:"secure"`
	// Issued is when the socket connected, in milliseconds since 1970.
	Issued int64 `json:"issued"`
	// Url is the request's path and query.
	Url string `json:"url"`
	// Query has the query parameters.
	Query map[string][]string `json:"query"`
	// Auth is what the client sent with CONNECT, decoded; an empty map if it sent
	// nothing.
	Auth any `json:"auth"`
}

func newHandshake(s *socketio.Socket) *Handshake {
	h := s.Handshake()
	auth, _ := decode(h.Auth)
	return &Handshake{
		Headers: h.Headers, Time: h.Time.Local().Format(time.DateTime), Address: h.Address, Xdomain: h.XDomain, Secure: h.Secure,
		Issued: h.Time.UnixMilli(), Url: h.URL, Query: s.Session().Request().Query(), Auth: auth,
	}
}

// parseHandshake decodes the handshake of another server's socket, which has the
// format of Node's servers: names of headers in lower case, one value each.
func parseHandshake(text []byte) *Handshake {
	var h struct {
		Headers, Query  map[string]any
		Address, Url    string
		Xdomain, Secure bool
		Issued          int64
		Auth            any
	}
	json.Unmarshal(text, &h)
	out := &Handshake{
		Headers: map[string][]string{}, Query: map[string][]string{}, Time: time.UnixMilli(h.Issued).Local().Format(time.DateTime),
		Address: h.Address, Xdomain: h.Xdomain, Secure: h.Secure, Issued: h.Issued, Url: h.Url, Auth: h.Auth,
	}
	for name, v := range h.Headers {
		out.Headers[http.CanonicalHeaderKey(name)] = texts(v)
	}
	for name, v := range h.Query {
		out.Query[name] = texts(v)
	}
	return out
}

func texts(v any) (list []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, element := range v {
			list = append(list, texts(element)...)
		}
	}
	return list
}
