package socketiotest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/puente-io/puente/server/engineio/engineiotest"
)

// Options configures a [Client]. The zero value connects to the root namespace
// over a WebSocket.
type Options struct {
	// Namespace defaults to "/".
	Namespace string
	// Auth, if not nil, is sent with CONNECT as JSON.
	Auth any
	// Path defaults to "/socket.io/".
	Path string
	// Polling connects over HTTP long-polling. Upgrade does too, and upgrades
	// to a WebSocket once the namespace is connected.
	Polling, Upgrade bool
	// Header and Query are added to each request.
	Header http.Header
	Query  url.Values
	// Msgpack makes the client speak as socket.io-msgpack-parser does.
	Msgpack bool
	// TLS is the configuration for https URLs.
	TLS *tls.Config
	// Dial, if not nil, opens the network connections.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Client is connected to one namespace. Its methods may be called on any
// goroutine. They fail the test if an expected packet does not arrive within
// 30 s ([engineiotest.Wait]), and then end the goroutine, as testing.T's FailNow does.
type Client struct {
	// Conn is the underlying connection.
	*engineiotest.Conn
	// SID is the socket's id.
	SID string

	t       testing.TB
	nsp     string // as it stands in packets: "" or "/name,"
	msgpack bool

	sending sync.Mutex // keeps attachments behind their packet

	mu      sync.Mutex
	reading bool          // a goroutine reads from Conn
	changed chan struct{} // closed, and replaced, when that has ended
	nextID  int
	events  []Event // received and not asked for yet
	acks    map[int][]json.RawMessage
	ignored map[string]bool
}

// Dial connects to the server at a URL, such as [Server]'s, and to a namespace.
// It fails the test if either is refused.
func Dial(t testing.TB, url string, opts Options) *Client {
	t.Helper()
	c, refusal := TryDial(t, url, opts)
	if refusal != nil {
		t.Fatalf("socketiotest: connection refused: %s", refusal)
	}
	return c
}

// TryDial is Dial that, if the server refuses the namespace, returns its
// CONNECT_ERROR: an object with "message" and perhaps "data".
func TryDial(t testing.TB, url string, opts Options) (c *Client, refusal json.RawMessage) {
	t.Helper()
	path := opts.Path
	if path == "" {
		path = "/socket.io/"
	}
	conn := engineiotest.Dial(t, strings.TrimSuffix(url, "/")+path, engineiotest.Options{
		Polling: opts.Polling || opts.Upgrade,
		Header:  opts.Header, Query: opts.Query, TLS: opts.TLS, Dial: opts.Dial,
	})
	c, refusal = join(t, conn, opts)
	if opts.Upgrade && c != nil {
		conn.Upgrade()
	}
	return c, refusal
}

// Join connects to a namespace over a connection that no other Client reads
// from. If the server refuses, c is nil and refusal is its CONNECT_ERROR.
func Join(t testing.TB, conn *engineiotest.Conn, namespace string, auth any) (c *Client, refusal json.RawMessage) {
	t.Helper()
	return join(t, conn, Options{Namespace: namespace, Auth: auth})
}

// join is Join with the options Namespace, Auth and Msgpack.
func join(t testing.TB, conn *engineiotest.Conn, opts Options) (c *Client, refusal json.RawMessage) {
	t.Helper()
	c = &Client{Conn: conn, msgpack: opts.Msgpack, t: t, changed: make(chan struct{}), acks: map[int][]json.RawMessage{}, ignored: map[string]bool{}}
	if opts.Namespace != "" && opts.Namespace != "/" {
		c.nsp = opts.Namespace + ","
	}
	payload := ""
	if opts.Auth != nil {
		payload = c.json(opts.Auth)
	}
	c.sendPacket("0"+c.nsp+payload, nil)
	answer, _ := c.nextPacket()
	kind, rest := c.packet(answer)
	if kind == '4' {
		return nil, json.RawMessage(rest)
	}
	var accepted struct {
		SID string `json:"sid"`
	}
	if err := jsonv2.Unmarshal([]byte(rest), &accepted); kind != '0' || err != nil || accepted.SID == "" {
		t.Fatalf("socketiotest: CONNECT got the answer %q", string(kind)+rest)
	}
	c.SID = accepted.SID
	return c, nil
}

// packet returns the type and the rest of a packet of this namespace.
func (c *Client) packet(text string) (kind byte, rest string) {
	c.t.Helper()
	if text == "" {
		c.t.Fatal("socketiotest: got an empty packet")
	}
	kind, rest = text[0], text[1:]
	count := ""
	if kind == '5' || kind == '6' {
		count, rest, _ = strings.Cut(rest, "-")
		count += "-"
	}
	rest, ok := strings.CutPrefix(rest, c.nsp)
	if !ok || c.nsp == "" && strings.HasPrefix(rest, "/") {
		c.t.Fatalf("socketiotest: got %q, which is for another namespace", text)
	}
	return kind, count + rest
}

func (c *Client) json(v any) string {
	c.t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		c.t.Fatal("socketiotest: ", err)
	}
	return string(b)
}
