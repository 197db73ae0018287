package socketio

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Handshake describes the request and the CONNECT that a socket connected with.
type Handshake struct {
	// Headers are the headers of the request that opened the session.
	Headers http.Header
	// Time is when the socket connected to its namespace.
	Time time.Time
	// Address is the client's network address without the port.
	Address string
	// XDomain reports whether the request had an Origin header.
	XDomain bool
	// Secure reports whether the request came over TLS.
	Secure bool
	// TLS is the state of that connection, with the client's certificates, or
	// nil if it came without TLS or over a proxy. It must not be changed.
	TLS *tls.ConnectionState
	// URL is the request's target, path and query.
	URL string
	// Query has the query parameters; if one is repeated, its last value.
	Query map[string]string
	// Auth is the payload of the client's CONNECT; {} if it had none or
	// [Socket.ForgetAuth] dropped it. In protocol 3 it has the query of the namespace
	// that the client connected to, as in io("/chat?token=x"), with texts for values;
	// the namespace "/" has none, and clients send tokens in Query.
	Auth Value
}

// Handshake returns the socket's handshake. Each call builds a new one.
func (s *Socket) Handshake() Handshake {
	r := s.client.session.Request()
	h := Handshake{
		Headers: r.Header,
		Time:    s.since,
		Address: r.RemoteAddr,
		XDomain: r.Header.Get("Origin") != "",
		Secure:  r.Secure,
		TLS:     r.TLS,
		URL:     r.URL,
		Query:   map[string]string{},
		Auth:    s.sentAuth(),
	}
	for name, values := range r.Query() {
		h.Query[name] = values[len(values)-1]
	}
	return h
}

// ForgetAuth drops what the client sent with CONNECT, such as a token, as soon
// as the OnConnect functions have returned. It is then neither kept with the
// socket nor sent to other servers by FetchSockets, and Handshake().Auth is {}. In protocol
// 3 the query of the request is not sent to other servers either, but is kept.
func (s *Socket) ForgetAuth() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget = true
	if s.greeted {
		s.auth = noAuth
	}
}

func (s *Socket) forgetsAuth() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forget
}

func (s *Socket) sentAuth() Value {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.auth
}

// MarshalJSON encodes the handshake in the format of Node's servers.
func (h Handshake) MarshalJSON() ([]byte, error) {
	headers := make(map[string]string, len(h.Headers))
	for name, values := range h.Headers {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return json.Marshal(struct {
		Headers map[string]string `json:"headers"`
		Time    string            `json:"time"`
		Address string            `json:"address"`
		XDomain bool              `json:"xdomain"`
		Secure  bool              `json:"secure"`
		Issued  int64             `json:"issued"`
		URL     string            `json:"url"`
		Query   map[string]string `json:"query"`
		Auth    json.RawMessage   `json:"auth"`
	}{
		headers, h.Time.UTC().Format("Mon Jan 02 2006 15:04:05 GMT+0000 (Coordinated Universal Time)"),
		h.Address, h.XDomain, h.Secure, h.Time.UnixMilli(), h.URL, h.Query, h.Auth.JSON,
	})
}
