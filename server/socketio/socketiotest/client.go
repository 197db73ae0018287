package socketiotest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
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
	// TLS is the configuration for https URLs.
	TLS *tls.Config
	// Dial, if not nil, opens the network connections.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Client is connected to one namespace. Its methods must be called on the
// test's goroutine; they fail the test if an expected packet does not arrive
// within [engineiotest.Wait].
type Client struct {
	// Conn is the underlying connection.
	*engineiotest.Conn
	// SID is the socket's id.
	SID string

	t      testing.TB
	nsp    string // as it stands in packets: "" or "/name,"
	nextID int
	events []Event // received while waiting for something else
	acks   map[int][]json.RawMessage
}

// Event is an event from the server.
type Event struct {
	Name string
	// Args are the arguments' JSON, in which placeholders stand for
	// attachments.
	Args        []json.RawMessage
	Attachments [][]byte

	id string // of the acknowledgement, "" if none is requested
}

// Decode decodes argument number i, counted from 0.
func (e Event) Decode(i int, into any) error {
	if i >= len(e.Args) {
		return fmt.Errorf("socketiotest: %q has %d arguments", e.Name, len(e.Args))
	}
	return json.Unmarshal(e.Args[i], into)
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
	c, refusal = Join(t, conn, opts.Namespace, opts.Auth)
	if opts.Upgrade && c != nil {
		conn.Upgrade()
	}
	return c, refusal
}

// Join connects to a namespace over a connection that no other Client reads
// from. If the server refuses, c is nil and refusal is its CONNECT_ERROR.
func Join(t testing.TB, conn *engineiotest.Conn, namespace string, auth any) (c *Client, refusal json.RawMessage) {
	t.Helper()
	c = &Client{Conn: conn, t: t, acks: map[int][]json.RawMessage{}}
	if namespace != "" && namespace != "/" {
		c.nsp = namespace + ","
	}
	payload := ""
	if auth != nil {
		payload = c.json(auth)
	}
	c.SendText("0" + c.nsp + payload)
	kind, rest := c.packet(c.Text())
	if kind == '4' {
		return nil, json.RawMessage(rest)
	}
	var answer struct {
		SID string `json:"sid"`
	}
	if err := jsonv2.Unmarshal([]byte(rest), &answer); kind != '0' || err != nil || answer.SID == "" {
		t.Fatalf("socketiotest: CONNECT got the answer %q", string(kind)+rest)
	}
	c.SID = answer.SID
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
