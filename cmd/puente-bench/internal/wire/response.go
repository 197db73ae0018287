package wire

import (
	"bytes"
	"strconv"
)

// Response is one HTTP/1.1 response, as far as a load generator looks at it.
type Response struct {
	Status int
	Head   []byte // status line and header fields, with the empty line
	Body   []byte // de-chunked; aliases the buffer that was parsed unless it came in several chunks
	Close  bool   // the server closes the connection after it
}

// ParseResponse takes one response from the start of b (RFC 9112) and returns how many bytes it has; 0 means that b holds less than
// one. A body that only the end of the connection delimits is not supported; a 101 has none.
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

// parseChunks reads the chunked body that starts at b[at:] (RFC 9112, section 7.1). Trailers are not expected.
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

// HasField reports whether a response's head has the field name with exactly value.
func HasField(head []byte, name, value string) bool {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		n, v, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(n, []byte(name)) && string(bytes.TrimSpace(v)) == value {
			return true
		}
	}
	return false
}
