package engineio

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strconv"
	"strings"
	"sync"
)

// negotiateEncoding picks gzip or deflate from an Accept-Encoding header, by
// the client's weights and then by its order; "" if it takes neither
// (RFC 9110, section 12.5.3).
func negotiateEncoding(header string) string {
	best, bestWeight := "", 0.0
	for item := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(item, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "*" {
			name = "gzip"
		}
		if name != "gzip" && name != "deflate" {
			continue
		}
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			weight, _ = strconv.ParseFloat(q, 64)
		}
		if weight > bestWeight {
			best, bestWeight = name, weight
		}
	}
	return best
}

var (
	gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(io.Discard) }}
	zlibWriters = sync.Pool{New: func() any { return zlib.NewWriter(io.Discard) }}
)

// newCompressor returns a writer that writes what it is given to dst, compressed,
// once it is closed. done must be called when nothing uses it any more.
func newCompressor(dst io.Writer, encoding string) (w io.WriteCloser, done func()) {
	type resetter interface {
		io.WriteCloser
		Reset(io.Writer)
	}
	pool := &gzipWriters
	if encoding == "deflate" { // is zlib's format (RFC 9110, section 8.4.1.2)
		pool = &zlibWriters
	}
	c := pool.Get().(resetter)
	c.Reset(dst)
	return c, func() {
		c.Reset(io.Discard) // it must not keep dst
		pool.Put(c)
	}
}

// compressTo writes the compressed body to a buffer, which does not fail.
func compressTo(dst *bytes.Buffer, encoding string, body []byte) {
	w, done := newCompressor(dst, encoding)
	defer done()
	w.Write(body)
	w.Close()
}
