package engineio

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strconv"
	"strings"

	"github.com/puente-io/puente/server/engineio/internal/deflate"
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

// compressor is a writer of package gzip or zlib.
type compressor interface {
	io.WriteCloser
	Reset(io.Writer)
}

// Compressors take much memory, and none waits for a client.
var (
	gzipWriters = deflate.NewPool(func() compressor { return gzip.NewWriter(io.Discard) })
	zlibWriters = deflate.NewPool(func() compressor { return zlib.NewWriter(io.Discard) })
)

// compressTo appends what write writes to a buffer, which does not fail, compressed.
func compressTo(dst *bytes.Buffer, encoding string, write func(io.Writer)) {
	pool := gzipWriters
	if encoding == "deflate" { // is zlib's format (RFC 9110, section 8.4.1.2)
		pool = zlibWriters
	}
	c := pool.Get()
	defer pool.Put(c)
	c.Reset(dst)
	defer c.Reset(io.Discard) // it must not keep dst
	write(c)
	c.Close()
}
