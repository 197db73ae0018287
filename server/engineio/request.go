package engineio

import (
	"encoding/binary"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Request is what a session remembers of the request that opened it.
type Request struct {
	// URL is the request's target as it was sent: path and query.
	URL string
	// Header holds the headers, Host among them.
	Header http.Header
	// RemoteAddr is the client's network address without the port.
	RemoteAddr string
	// Secure tells that the request came over TLS.
	Secure bool
	// Time is when it came.
	Time time.Time
}

// Query returns the decoded query of the URL. Of parameters that cannot be
// decoded it has nothing.
func (r Request) Query() url.Values {
	u, err := url.ParseRequestURI(r.URL)
	if err != nil {
		return url.Values{}
	}
	return u.Query()
}

// requestBlock is a Request in one block of memory, since it is kept as long as
// the session and seldom read:
//
//	unix milliseconds, secure (0 or 1): varints
//	URL, address, then header names and values: length as a varint, bytes
type requestBlock string

func encodeRequest(r *http.Request) requestBlock {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	b := make([]byte, 0, 1024)
	b = binary.AppendVarint(b, time.Now().UnixMilli())
	secure := int64(0)
	if r.TLS != nil {
		secure = 1
	}
	b = binary.AppendVarint(b, secure)
	put := func(s string) {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	put(r.RequestURI)
	put(host)
	put("Host")
	put(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			put(name)
			put(v)
		}
	}
	return requestBlock(b)
}

func (block requestBlock) decode() Request {
	b := []byte(block)
	number := func() int64 {
		v, n := binary.Varint(b)
		b = b[n:]
		return v
	}
	text := func() string {
		size, n := binary.Uvarint(b)
		s := string(b[n : n+int(size)])
		b = b[n+int(size):]
		return s
	}
	r := Request{Time: time.UnixMilli(number()), Secure: number() == 1}
	r.URL, r.RemoteAddr = text(), text()
	r.Header = http.Header{}
	for len(b) > 0 {
		name := text()
		r.Header[name] = append(r.Header[name], text())
	}
	return r
}

// Request returns what is remembered of the request that opened the session. It
// is decoded anew by each call.
func (s *Session) Request() Request { return s.request.decode() }
