package engineio

import (
	"net/http"

	"github.com/gobwas/ws"

	"github.com/puente-io/puente/server/engineio/internal/deflate"
	"github.com/puente-io/puente/server/engineio/internal/wsframe"
)

// deflater compresses and decompresses messages (permessage-deflate, RFC 7692).
type deflater struct {
	threshold    int // of the size of a message, with its type character
	compressor   *deflate.Compressor
	decompressor *deflate.Decompressor
}

// newDeflater returns nil if the extension is off.
func newDeflater(o *Options) *deflater {
	if !o.PerMessageDeflate {
		return nil
	}
	return &deflater{o.PerMessageDeflateThreshold, deflate.NewCompressor(o.PerMessageDeflateLevel), deflate.NewDecompressor()}
}

// compresses reports whether the deflater may make a compressed frame of f.
func (d *deflater) compresses(f *Frame) bool { return !f.plain && len(f.payload()) >= d.threshold }

// frame returns the compressed frame, or f if that is not larger.
func (d *deflater) frame(f Frame) Frame {
	if !d.compresses(&f) {
		return f
	}
	b := d.compressor.Compress(f.payload(), frameRoom)
	if b == nil {
		return f
	}
	op := ws.OpBinary
	if f.text {
		op = ws.OpText
	}
	out := seal(b, op)
	out.wire[0] |= 0x40 // RSV1 (section 6)
	return out
}

// CompressionCounts says what the server has compressed since it was made, see
// [Options.PerMessageDeflate]. A message that is sent to many clients is compressed, and
// counted, once.
type CompressionCounts struct {
	Messages int64 `json:"messages"`
	// BytesBefore and BytesAfter are the messages' sizes. A message that does not become
	// smaller is sent as it is, and counts in both with its size.
	BytesBefore int64 `json:"bytesBefore"`
	BytesAfter  int64 `json:"bytesAfter"`
}

// CompressionCounts returns the current counts.
func (srv *Server) CompressionCounts() CompressionCounts {
	if srv.deflater == nil {
		return CompressionCounts{}
	}
	c := srv.deflater.compressor.Counts()
	return CompressionCounts{Messages: c.Messages, BytesBefore: c.Before, BytesAfter: c.After}
}

// negotiate answers the extensions that the client offers: with "", or with those that
// the connection has from then on.
func (srv *Server) negotiate(r *http.Request) (extensions string, wrong *HandshakeError) {
	if srv.deflater == nil {
		return "", nil
	}
	extensions, err := deflate.Negotiate(r.Header["Sec-Websocket-Extensions"])
	if err != nil {
		return "", errExtensions
	}
	return extensions, nil
}

// Decompress implements [wsframe.Sink]. The session's bound holds for the decompressed
// message too. While the handler is asked to raise it, no decompressor waits.
func (c *websocketConn) Decompress(p []byte) ([]byte, *wsframe.Violation) {
	s := c.session
	for c.listens() {
		limit := s.MaxMessageBytes()
		message, err := s.server.deflater.decompressor.Decompress(p, limit)
		switch {
		case err == nil:
			return message, nil
		case err != deflate.ErrTooLarge:
			return nil, &wsframe.Violation{Code: wsframe.CloseNotUTF8, Err: err}
		case !s.admits(int64(limit) + 1):
			return nil, &wsframe.Violation{Code: wsframe.CloseTooLarge, Err: wsframe.ErrTooLarge}
		}
	}
	return nil, nil // HandleFrame will drop it
}

// form returns the bits that a session's form gets from its WebSocket.
func (c *websocketConn) form() form {
	if c.reader.Compression {
		return formDeflated
	}
	return 0
}
