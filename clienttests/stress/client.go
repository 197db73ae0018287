package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/ident"
)

// client is a connection to a node.
type client struct {
	*raw.Client
	b    *round
	node *node
}

// connect opens a connection to node i as the user, or without a token if user is "".
func (b *round) connect(i int, user string) *client { return b.connectTo(b.cluster.node(i), user) }

func (b *round) connectTo(n *node, user string) *client {
	if user == "" {
		return b.connectWith(n, nil)
	}
	c := b.connectWith(n, map[string]string{"token": b.token(user)})
	c.Next("authenticated")
	return c
}

func (b *round) connectWith(n *node, auth any) *client {
	return &client{b: b, node: n, Client: raw.Connect(b, n.url, raw.Options{Auth: auth})}
}

// try is connectWith, but returns the payload of CONNECT_ERROR if the node refuses.
func (b *round) try(n *node, auth any) (c *client, refusal string) {
	x, refusal := raw.Try(b, n.url, raw.Options{Auth: auth})
	return &client{b: b, node: n, Client: x}, refusal
}

func (b *round) token(user string) string {
	text, err := token(user)
	if err != nil {
		b.Fatalf("token: %v", err)
	}
	return text
}

// update returns the publisher and the number of an update.
func (b *round) update(e raw.Event) (from string, number int) {
	var u struct{ From, Type string }
	err := json.Unmarshal([]byte(e.Arg(0)), &u)
	if err == nil {
		number, err = strconv.Atoi(u.Type)
	}
	if err != nil {
		b.Fatalf("update %s: %v", e.Arg(0), err)
	}
	return u.From, number
}

// awaitReason waits until the node has noticed the client's disconnection, and checks its
// reason.
func (c *client) awaitReason(reasons ...string) { c.b.awaitReason(c.node, c.ID(), reasons...) }

func (b *round) awaitReason(n *node, id string, reasons ...string) {
	if !eventually(func() bool { return n.reason(id) != "" }) {
		b.Fatalf("the node does not notice that %s has disconnected", id)
	}
	if got := n.reason(id); !slices.Contains(reasons, got) {
		b.Errorf("%s disconnected with reason %q, want %q", id, got, reasons)
	}
}

// The expected reasons. If a connection is reset, or closed while it is written to,
// either reason of cut is possible.
var (
	closed  = []string{"transport close"}
	cut     = []string{"transport close", "transport error"}
	slow    = []string{"slow consumer"}
	drained = []string{"server shutting down"}
	expired = []string{"forced close", "forced server close"}
	left    = []string{"client namespace disconnect"}
)

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
		if a.Error.Code == "unavailable" {
			c.b.unavailable.Store(true)
		}
		c.b.Fatalf("%s: %s", event, a.Error.Code)
	}
	return a
}

// awaitMembers waits until every client sees n users in the room. The clients must be
// members.
func (b *round) awaitMembers(room string, n int, clients ...*client) {
	for _, c := range clients {
		if !eventually(func() bool { return c.ask("join-room", room).Total == n }) {
			b.Fatalf("%d users in %s, want %d", c.ask("join-room", room).Total, room, n)
		}
	}
}

func (c *client) publish(room string, number int, payload string) {
	c.ask("publish-update", map[string]any{"roomId": room, "type": fmt.Sprint(number), "payload": payload})
}

// probe is the number of an update that only shows that updates arrive.
const probe = -1

// updates takes n updates of each publisher, which must arrive in order, and checks
// that there are no more. It skips probes.
func (c *client) updates(n int, publishers ...string) {
	next := make(map[string]int)
	for left := n * len(publishers); left > 0; left-- {
		from, number := c.b.update(c.Next("update"))
		if number == probe {
			left++
			continue
		}
		if number != next[from] || !slices.Contains(publishers, from) {
			c.b.Fatalf("update %d of %s, want %d", number, from, next[from])
		}
		next[from]++
	}
	if names := c.Names(); slices.Contains(names, "update") {
		c.b.Fatalf("more updates than were published: %s", strings.Join(names, " "))
	}
}

// leave disconnects the clients in random ways, and checks the reasons on the nodes.
func (b *round) leave(clients ...*client) {
	want := make([][]string, len(clients))
	for i, c := range clients {
		switch b.rng.IntN(4) {
		case 0:
			c.Send("41")
			want[i] = left
		case 1:
			c.Send("1")
			want[i] = closed
		case 2:
			c.Reset()
			want[i] = cut
		case 3:
			c.Close()
			want[i] = cut
		}
	}
	for i, c := range clients {
		c.awaitReason(want[i]...)
		c.Close()
	}
}

// awaitGone waits until, on every node, the users are disconnected and the room is empty.
func (b *round) awaitGone(room string, users ...string) { b.awaitGoneFrom(b.cluster, room, users...) }

func (b *round) awaitGoneFrom(c *cluster, room string, users ...string) {
	for i, n := range c.nodes {
		if !eventually(func() bool {
			_, total := n.Service().UsersInRoom(ident.Of(room), 1)
			return total == 0 && !slices.ContainsFunc(users, func(u string) bool { return n.Service().IsUserConnected(ident.Of(u)) })
		}) {
			b.Fatalf("node %d still has users of %s", i, room)
		}
	}
}
