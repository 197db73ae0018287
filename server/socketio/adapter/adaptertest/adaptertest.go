// Package adaptertest tests the contract of [adapter.Adapter]: one suite of tests
// that every adapter must pass.
//
//	func TestContract(t *testing.T) {
//		adaptertest.Run(t, func(t *testing.T) func() adapter.Factory {
//			return adapter.NewMemory().Factory
//		})
//	}
//
// Its nodes are [Node]s, namespaces without clients, so that the suite tests the
// adapter alone.
package adaptertest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
	"github.com/puente-io/puente/server/waittest"
)

// patience is how long the suite waits for a condition. It is no measure of how
// long that should take.
const patience = 30 * time.Second

// Run tests the adapters of a cluster. newCluster creates a cluster without
// nodes and returns a function that returns the factory of each node; the
// cluster must end with the test. The tests run in parallel, each with its own
// cluster.
func Run(t *testing.T, newCluster func(t *testing.T) func() adapter.Factory) {
	for _, tc := range []struct {
		name string
		test func(t *testing.T, c *cluster)
	}{
		{"BroadcastReachesOthers", broadcastReachesOthers},
		{"BroadcastSelects", broadcastSelects},
		{"BroadcastFlags", broadcastFlags},
		{"BroadcastBinary", broadcastBinary},
		{"BroadcastValues", broadcastValues},
		{"BroadcastLarge", broadcastLarge},
		{"BroadcastOrder", broadcastOrder},
		{"RoomsComeAndGo", roomsComeAndGo},
		{"Namespaces", namespaces},
		{"Ack", ack},
		{"AckNobody", ackNobody},
		{"AckTimeout", ackTimeout},
		{"FetchSockets", fetchSockets},
		{"JoinLeave", joinLeave},
		{"Disconnect", disconnect},
		{"ServerSideEmit", serverSideEmit},
		{"ServerSideEmitWithAck", serverSideEmitWithAck},
		{"ServerSideEmitTimeout", serverSideEmitTimeout},
		{"AllRooms", allRooms},
		{"Alone", alone},
		{"CountAndClose", countAndClose},
		{"Concurrency", concurrency},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel() // most of the tests wait
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			tc.test(t, &cluster{t: t, ctx: ctx, node: newCluster(t)})
		})
	}
}

// cluster is the nodes of one test.
type cluster struct {
	t     *testing.T
	ctx   context.Context
	node  func() adapter.Factory
	nodes []*Node
}

// start adds nodes and waits until they know each other.
func (c *cluster) start(n int) []*Node {
	c.t.Helper()
	for range n {
		c.nodes = append(c.nodes, Start(c.t, c.node(), "/"))
	}
	for _, node := range c.nodes {
		c.eventually(fmt.Sprintf("%d nodes", len(c.nodes)), func() bool {
			count, err := node.Adapter.ServerCount(c.ctx)
			return err == nil && count == len(c.nodes)
		})
	}
	return c.nodes
}

// settle waits until each node reaches the other nodes' sockets through each of
// their rooms, because a join does not wait for the cluster.
func (c *cluster) settle() {
	c.t.Helper()
	for from, a := range c.nodes {
		for _, b := range c.nodes {
			if a == b {
				continue
			}
			rooms := b.LocalRooms()
			for _, s := range b.sockets(adapter.Selection{}) {
				rooms = append(rooms, s.id)
			}
			for _, room := range rooms {
				c.reach(a, b, room, fmt.Sprint(from, " ", room))
			}
		}
	}
}

func (c *cluster) reach(a, b *Node, room, token string) {
	c.t.Helper()
	data, _ := json.Marshal([]string{settleEvent, token})
	c.eventually("room "+room+" is reached", func() bool {
		sel := adapter.Selection{Rooms: []string{room}}
		a.Adapter.Broadcast(c.ctx, event(string(data)), sel, adapter.Flags{})
		return !slices.ContainsFunc(b.sockets(sel), func(s *Socket) bool { return !s.hasSettled(token) })
	})
}

func (c *cluster) eventually(what string, cond func() bool) {
	c.t.Helper()
	Eventually(c.t, what, cond)
}

// Eventually is [waittest.Until].
func Eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	waittest.Until(t, what, cond)
}

// broadcast broadcasts an event; data is its JSON array.
func (c *cluster) broadcast(n *Node, data string, sel adapter.Selection, attachments ...string) {
	c.t.Helper()
	if err := n.Adapter.Broadcast(c.ctx, event(data, attachments...), sel, adapter.Flags{}); err != nil {
		c.t.Errorf("Broadcast: %v", err)
	}
}

// accepted is broadcast that waits until the cluster has accepted the event.
func (c *cluster) accepted(n *Node, data string, sel adapter.Selection) {
	c.t.Helper()
	result := make(chan error, 1)
	flags := adapter.Flags{Accepted: adapter.OnAcceptance(func(err error) { result <- err })}
	err := n.Adapter.Broadcast(c.ctx, event(data), sel, flags)
	if err == nil {
		err = <-result
	}
	if err != nil {
		c.t.Errorf("Broadcast: %v", err)
	}
}

// got waits until the socket has n events, and returns them.
func (c *cluster) got(s *Socket, n int) []Received {
	c.t.Helper()
	c.eventually(fmt.Sprintf("%s has %d events", s.id, n), func() bool { return s.Len() >= n })
	return s.Received()
}

func event(data string, attachments ...string) *packet.Packet {
	p := &packet.Packet{Type: packet.Event, Namespace: "/", Data: []byte(data)}
	for _, a := range attachments {
		p.Attachments = append(p.Attachments, []byte(a))
	}
	return p
}

func rooms(names ...string) adapter.Selection { return adapter.Selection{Rooms: names} }

// sameJSON reports whether two JSON texts have the same value.
func sameJSON(a, b string) bool {
	var va, vb any
	return decode(a, &va) == nil && decode(b, &vb) == nil && fmt.Sprintf("%#v", va) == fmt.Sprintf("%#v", vb)
}

func decode(s string, v *any) error { return json.Unmarshal([]byte(s), v) }
