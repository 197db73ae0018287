package hardening_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server"
	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/servertest"
	"github.com/puente-io/puente/server/waittest"
)

func TestMain(m *testing.M) { os.Exit(waittest.Run(m)) }

const (
	jwtSecret = "the secret of the tokens, long enough"
	apiKey    = "the key of the backends, long enough"
	// wait bounds every wait. No correct result depends on its value.
	wait = 20 * time.Second
)

// node is a server that runs until the test ends.
type node struct {
	*servertest.Node
	t    testing.TB
	addr string
}

// start starts a server; settings are "NAME=value".
func start(t testing.TB, settings ...string) *node {
	t.Helper()
	srv := servertest.Start(t, append([]string{
		"JWT_SECRET=" + jwtSecret, "API_KEY=" + apiKey, "LOG_LEVEL=error", "SHUTDOWN_TIMEOUT=400", "WS_RATE_LIMIT=0",
	}, settings...)...)
	return &node{Node: srv, t: t, addr: srv.Addr().String()}
}

// dial opens a TCP connection.
func (n *node) dial() *net.TCPConn {
	n.t.Helper()
	conn, err := net.Dial("tcp", n.addr)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(wait))
	return conn.(*net.TCPConn)
}

// do sends a request and returns the status and the body.
func (n *node) do(method, path string, body io.Reader, header ...string) (status int, text string) {
	n.t.Helper()
	r, err := http.NewRequest(method, "http://"+n.addr+path, body)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: wait}
	res, err := client.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

const (
	polling      = "/socket.io/?EIO=4&transport=polling"
	webSocket    = "/socket.io/?EIO=4&transport=websocket"
	upgradeLines = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)

// session opens a session over long-polling and returns its path.
func (n *node) session() string {
	n.t.Helper()
	_, open := n.do("GET", polling, nil)
	_, after, _ := strings.Cut(open, `"sid":"`)
	sid, _, ok := strings.Cut(after, `"`)
	if !ok {
		n.t.Fatalf("open packet %q", open)
	}
	return polling + "&sid=" + sid
}

// lives fails the test unless the session still accepts packets.
func (n *node) lives(session string) {
	n.t.Helper()
	n.do("POST", session, strings.NewReader("40"))
	if status, body := n.do("GET", session, nil); status != 200 || !strings.HasPrefix(body, "40{") {
		n.t.Errorf("the session has ended: %d %s", status, body)
	}
}

// client is a WebSocket connection. It reads only in calls of its methods.
type client struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	asks int
}

// connect opens a WebSocket. Unlike open it needs no test, so any goroutine may
// call it.
func connect(addr string) (*client, error) { return connectTo(addr, webSocket) }

func connectTo(addr, path string) (*client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	conn, buffered, _, err := ws.Dial(ctx, "ws://"+addr+path)
	if err != nil {
		return nil, err
	}
	if buffered == nil {
		buffered = bufio.NewReader(conn)
	}
	conn.SetDeadline(time.Now().Add(wait))
	return &client{conn: conn, r: buffered}, nil
}

// open opens a WebSocket without CONNECT.
func (n *node) open() *client {
	n.t.Helper()
	c, err := connect(n.addr)
	if err != nil {
		n.t.Fatal(err)
	}
	c.t = n.t
	n.t.Cleanup(func() { c.conn.Close() })
	if p := c.next(); !strings.HasPrefix(p, "0{") {
		n.t.Fatalf("open packet %q", p)
	}
	return c
}

// user connects a device of the user and joins the rooms.
func (n *node) user(name string, rooms ...string) *client {
	n.t.Helper()
	c := n.open()
	c.send(`40{"token":"` + n.token(name) + `"}`)
	c.until(`42["authenticated"`)
	for _, room := range rooms {
		if a := c.ask(`"join-room","` + room + `"`); !strings.Contains(a, `"success":true`) {
			n.t.Fatalf("join-room: %s", a)
		}
	}
	return c
}

func (n *node) token(user string) string {
	n.t.Helper()
	text, err := server.MintToken(config.Command{
		Config: config.Config{JWTSecret: config.NewSecret(jwtSecret)},
		Token:  config.Token{User: ident.Of(user), TTL: time.Hour},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return text
}

// send sends packets, each a text frame, in one write.
func (c *client) send(packets ...string) error {
	var b []byte
	for _, p := range packets {
		b = append(b, ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(p))))...)
	}
	_, err := c.conn.Write(b)
	return err
}

// packet returns the next packet.
func (c *client) packet() (string, error) {
	data, _, err := wsutil.ReadServerData(struct {
		io.Reader
		io.Writer
	}{c.r, c.conn})
	return string(data), err
}

// read returns the next packet that is not a ping; it answers pings.
func (c *client) read() (string, error) {
	for {
		p, err := c.packet()
		if err != nil || p != "2" {
			return p, err
		}
		if err := c.send("3"); err != nil {
			return "", err
		}
	}
}

func (c *client) next() string {
	c.t.Helper()
	p, err := c.read()
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// until returns the next packet with the prefix.
func (c *client) until(prefix string) string {
	c.t.Helper()
	for {
		if p := c.next(); strings.HasPrefix(p, prefix) {
			return p
		}
	}
}

// ask sends an event, JSON without brackets, and returns the acknowledgement.
func (c *client) ask(event string) string {
	c.t.Helper()
	c.asks++
	c.send(fmt.Sprintf("42%d[%s]", c.asks, event))
	return c.until(fmt.Sprintf("43%d[", c.asks))
}

// alive fails the test unless the client is served.
func (c *client) alive() {
	c.t.Helper()
	if a := c.ask(`"ping"`); !strings.Contains(a, `"timestamp"`) {
		c.t.Errorf("a ping was answered with %s", a)
	}
}

// without fails the test if the client was sent a packet with the prefix.
func (c *client) without(prefix string) {
	c.t.Helper()
	c.send(`42["ping"]`)
	for {
		p := c.next()
		if strings.HasPrefix(p, prefix) {
			c.t.Errorf("got %.200s", p)
		}
		if strings.HasPrefix(p, `42["pong"`) {
			return
		}
	}
}

// ends waits for the server to end the connection.
func (c *client) ends() {
	c.t.Helper()
	for {
		if _, err := c.read(); err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() {
				c.t.Error("the connection is still open")
			}
			return
		}
	}
}

// unchanged returns a function that waits until the server has no more sessions,
// and the process no more goroutines, than now. Goroutines that the server starts
// with its first session do not count, nor do idle workers: goleak checks that these
// end with the server.
func (n *node) unchanged() (check func()) { return n.unchangedBut(0) }

// unchangedBut is unchanged for a server with open sessions.
func (n *node) unchangedBut(open int) (check func()) {
	n.t.Helper()
	n.open().conn.Close()
	waittest.Until(n.t, "the first session is gone", func() bool { return n.SocketIO().Engine().Count() == open })
	before, _ := raw.Goroutines()
	sessions := n.SocketIO().Engine().Count()
	return func() {
		n.t.Helper()
		waittest.Until(n.t, "the sessions are gone", func() bool { return n.SocketIO().Engine().Count() <= sessions })
		for end := time.Now().Add(wait); ; time.Sleep(5 * time.Millisecond) {
			now, stacks := raw.Goroutines()
			if now <= before {
				return
			}
			if time.Now().After(end) {
				n.t.Fatalf("%d goroutines became %d: %s", before, now, stacks)
			}
		}
	}
}

// allocated returns the bytes that the process allocates during f, server and
// test together.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
