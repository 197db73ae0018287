// Package raw is a Socket.IO client for tests: protocol 5 on Engine.IO 4 over
// WebSocket, long-polling, or an upgrade. It shares no code with the server, and
// returns packets byte for byte as they arrived.
package raw

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// Timeout bounds every wait of a client. No correct result depends on its value.
const Timeout = 20 * time.Second

// TB is the part of [testing.TB] that the package uses; commands implement it
// themselves.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Options configures a connection. The zero value works.
type Options struct {
	// Auth is the payload of CONNECT, encoded as JSON. Default: none.
	Auth any
	// Namespace to connect to. Default: the main one.
	Namespace string
	// Header is added to the handshake.
	Header http.Header
	// Transport to connect with. Default: WebSocket.
	Transport Transport
	// OnEvent is called with each event, in order. It must not call the client's
	// methods. Default: events are kept for Next.
	OnEvent func(Event)
	// OnPacket is called with each text packet before it is decoded, and returns
	// true if it has handled the packet. It must not call the client's methods. It
	// saves decoding many similar packets. Default: none.
	OnPacket func(text string) bool
	// NetDial connects to the server. Default: over TCP.
	NetDial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Client is a connection. Its methods are safe for concurrent use.
type Client struct {
	tb  TB
	ns  string // as a packet's prefix: "" or "/name,"
	sid string // session id
	id  string // socket id
	on  func(Event)
	raw func(text string) bool // Options.OnPacket

	writing sync.Mutex // guards the transport: conn or polling
	conn    net.Conn
	polling *polling
	close   func() // ends the transport and waits for its reader

	gates gates

	mu           sync.Mutex    // guards the fields below
	changed      chan struct{} // closed and replaced at every change
	done         chan struct{} // closed at the end of the connection
	events       []Event       // not taken yet
	acks         map[int]Event
	asked        int    // last acknowledgement id
	connect      string // the packet that answered CONNECT
	disconnected bool   // DISCONNECT was received
	ended        bool   // the connection has ended
	pending      *Event // waits for attachments
	missing      int    // attachments of pending
}

// Event is a received event or acknowledgement.
type Event struct {
	Name        string
	Args        []json.RawMessage
	Attachments [][]byte
	ack         int
}

// Arg returns argument i as JSON text, or "" if there is none.
func (e Event) Arg(i int) string {
	if i >= len(e.Args) {
		return ""
	}
	return string(e.Args[i])
}

// Connect opens a connection to the server at url, http://host:port, and connects to
// the namespace. It fails the test if the server refuses or cannot be reached. The
// test's cleanup closes the client.
func Connect(tb TB, url string, opts Options) *Client {
	tb.Helper()
	c, refusal := Try(tb, url, opts)
	if refusal != "" {
		tb.Fatalf("connection refused: %s", refusal)
	}
	return c
}

// Try is like Connect, but if the server refuses it returns the payload of
// CONNECT_ERROR.
func Try(tb TB, url string, opts Options) (c *Client, refusal string) {
	tb.Helper()
	c, refusal, err := Dial(tb, url, opts)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	return c, refusal
}

// Dial is like Try, but returns an error if the server cannot be reached, or if the
// connection ends before CONNECT is answered.
func Dial(tb TB, url string, opts Options) (c *Client, refusal string, err error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	defer cancel()
	c = &Client{tb: tb, changed: make(chan struct{}), done: make(chan struct{}), acks: make(map[int]Event), on: opts.OnEvent, raw: opts.OnPacket}
	if opts.Namespace != "" {
		c.ns = opts.Namespace + ","
	}
	tb.Cleanup(c.Close)
	socket := "ws" + strings.TrimPrefix(url, "http") + "/socket.io/?EIO=4&transport=websocket"
	if opts.Transport == WebSocket {
		conn, r, err := c.dial(ctx, socket, opts)
		if err != nil {
			return nil, "", fmt.Errorf("handshake: %w", err)
		}
		c.useWebSocket(conn, r)
	} else if err := c.openPolling(url, opts); err != nil {
		return nil, "", fmt.Errorf("handshake: %w", err)
	}
	auth := ""
	if opts.Auth != nil {
		b, err := json.Marshal(opts.Auth)
		if err != nil {
			tb.Fatalf("auth: %v", err)
		}
		auth = string(b)
	}
	c.Send("40" + c.ns + auth)
	if err := c.await(func() bool { return c.connect != "" }); err != nil {
		return nil, "", fmt.Errorf("waiting for an answer to CONNECT: %w", err)
	}
	if body, ok := strings.CutPrefix(c.connect, "44"+c.ns); ok {
		return c, body, nil
	}
	var answer struct {
		SID string `json:"sid"`
	}
	if err := jsonv2.Unmarshal([]byte(strings.TrimPrefix(c.connect, "40"+c.ns)), &answer); err != nil {
		tb.Fatalf("CONNECT was answered with %q", c.connect)
	}
	c.id = answer.SID
	if opts.Transport == Upgrade {
		if err := c.upgrade(ctx, socket, opts); err != nil {
			return nil, "", fmt.Errorf("upgrade: %w", err)
		}
	}
	return c, "", nil
}

// dial opens a WebSocket and returns it with a reader of its frames.
func (c *Client) dial(ctx context.Context, url string, opts Options) (net.Conn, io.Reader, error) {
	dialer := ws.Dialer{Header: ws.HandshakeHeaderHTTP(opts.Header), NetDial: c.dialer(opts)}
	conn, buffered, _, err := dialer.Dial(ctx, url)
	if err != nil {
		return nil, nil, err
	}
	if buffered != nil {
		return conn, io.MultiReader(buffered, conn), nil
	}
	return conn, conn, nil
}

// useWebSocket makes conn the transport and starts its reader.
func (c *Client) useWebSocket(conn net.Conn, r io.Reader) {
	var reader sync.WaitGroup
	c.conn, c.close = conn, func() {
		conn.Close()
		reader.Wait()
	}
	reader.Go(func() { c.read(r) })
}

// ID returns the socket's id.
func (c *Client) ID() string { return c.id }

// Close closes the connection, without a packet or close frame, and waits for its
// reader.
func (c *Client) Close() {
	if c.close != nil {
		c.close()
	}
}

// Reset is like Close, but resets the TCP connection.
func (c *Client) Reset() {
	c.gates.reset()
	c.Close()
}

// Stop stops reading: what the server sends stays in the network, and pings are not
// answered. Close still works.
func (c *Client) Stop() { c.gates.stop() }

// Send sends an Engine.IO packet unchanged. If the connection has ended it does
// nothing.
func (c *Client) Send(packet string) { c.Packet(packet) }

// Emit sends an event. Arguments are encoded as JSON; a [json.RawMessage] is sent
// unchanged, and a []byte as an attachment.
func (c *Client) Emit(event string, args ...any) {
	c.tb.Helper()
	c.emit("", event, args)
}

// Ask sends an event, waits for its acknowledgement and returns it. It fails the test
// if none arrives.
func (c *Client) Ask(event string, args ...any) Event {
	c.tb.Helper()
	return c.Post(event, args...)()
}

// Post is like Ask, but only the function that it returns waits.
func (c *Client) Post(event string, args ...any) func() Event {
	c.tb.Helper()
	wait := c.Start(event, args...)
	return func() Event {
		c.tb.Helper()
		answer, err := wait()
		if err != nil {
			c.tb.Fatalf("waiting for the acknowledgement of %s: %v", event, err)
		}
		return answer
	}
}

// Start is like Post, but the function returns an error if no acknowledgement
// arrives: after DISCONNECT, the end of the connection, or Timeout.
func (c *Client) Start(event string, args ...any) func() (Event, error) {
	c.tb.Helper()
	c.mu.Lock()
	c.asked++
	id := c.asked
	c.mu.Unlock()
	c.emit(strconv.Itoa(id), event, args)
	return func() (answer Event, err error) {
		ok := false
		err = c.await(func() bool {
			answer, ok = c.acks[id]
			delete(c.acks, id)
			return ok || c.disconnected
		})
		if err == nil && !ok {
			err = errEnded
		}
		return answer, err
	}
}

func (c *Client) emit(id, event string, args []any) {
	c.tb.Helper()
	var attachments [][]byte
	parts := make([]string, 0, 1+len(args))
	for _, arg := range append([]any{event}, args...) {
		if b, ok := arg.([]byte); ok {
			parts = append(parts, fmt.Sprintf(`{"_placeholder":true,"num":%d}`, len(attachments)))
			attachments = append(attachments, b)
			continue
		}
		if raw, ok := arg.(json.RawMessage); ok { // json.Marshal would compact it
			parts = append(parts, string(raw))
			continue
		}
		b, err := json.Marshal(arg)
		if err != nil {
			c.tb.Fatalf("argument of %s: %v", event, err)
		}
		parts = append(parts, string(b))
	}
	head := "42"
	if len(attachments) > 0 {
		head = fmt.Sprintf("45%d-", len(attachments))
	}
	c.Packet(head+c.ns+id+"["+strings.Join(parts, ",")+"]", attachments...)
}

// Packet sends an Engine.IO packet unchanged, and then the attachments.
func (c *Client) Packet(text string, attachments ...[]byte) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.polling != nil {
		c.polling.send(text, attachments)
		return
	}
	wsutil.WriteClientText(c.conn, []byte(text))
	for _, a := range attachments {
		wsutil.WriteClientBinary(c.conn, a)
	}
}

// Next waits for an event of that name, and takes and returns the first one.
func (c *Client) Next(name string) (next Event) {
	c.tb.Helper()
	c.wait("event "+name, func() bool {
		for i, e := range c.events {
			if e.Name == name {
				next = e
				c.events = append(c.events[:i], c.events[i+1:]...)
				return true
			}
		}
		return false
	})
	return next
}

// Events takes and returns all received events of that name, without waiting.
func (c *Client) Events(name string) (events []Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = slices.DeleteFunc(c.events, func(e Event) bool {
		if e.Name == name {
			events = append(events, e)
		}
		return e.Name == name
	})
	return events
}

// Names sends a ping and waits for its answer, so that everything the server sent
// before has arrived. It returns the names of the events that were not taken.
func (c *Client) Names() []string {
	c.tb.Helper()
	c.Ask("ping")
	c.Next("pong")
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make([]string, 0, len(c.events))
	for _, e := range c.events {
		names = append(names, e.Name)
	}
	return names
}

// Clear drops the events that were not taken.
func (c *Client) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = nil
}

// Disconnected waits for DISCONNECT.
func (c *Client) Disconnected() {
	c.tb.Helper()
	c.wait("DISCONNECT", func() bool { return c.disconnected })
}

// Ended waits for the end of the connection and reports whether DISCONNECT was
// received before.
func (c *Client) Ended() (disconnected bool) {
	c.tb.Helper()
	c.wait("the end of the connection", func() bool { disconnected = c.disconnected; return c.ended })
	return disconnected
}

// Done returns a channel that is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// end marks the connection as ended.
func (c *Client) end() {
	c.update(func() {
		if !c.ended {
			c.ended = true
			close(c.done)
		}
	})
}

// wait waits until ok returns true, and fails the test if the connection ends before
// or Timeout passes. ok is called with c.mu held.
func (c *Client) wait(what string, ok func() bool) {
	c.tb.Helper()
	if err := c.await(ok); err != nil {
		c.tb.Fatalf("waiting for %s: %v", what, err)
	}
}

func (c *Client) await(ok func() bool) error {
	timeout := time.NewTimer(Timeout)
	defer timeout.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for !ok() {
		if c.ended {
			return errEnded
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
			c.mu.Lock()
		case <-timeout.C:
			c.mu.Lock()
			return fmt.Errorf("%w; events received: %.1000s", errTimeout, fmt.Sprint(c.events))
		}
	}
	return nil
}

// update calls f with c.mu held and wakes all waits.
func (c *Client) update(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Client) read(r io.Reader) {
	defer c.end()
	control := wsutil.ControlFrameHandler(lockedWriter{c}, ws.StateClientSide)
	reader := wsutil.Reader{Source: r, State: ws.StateClientSide, OnIntermediate: control}
	for {
		h, err := reader.NextFrame()
		if err != nil {
			return
		}
		if h.OpCode.IsControl() {
			if control(h, &reader) != nil {
				return
			}
			continue
		}
		data, err := io.ReadAll(&reader)
		if err != nil {
			return
		}
		if h.OpCode == ws.OpBinary {
			c.attachment(data)
		} else if c.packet(string(data)) != nil {
			return
		}
	}
}

// lockedWriter writes control frames under Client.writing.
type lockedWriter struct{ c *Client }

func (w lockedWriter) Write(b []byte) (int, error) {
	w.c.writing.Lock()
	defer w.c.writing.Unlock()
	return w.c.conn.Write(b)
}

func (c *Client) attachment(data []byte) {
	c.update(func() {
		if c.pending == nil {
			return
		}
		c.pending.Attachments = append(c.pending.Attachments, data)
		if c.missing--; c.missing == 0 {
			c.keep(*c.pending)
			c.pending = nil
		}
	})
}

// keep stores an event or an acknowledgement. c.mu must be held.
func (c *Client) keep(e Event) {
	switch {
	case e.Name == "":
		c.acks[e.ack] = e
	case c.on != nil:
		c.on(e)
	default:
		c.events = append(c.events, e)
	}
}

var (
	errEnded   = errors.New("raw: connection ended")
	errTimeout = errors.New("raw: timed out")
	errPacket  = errors.New("raw: invalid packet from the server")
)

func (c *Client) packet(text string) error {
	switch {
	case c.raw != nil && c.raw(text):
	case text == "2":
		c.Send("3")
	case len(text) > 1 && (text[:2] == "40" || text[:2] == "44"):
		c.update(func() { c.connect = text })
	case len(text) > 1 && text[:2] == "41":
		c.update(func() { c.disconnected = true })
	case len(text) > 2 && strings.HasPrefix(text, "4"):
		return c.message(text)
	}
	return nil
}

// message decodes EVENT, ACK, BINARY_EVENT and BINARY_ACK.
func (c *Client) message(text string) error {
	kind, rest, attachments := text[1], text[2:], 0
	if kind == '5' || kind == '6' {
		count, after, _ := strings.Cut(rest, "-")
		n, err := strconv.Atoi(count)
		if err != nil {
			return fmt.Errorf("%w: %.100q", errPacket, text)
		}
		attachments, rest = n, after
	}
	rest, ok := strings.CutPrefix(rest, c.ns)
	start := strings.IndexByte(rest, '[')
	var e Event
	if !ok || start < 0 || json.Unmarshal([]byte(rest[start:]), &e.Args) != nil {
		return fmt.Errorf("%w: %.100q", errPacket, text)
	}
	if kind == '3' || kind == '6' {
		e.ack, _ = strconv.Atoi(rest[:start])
	} else if len(e.Args) == 0 || json.Unmarshal(e.Args[0], &e.Name) != nil {
		return fmt.Errorf("%w: %.100q", errPacket, text)
	} else {
		e.Args = e.Args[1:]
	}
	c.update(func() {
		if attachments == 0 {
			c.keep(e)
			return
		}
		c.pending, c.missing = &e, attachments
	})
	return nil
}
