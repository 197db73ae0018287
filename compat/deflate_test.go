package compat_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strings"

	"github.com/gobwas/ws"
)

// rsv1 is the frame bit that marks a compressed message (RFC 7692, section 6).
const rsv1 = 0b100

// maxWindow is how much of the messages before it a compressed message may refer to.
const maxWindow = 32 << 10

// inflater inflates the compressed messages of one connection.
type inflater struct {
	takeover bool
	window   []byte
}

// negotiated returns the inflater of a handshake's answer, or nil if it does not accept permessage-deflate.
func negotiated(extensions string) *inflater {
	if !strings.HasPrefix(extensions, "permessage-deflate") {
		return nil
	}
	return &inflater{takeover: !strings.Contains(extensions, "server_no_context_takeover")}
}

// render returns a compressed message as a line "<z" or "<zb".
func (z *inflater) render(op ws.OpCode, message []byte) answer {
	// The sender has cut the first of these blocks off; the second is the last one of a stream.
	stream := append(message, 0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff)
	data, err := io.ReadAll(flate.NewReaderDict(bytes.NewReader(stream), z.window))
	if err != nil {
		return answer{fmt.Sprintf("< (broken compression: %v)", err)}
	}
	if z.takeover {
		z.window = append(z.window, data...)
		z.window = z.window[max(0, len(z.window)-maxWindow):]
	}
	return answer{"<z" + strings.TrimPrefix(strings.TrimPrefix(renderMessage(op, data)[0], "<<"), "<")}
}

// sendCompressed sends a message that refers to no other, which every server takes that has accepted the extension.
func (c *conn) sendCompressed(op ws.OpCode, payload []byte) error {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return err
	}
	w.Write(payload) // a bytes.Buffer returns no error
	w.Flush()
	f := ws.NewFrame(op, true, bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff}))
	f.Header.Rsv = rsv1
	return c.writeFrame(f)
}
