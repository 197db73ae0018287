package sio

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"

	"github.com/puente-io/puente/cmd/puente-bench/internal/loop"
	"github.com/puente-io/puente/cmd/puente-bench/internal/wire"
)

const separator = 0x1e // between the packets of a payload (Engine.IO protocol, "HTTP long-polling")

// polling is a client that only uses long-polling. Like a browser it has two keep-alive connections: on one a poll is always
// outstanding, on the other it posts.
type polling struct {
	loop loop.Loop
	conversation
	options *Options
	get     channel
	post    channel
	queue   []byte // payload of the next POST
	sid     string
	index   int
	closed  bool
}

// channel is a keep-alive connection with at most one outstanding request.
type channel struct {
	client *polling
	conn   loop.Conn
	in     []byte
	want   []byte // request to send once the connection is open
	open   bool
	busy   bool
	done   func(wire.Response) error
}

// DialPolling starts a client that only uses long-polling. h receives the result; a failure may be reported before
// DialPolling returns.
func DialPolling(l loop.Loop, o *Options, index int, token string, h Handler) Client {
	c := &polling{loop: l, conversation: conversation{h, token, opening}, options: o, index: index}
	c.get = channel{client: c, done: c.polled}
	c.post = channel{client: c, done: c.posted}
	c.get.request([]byte(o.head("GET", "transport=polling") + "\r\n"))
	return c
}

func (c *polling) Index() int { return c.index }
func (c *polling) Ping()      {}

func (c *polling) poll() {
	c.get.request([]byte(c.options.head("GET", "transport=polling&sid="+c.sid) + "\r\n"))
}

func (c *polling) polled(r wire.Response) error {
	if r.Status != 200 {
		return fmt.Errorf("%w: GET answered %d %.200s", ErrHandshake, r.Status, r.Body)
	}
	for body := r.Body; len(body) > 0 && !c.closed; {
		p, rest, _ := bytes.Cut(body, []byte{separator})
		if err := c.packet(p); err != nil {
			return err
		}
		body = rest
	}
	if !c.closed {
		c.poll()
		c.flush()
	}
	return nil
}

func (c *polling) packet(p []byte) error {
	if len(p) == 0 {
		return fmt.Errorf("%w: empty", ErrProtocol)
	}
	switch kind, p := p[0], p[1:]; kind {
	case '0':
		sid, err := sessionID(p)
		if err != nil {
			return err
		}
		c.sid, c.state = sid, connecting
		c.Send(connectPacket(c.token))
	case '1':
		return fmt.Errorf("%w: Engine.IO close", ErrDisconnect)
	case '2':
		c.enqueue([]byte{'3'}, nil)
	case '4':
		return c.received(c, p)
	case 'b':
		attachment, err := base64.StdEncoding.DecodeString(string(p))
		if err != nil {
			return fmt.Errorf("%w: attachment: %w", ErrProtocol, err)
		}
		c.handler.Attachment(c, attachment)
	}
	return nil
}

func (c *polling) Send(p []byte) { c.enqueue([]byte{'4'}, p) }

func (c *polling) SendAttachment(p []byte) {
	c.enqueue([]byte{'b'}, base64.StdEncoding.AppendEncode(nil, p))
}

func (c *polling) enqueue(prefix, p []byte) {
	if len(c.queue) > 0 {
		c.queue = append(c.queue, separator)
	}
	c.queue = append(append(c.queue, prefix...), p...)
	// Packets sent while a poll's answer is handled share one POST: polled flushes afterwards.
	if !c.get.busy {
		return
	}
	c.flush()
}

func (c *polling) flush() {
	if len(c.queue) == 0 || c.post.busy || c.closed {
		return
	}
	head := c.options.head("POST", "transport=polling&sid="+c.sid) +
		"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: " + strconv.Itoa(len(c.queue)) + "\r\n\r\n"
	b := append([]byte(head), c.queue...)
	c.queue = c.queue[:0]
	c.post.request(b)
}

func (c *polling) posted(r wire.Response) error {
	if r.Status != 200 {
		return fmt.Errorf("%w: POST answered %d %.200s", ErrHandshake, r.Status, r.Body)
	}
	c.flush()
	return nil
}

func (c *polling) fail(err error) {
	if !c.closed {
		c.Close()
		c.handler.Closed(c, err)
	}
}

func (c *polling) Close() {
	c.closed = true
	for _, ch := range []*channel{&c.get, &c.post} {
		if ch.conn != nil {
			ch.conn.Close()
		}
	}
}

// request sends b, on a new connection if the server has closed the previous one, as it may between requests.
func (ch *channel) request(b []byte) {
	ch.busy = true
	switch {
	case ch.open:
		ch.conn.Write(b)
	default:
		ch.want = b
		ch.conn = ch.client.loop.Dial(ch.client.options.Node, ch)
	}
}

func (ch *channel) OnOpen() {
	ch.open = true
	ch.conn.Write(ch.want)
	ch.want = nil
}

func (ch *channel) OnData(b []byte) {
	ch.in = append(ch.in, b...)
	r, n, err := wire.ParseResponse(ch.in)
	if err == nil && n == 0 {
		return
	}
	if err == nil && (!ch.busy || n != len(ch.in)) {
		err = fmt.Errorf("%w: response without a request", ErrProtocol)
	}
	if err == nil {
		ch.busy = false
		if r.Close {
			ch.open = false
			ch.conn.Close()
		}
		body := ch.in
		ch.in = nil
		err = ch.done(r)
		if ch.in == nil {
			ch.in = body[:0]
		}
	}
	if err != nil {
		ch.client.fail(err)
	}
}

func (ch *channel) OnClose(err error) {
	ch.open = false
	ch.in = nil
	if ch.busy {
		ch.client.fail(err)
	}
}
