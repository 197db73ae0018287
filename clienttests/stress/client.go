package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/puente-io/puente/clienttests/raw"
)

// client is a device whose connection can be treated badly.
type client struct {
	*raw.Client
	b    *round
	conn *conn
}

// conn is a connection whose reading can be stopped.
type conn struct {
	*net.TCPConn
	mu      sync.Mutex
	stopped bool
	closed  chan struct{}
	close   sync.Once
}

func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	stopped := c.stopped
	c.mu.Unlock()
	if stopped {
		<-c.closed
	}
	return c.TCPConn.Read(p)
}

func (c *conn) Close() error {
	c.close.Do(func() { close(c.closed) })
	return c.TCPConn.Close()
}

// stop ends the reading after the Read that is under way.
func (c *conn) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
}

// connect opens a connection on node i: of the user, or of nobody where that is
// empty.
func (b *round) connect(i int, user string) *client {
	c := &client{b: b}
	opts := raw.Options{NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c.conn = &conn{TCPConn: nc.(*net.TCPConn), closed: make(chan struct{})}
		return c.conn, nil
	}}
	if user != "" {
		opts.Auth = map[string]string{"token": b.token(user)}
	}
	c.Client = raw.Connect(b, b.cluster.node(i).url, opts)
	if user != "" {
		c.Next("authenticated")
	}
	return c
}

func (b *round) token(user string) string {
	text, err := token(user)
	if err != nil {
		b.Fatalf("token: %v", err)
	}
	return text
}

// reset ends the connection with a reset.
func (c *client) reset() {
	c.conn.SetLinger(0)
	c.Close()
}

// answer is an acknowledgement.
type answer struct {
	Success bool
	Total   int
	Error   struct{ Code string }
}

func (b *round) answer(e raw.Event) (a answer) {
	if err := json.Unmarshal([]byte(e.Arg(0)), &a); err != nil || !a.Success && a.Error.Code == "" {
		b.Fatalf("acknowledgement %s: %v", e.Arg(0), err)
	}
	return a
}

// ask sends an event that must succeed.
func (c *client) ask(event string, arg any) answer {
	a := c.b.answer(c.Ask(event, arg))
	if !a.Success {
		c.b.Fatalf("%s: %s", event, a.Error.Code)
	}
	return a
}

// together waits until every client, which are in the room, sees n users there.
func (b *round) together(room string, n int, clients ...*client) {
	for _, c := range clients {
		if !eventually(func() bool { return c.ask("join-room", room).Total == n }) {
			b.Fatalf("%d users in %s, want %d", c.ask("join-room", room).Total, room, n)
		}
	}
}

func (c *client) publish(room string, number int, payload string) {
	c.ask("publish-update", map[string]any{"roomId": room, "type": fmt.Sprint(number), "payload": payload})
}

// updates takes n updates of each publisher, which must come in order, and no
// more.
func (c *client) updates(n int, publishers ...string) {
	next := make(map[string]int)
	for range n * len(publishers) {
		var u struct{ From, Type string }
		if err := json.Unmarshal([]byte(c.Next("update").Arg(0)), &u); err != nil {
			c.b.Fatalf("update: %v", err)
		}
		if u.Type != fmt.Sprint(next[u.From]) || !slices.Contains(publishers, u.From) {
			c.b.Fatalf("update %s of %s, want %d", u.Type, u.From, next[u.From])
		}
		next[u.From]++
	}
	if names := c.Names(); slices.Contains(names, "update") {
		c.b.Fatalf("more updates than were published: %s", strings.Join(names, " "))
	}
}

// gone waits until no node knows the users or has anybody in the room.
func (b *round) gone(room string, users ...string) {
	for i, n := range b.cluster.nodes {
		if !eventually(func() bool {
			_, total := n.Service().UsersInRoom(room, 1)
			return total == 0 && !slices.ContainsFunc(users, n.Service().IsUserConnected)
		}) {
			b.Fatalf("node %d still knows somebody of %s", i, room)
		}
	}
}
