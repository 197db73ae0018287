package engineiotest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Wait is how long a test waits for an expected packet before it fails.
const Wait = 30 * time.Second

// Options configures a [Conn]. The zero value is a WebSocket.
type Options struct {
	// Polling connects over HTTP long-polling; [Conn.Upgrade] changes that.
	Polling bool
	// Header is sent with each request.
	Header http.Header
	// Query is added to that of each request.
	Query url.Values
	// TLS, if not nil, is for a server at an https URL.
	TLS *tls.Config
	// Dial, if not nil, makes the network connections.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Handshake is what the server said in its open packet.
type Handshake struct {
	SID          string   `json:"sid"`
	Upgrades     []string `json:"upgrades"`
	PingInterval int      `json:"pingInterval"` // ms
	PingTimeout  int      `json:"pingTimeout"`  // ms
	MaxPayload   int      `json:"maxPayload"`   // bytes
}

// Message is one message of the server.
type Message struct {
	Data   []byte
	Binary bool
}

// End says how a connection ended.
type End struct {
	// Code is the status of the server's close frame: 1005 if it had none,
	// 0 if the connection ended without a frame or was long-polling.
	Code int
	// Packet reports whether a close packet came.
	Packet bool
	// Err, if not nil, is why the connection could not be used any more.
	Err error
}

// Conn is one client. Its methods are safe for concurrent use, but only the test's
// goroutine may call those that fail the test. Pings are answered.
type Conn struct {
	// Handshake is what the server said when it opened the session.
	Handshake Handshake

	t    testing.TB
	url  url.URL
	opts Options
	http *http.Client

	goroutines sync.WaitGroup
	ended      chan struct{}
	grown      chan struct{} // has a token when the inbox has grown

	mu      sync.Mutex
	inbox   []Message
	end     *End
	closed  bool // by this side
	stopped bool // reads no more

	sending sync.Mutex
	ws      *webSocket // nil while the transport is polling

	polled   chan struct{} // closed when polling has ended
	stopPoll chan struct{} // closed to end it after the poll under way
}

// Dial connects to an endpoint, such as "http://127.0.0.1:3000/socket.io/", and
// fails the test if it cannot. The connection is closed with the test.
func Dial(t testing.TB, endpoint string, opts Options) *Conn {
	t.Helper()
	c, err := dial(t, endpoint, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func dial(t testing.TB, endpoint string, opts Options) (*Conn, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	c := &Conn{
		t: t, url: *u, opts: opts,
		http:     &http.Client{Timeout: 2 * Wait, Transport: &http.Transport{TLSClientConfig: opts.TLS, DialContext: opts.Dial, DisableCompression: true}},
		ended:    make(chan struct{}),
		grown:    make(chan struct{}, 1),
		polled:   make(chan struct{}),
		stopPoll: make(chan struct{}),
	}
	t.Cleanup(c.Close)
	if opts.Polling {
		return c, c.openPolling()
	}
	return c, c.openWebSocket()
}

// target returns the URL of a request.
func (c *Conn) target(transport string) string {
	u := c.url
	q := u.Query()
	q.Set("EIO", "4")
	q.Set("transport", transport)
	if c.Handshake.SID != "" {
		q.Set("sid", c.Handshake.SID)
	}
	for k, v := range c.opts.Query {
		q[k] = v
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// opened takes the open packet.
func (c *Conn) opened(packet string) error {
	data, ok := strings.CutPrefix(packet, "0")
	if !ok {
		return fmt.Errorf("engineiotest: got %.100q for the open packet", packet)
	}
	return json.Unmarshal([]byte(data), &c.Handshake) // names match exactly, as in JavaScript
}

// SendText sends a text message.
func (c *Conn) SendText(msg string) { c.SendPacket("4" + msg) }

// SendPacket sends a packet as it is, its type character included; over
// long-polling it may be a whole payload. An error ends the connection.
func (c *Conn) SendPacket(packet string) {
	c.send(func(w *webSocket) error { return w.writeText(packet) }, packet)
}

// SendBinary sends a binary message.
func (c *Conn) SendBinary(msg []byte) {
	c.send(func(w *webSocket) error { return w.writeBinary(msg) }, polledBinary(msg))
}

func (c *Conn) send(write func(*webSocket) error, polled string) {
	c.sending.Lock()
	defer c.sending.Unlock()
	var err error
	if c.ws != nil {
		err = write(c.ws)
	} else {
		err = c.post(polled)
	}
	if err != nil {
		c.finish(End{Err: err})
	}
}

// receive handles a packet of the server.
func (c *Conn) receive(p string) {
	switch {
	case p == "":
	case p[0] == '4':
		c.put(Message{Data: []byte(p[1:])})
	case p[0] == '2':
		// Not here: over long-polling the answer may wait for a POST under way.
		c.goroutines.Go(func() { c.SendPacket("3" + p[1:]) })
	case p[0] == '1':
		c.finish(End{Packet: true})
	}
}

func (c *Conn) put(m Message) {
	c.mu.Lock()
	c.inbox = append(c.inbox, m)
	c.mu.Unlock()
	select {
	case c.grown <- struct{}{}:
	default:
	}
}

func (c *Conn) finish(e End) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end == nil {
		c.end = &e
		close(c.ended)
	}
}

// ErrSilence is the error of Receive and ReceiveWithin if nothing comes in time.
var ErrSilence = errors.New("engineiotest: nothing came")

// Receive returns the next message, or an error if the connection has ended
// or nothing comes within [Wait]. Any goroutine may call it.
func (c *Conn) Receive() (Message, error) { return c.ReceiveWithin(Wait) }

// ReceiveWithin is Receive that waits for d at most.
func (c *Conn) ReceiveWithin(d time.Duration) (Message, error) {
	timeout := time.NewTimer(d)
	defer timeout.Stop()
	for {
		c.mu.Lock()
		if len(c.inbox) > 0 {
			m := c.inbox[0]
			c.inbox = c.inbox[1:]
			c.mu.Unlock()
			return m, nil
		}
		end := c.end
		c.mu.Unlock()
		if end != nil {
			return Message{}, fmt.Errorf("engineiotest: connection has ended: %+v", *end)
		}
		select {
		case <-c.grown:
		case <-c.ended:
		case <-timeout.C:
			return Message{}, ErrSilence
		}
	}
}

// Next returns the next message.
func (c *Conn) Next() Message {
	c.t.Helper()
	m, err := c.Receive()
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

// Text returns the next message, which must be text.
func (c *Conn) Text() string {
	c.t.Helper()
	m := c.Next()
	if m.Binary {
		c.t.Fatalf("engineiotest: got %d bytes of binary, want text", len(m.Data))
	}
	return string(m.Data)
}

// End waits for the connection to end and returns how.
func (c *Conn) End() End {
	c.t.Helper()
	timeout := time.NewTimer(Wait)
	defer timeout.Stop()
	select {
	case <-c.ended:
		c.mu.Lock()
		defer c.mu.Unlock()
		return *c.end
	case <-timeout.C:
		c.t.Fatal("engineiotest: the connection does not end")
		return End{}
	}
}

// Ended returns a channel that is closed when the connection has ended.
func (c *Conn) Ended() <-chan struct{} { return c.ended }

// Break ends the connection as a broken network does, without a close packet or frame.
func (c *Conn) Break() {
	c.finish(End{Err: net.ErrClosed})
	c.sending.Lock()
	w := c.ws
	c.sending.Unlock()
	if w != nil {
		w.conn.Close()
	}
	c.http.CloseIdleConnections()
}

// Close closes the connection and waits for its goroutines.
func (c *Conn) Close() {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	c.mu.Unlock()
	if again {
		return
	}
	select {
	case <-c.ended:
	default:
		if c.Handshake.SID != "" {
			c.SendPacket("1")
		}
		c.finish(End{})
	}
	c.Break()
	c.goroutines.Wait()
	c.http.CloseIdleConnections()
}
