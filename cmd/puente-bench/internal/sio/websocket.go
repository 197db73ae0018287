package sio

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"

	"github.com/gobwas/ws"
	"github.com/puente-io/puente/cmd/puente-bench/internal/loop"
	"github.com/puente-io/puente/cmd/puente-bench/internal/wire"
)

// The nonce of a handshake protects from caching proxies; a fixed one and its answer (RFC 6455, section 1.3) are enough here.
const (
	nonce  = "dGhlIHNhbXBsZSBub25jZQ=="
	accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// offer is the offer of a client that compresses. Both sides forget each message before the next, so that a message is the
// same for all clients and is inflated once, see inflater.
const offer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// threshold is the size in bytes of a message from which a server must compress it. Clients do not compress.
const threshold = 1024

type state uint8

const (
	upgrading  state = iota // waits for the HTTP response
	opening                 // waits for the Engine.IO open packet
	connecting              // waits for the answer to CONNECT
	ready
)

type webSocket struct {
	conn loop.Conn
	conversation
	options  *Options
	in       []byte // start of an incomplete frame
	fragment []byte // start of an incomplete message
	scratch  []byte
	index    int
	mask     [4]byte
	closed   bool
	binary   bool // the current message is binary
	deflated bool // the current message is compressed
}

// DialWebSocket starts a client that only uses WebSocket. h receives the result; a failure may be reported before
// DialWebSocket returns.
func DialWebSocket(l loop.Loop, o *Options, index int, token string, h Handler) Client {
	c := &webSocket{conversation: conversation{handler: h, token: token}, options: o, index: index}
	for i := range c.mask {
		c.mask[i] = byte(1 + rand.IntN(255))
	}
	c.conn = l.Dial(o.Node, c)
	return c
}

func (c *webSocket) Index() int { return c.index }

func (c *webSocket) OnOpen() {
	query, extensions := "transport=websocket", ""
	switch {
	case c.options.Form == Deflate:
		extensions = "Sec-WebSocket-Extensions: " + offer + "\r\n"
	case c.options.Form == Protocol3 && c.token != "": // has no payload of CONNECT
		query += "&token=" + url.QueryEscape(c.token)
	}
	c.conn.Write([]byte(c.options.head("GET", query) + extensions +
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + nonce + "\r\n\r\n"))
}

// accepted returns an error if a response does not accept the WebSocket or what the client needs of it.
func (c *webSocket) accepted(r wire.Response) error {
	if r.Status != 101 || wire.Field(r.Head, "Sec-WebSocket-Accept") != accept {
		return fmt.Errorf("%w: status %d %.200s", ErrHandshake, r.Status, r.Body)
	}
	extensions := wire.Field(r.Head, "Sec-WebSocket-Extensions")
	if c.options.Form == Deflate && !(strings.HasPrefix(extensions, "permessage-deflate") && strings.Contains(extensions, "server_no_context_takeover")) {
		return fmt.Errorf("%w: extensions %q", ErrHandshake, extensions)
	}
	return nil
}

func (c *webSocket) OnData(b []byte) {
	if len(c.in) > 0 {
		c.in = append(c.in, b...)
		b = c.in
	}
	rest, err := c.take(b)
	switch {
	case c.closed:
	case err != nil:
		c.fail(err)
	case len(rest) == 0:
		c.in = nil // idle clients hold no buffer
	default:
		c.in = append(c.in[:0], rest...)
	}
}

// take handles the complete frames in b and returns the rest.
func (c *webSocket) take(b []byte) ([]byte, error) {
	if c.state == upgrading {
		r, n, err := wire.ParseResponse(b)
		if err != nil || n == 0 {
			return b, err
		}
		if err := c.accepted(r); err != nil {
			return nil, err
		}
		c.state, b = opening, b[n:]
	}
	parse := wire.ParseFrame
	if c.options.Form == Deflate {
		parse = wire.ParseDeflateFrame
	}
	for !c.closed {
		f, n, err := parse(b)
		if err != nil || n == 0 {
			return b, err
		}
		if err := c.frame(f); err != nil {
			return nil, err
		}
		b = b[n:]
	}
	return nil, nil
}

func (c *webSocket) frame(f wire.Frame) error {
	switch f.OpCode {
	case ws.OpPing:
		c.conn.Write(wire.AppendFrame(nil, ws.OpPong, c.mask, f.Payload))
		return nil
	case ws.OpPong:
		return nil
	case ws.OpClose:
		return fmt.Errorf("%w: WebSocket close frame % x", ErrDisconnect, f.Payload)
	case ws.OpContinuation:
		c.fragment = append(c.fragment, f.Payload...)
	default:
		c.binary, c.deflated = f.OpCode == ws.OpBinary, f.Compressed
		if f.Fin {
			return c.message(f.Payload)
		}
		c.fragment = append(c.fragment[:0], f.Payload...)
	}
	if !f.Fin {
		return nil
	}
	p := c.fragment
	c.fragment = nil
	return c.message(p)
}

// message handles an Engine.IO packet (Engine.IO protocol, "Packet encoding").
func (c *webSocket) message(p []byte) (err error) {
	switch {
	case c.deflated:
		if p, err = c.options.inflater.inflate(p); err != nil {
			return err
		}
	case c.options.Form == Deflate && len(p) > threshold:
		return fmt.Errorf("%w: %d bytes that are not compressed", ErrProtocol, len(p))
	}
	switch {
	case c.options.Form == Msgpack && c.binary && c.state >= connecting:
		if p, err = c.options.packer.unpack(p); err != nil {
			return err
		}
		return c.received(c, p)
	case c.binary && c.state == ready:
		c.handler.Attachment(c, p)
		return nil
	case c.binary || len(p) == 0:
		return fmt.Errorf("%w: %.100q", ErrProtocol, p)
	}
	switch kind, p := p[0], p[1:]; kind {
	case '0':
		if c.state != opening {
			return fmt.Errorf("%w: second open packet", ErrProtocol)
		}
		if c.state = connecting; c.options.Form != Protocol3 { // otherwise the server connects it
			c.Send(connectPacket(c.token))
		}
	case '1':
		return fmt.Errorf("%w: Engine.IO close", ErrDisconnect)
	case '2':
		c.write(ws.OpText, []byte{'3'}, nil)
	case '4':
		return c.received(c, p)
	}
	return nil
}

func (c *webSocket) Send(p []byte) {
	if c.options.Form != Msgpack {
		c.write(ws.OpText, []byte{'4'}, p)
		return
	}
	packed, err := c.options.packer.pack(p)
	if err != nil {
		c.fail(err)
		return
	}
	c.write(ws.OpBinary, nil, packed)
}

func (c *webSocket) Ping() {
	if c.options.Form == Protocol3 && c.state == ready {
		c.write(ws.OpText, []byte{'2'}, nil)
	}
}

func (c *webSocket) SendAttachment(p []byte) { c.write(ws.OpBinary, nil, p) }

func (c *webSocket) write(op ws.OpCode, prefix, p []byte) {
	c.scratch = wire.AppendFrame(c.scratch[:0], op, c.mask, prefix, p)
	c.conn.Write(c.scratch)
	if cap(c.scratch) > 4096 {
		c.scratch = nil
	}
}

func (c *webSocket) OnClose(err error) {
	if !c.closed {
		c.closed = true
		c.handler.Closed(c, err)
	}
}

func (c *webSocket) fail(err error) {
	c.conn.Close()
	c.OnClose(err)
}

func (c *webSocket) Close() {
	c.closed = true
	c.conn.Close()
}
