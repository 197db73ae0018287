package sio

import (
	"fmt"
	"math/rand/v2"

	"github.com/gobwas/ws"
	"github.com/puente-io/puente/cmd/puente-bench/internal/loop"
	"github.com/puente-io/puente/cmd/puente-bench/internal/wire"
)

// The nonce of a handshake protects from caching proxies; a fixed one and its answer (RFC 6455, section 1.3) are enough here.
const (
	nonce  = "dGhlIHNhbXBsZSBub25jZQ=="
	accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

type state uint8

const (
	upgrading  state = iota // waits for the HTTP response
	opening                 // waits for the Engine.IO open packet
	connecting              // waits for the answer to CONNECT
	ready
)

type webSocket struct {
	conn     loop.Conn
	handler  Handler
	options  *Options
	token    string
	in       []byte // start of an incomplete frame
	fragment []byte // start of an incomplete message
	scratch  []byte
	index    int
	mask     [4]byte
	state    state
	closed   bool
	binary   bool // the current message is binary
}

// DialWebSocket starts a client that only uses WebSocket. h receives the result; a failure may be reported before
// DialWebSocket returns.
func DialWebSocket(l loop.Loop, o *Options, index int, token string, h Handler) Client {
	c := &webSocket{handler: h, options: o, token: token, index: index}
	for i := range c.mask {
		c.mask[i] = byte(1 + rand.IntN(255))
	}
	c.conn = l.Dial(o.Node, c)
	return c
}

func (c *webSocket) Index() int { return c.index }

func (c *webSocket) OnOpen() {
	c.conn.Write([]byte(c.options.head("GET", "transport=websocket") +
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + nonce + "\r\n\r\n"))
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
		if r.Status != 101 || !wire.HasField(r.Head, "Sec-WebSocket-Accept", accept) {
			return nil, fmt.Errorf("%w: status %d %.200s", ErrHandshake, r.Status, r.Body)
		}
		c.state, b = opening, b[n:]
	}
	for !c.closed {
		f, n, err := wire.ParseFrame(b)
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
		c.binary = f.OpCode == ws.OpBinary
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
func (c *webSocket) message(p []byte) error {
	switch {
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
		c.state = connecting
		c.Send(connectPacket(c.token))
	case '1':
		return fmt.Errorf("%w: Engine.IO close", ErrDisconnect)
	case '2':
		c.write(ws.OpText, []byte{'3'}, nil)
	case '4':
		if c.state == ready {
			if len(p) > 0 && p[0] == Disconnect {
				return ErrDisconnect
			}
			c.handler.Packet(c, p)
			return nil
		}
		if err := answer(p); err != nil {
			return err
		}
		c.state, c.token = ready, ""
		c.handler.Ready(c)
	}
	return nil
}

func (c *webSocket) Send(p []byte)           { c.write(ws.OpText, []byte{'4'}, p) }
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
