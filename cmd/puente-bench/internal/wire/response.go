package wire

import (
	"bytes"
	"strconv"
)

// Response is the part of an HTTP/1.1 response that a load generator needs.
type Response struct {
	Status int
	Head   []byte // status line and header fields, with the empty line
	Body   []byte // without chunk framing; aliases the buffer that was parsed unless it has several chunks
	Close  bool   // the server closes the connection after the response
}

// ParseResponse parses the response at the start of b (RFC 9112) and returns its size in bytes, or 0 if b does not hold a
// complete response. A body that ends with the connection is not supported.
func ParseResponse(b []byte) (r Response, size int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > 64<<10 {
			return r, 0, ErrHTTP
		}
		return r, 0, nil
	}
	end += 4
	r.Head = b[:end]
	line, fields, _ := bytes.Cut(b[:end-2], []byte("\r\n"))
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return r, 0, ErrHTTP
	}
	if r.Status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return r, 0, ErrHTTP
	}
	length, chunked := 0, false
	for len(fields) > 0 {
		var field []byte
		field, fields, _ = bytes.Cut(fields, []byte("\r\n"))
		name, value, _ := bytes.Cut(field, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 {
				return r, 0, ErrHTTP
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("Connection")):
			r.Close = bytes.EqualFold(value, []byte("close"))
		}
	}
	if chunked {
		return parseChunks(r, b, end)
	}
	if length > maxLength {
		return r, 0, ErrTooLarge
	}
	if r.Status == 101 || r.Status == 204 || r.Status == 304 {
		length = 0
	}
	if len(b) < end+length {
		return r, 0, nil
	}
	r.Body = b[end : end+length]
	return r, end + length, nil
}

// parseChunks parses the chunked body that starts at b[at:] (RFC 9112, section 7.1). Trailers are not supported.
func parseChunks(r Response, b []byte, at int) (Response, int, error) {
	for {
		n := bytes.Index(b[at:], []byte("\r\n"))
		if n < 0 {
			return r, 0, nil
		}
		digits, _, _ := bytes.Cut(b[at:at+n], []byte(";"))
		length, err := strconv.ParseUint(string(digits), 16, 32)
		if err != nil {
			return r, 0, ErrHTTP
		}
		if length > maxLength {
			return r, 0, ErrTooLarge
		}
		start := at + n + 2
		at = start + int(length) + 2
		if len(b) < at {
			return r, 0, nil
		}
		if string(b[at-2:at]) != "\r\n" {
			return r, 0, ErrHTTP
		}
		if length == 0 {
			return r, at, nil
		}
		if r.Body == nil {
			r.Body = b[start : start+int(length) : start+int(length)]
		} else {
			r.Body = append(r.Body, b[start:start+int(length)]...)
		}
	}
}

// Field returns the value of the first field with that name in a response's head, or "".
func Field(head []byte, name string) string {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		n, v, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(n, []byte(name)) {
			return string(bytes.TrimSpace(v))
		}
	}
	return ""
}
