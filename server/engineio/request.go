package engineio

import (
	"cmp"
	"crypto/tls"
	"encoding/binary"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Request is what a session remembers of the request that opened it, within
// Options.MaxRequestBytes.
type Request struct {
	// URL is the request's target as it was sent: path and query.
	URL string
	// Header holds the headers, Host among them.
	Header http.Header
	// RemoteAddr is the client's network address without the port.
	RemoteAddr string
	// Secure says that the request came over TLS: to the server, or to a trusted proxy.
	// An HTTP middleware records the latter by setting URL.Scheme of the [http.Request]
	// to "https".
	Secure bool
	// TLS is the state of its TLS connection, see [Session.TLS]; nil if it came
	// without TLS, or through a proxy.
	TLS *tls.ConnectionState
	// Time is when it arrived.
	Time time.Time
}

// Query returns the decoded query of the URL. It omits parameters that cannot be decoded.
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
//	address, URL, then header names and values: length as a varint, bytes
type requestBlock string

// encodeRequest keeps at most so many bytes of target and headers, 0 for all.
func encodeRequest(r *http.Request, most int) requestBlock {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	b := make([]byte, 0, 1024)
	b = binary.AppendVarint(b, time.Now().UnixMilli())
	secure := int64(0)
	if r.TLS != nil || secured(r.URL) {
		secure = 1
	}
	b = binary.AppendVarint(b, secure)
	put := func(s string) {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	if most > 0 {
		r = trim(r, most)
	}
	put(host)
	put(r.RequestURI)
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

// secured reports whether a middleware has set the scheme of the request's URL to https.
// A URL with a host comes from a client that sent an absolute URL.
func secured(u *url.URL) bool { return u != nil && u.Scheme == "https" && u.Host == "" }

// trim returns the request with target and headers of at most so many bytes. Of
// what goes beyond that the largest parts are left out first, since those are
// seldom what a program asks for: the query counts as one part, and a path that
// is too long by itself is cut off.
func trim(r *http.Request, most int) *http.Request {
	size := len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v)
		}
	}
	if size <= most {
		return r
	}
	path, query, _ := strings.Cut(r.RequestURI, "?")
	parts := []part{{query: true, size: len(query)}}
	for name, values := range r.Header {
		n := 0
		for _, v := range values {
			n += len(name) + len(v)
		}
		parts = append(parts, part{header: name, size: n})
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(b.size, a.size) })
	out := &http.Request{RequestURI: r.RequestURI, Host: r.Host, Header: maps.Clone(r.Header)}
	for _, p := range parts {
		if size <= most {
			return out
		}
		if p.query {
			out.RequestURI = path
		} else {
			delete(out.Header, p.header)
		}
		size -= p.size
	}
	out.RequestURI = path[:min(len(path), most)]
	out.Host = r.Host[:min(len(r.Host), most-len(out.RequestURI))]
	return out
}

// part is a header or the query.
type part struct {
	header string
	query  bool
	size   int
}

func (block requestBlock) decode() Request {
	r := Request{Time: time.UnixMilli(block.number()), Secure: block.number() == 1}
	r.RemoteAddr, r.URL = block.text(), block.text()
	r.Header = http.Header{}
	for len(block) > 0 {
		name := block.text()
		r.Header[name] = append(r.Header[name], block.text())
	}
	return r
}

// number and text take what comes next off the block. Texts share its memory.
func (block *requestBlock) number() int64 {
	v, n := binary.Varint(block.head())
	*block = (*block)[n:]
	return v
}

func (block *requestBlock) text() string {
	size, n := binary.Uvarint(block.head())
	s := (*block)[n : n+int(size)]
	*block = (*block)[n+int(size):]
	return string(s)
}

func (block *requestBlock) head() []byte {
	return []byte((*block)[:min(len(*block), binary.MaxVarintLen64)])
}

// Request returns what is remembered of the request that opened the session. It
// is decoded by each call.
func (s *Session) Request() Request {
	r := s.request.decode()
	r.TLS = s.TLS()
	return r
}

// RemoteAddr is Request().RemoteAddr, without the cost of the rest.
func (s *Session) RemoteAddr() string {
	block := s.request
	block.number()
	block.number()
	return block.text()
}
