package presence

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/puente-io/puente/server/ident"
)

// Memory connects the presence of several nodes in one process. With one node it
// serves a server without Redis; with several it replaces redispresence in tests. A
// write is in the views of all nodes when the call returns.
type Memory struct {
	mu    sync.Mutex
	next  int
	nodes []*memoryNode
}

// NewMemory returns a cluster without nodes.
func NewMemory() *Memory { return &Memory{} }

// Node adds a node to the cluster and returns its presence.
func (c *Memory) Node() Presence {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	n := &memoryNode{cluster: c, name: strconv.Itoa(c.next), view: NewView(), ready: make(chan struct{})}
	close(n.ready)
	n.part = n.view.OwnPart(n.name)
	for _, o := range c.nodes {
		n.view.Part(o.name).Replace(o.part.Entries())
		o.view.Part(n.name)
	}
	c.nodes = append(c.nodes, n)
	return n
}

// memoryNode writes to the views of all nodes. Memory.mu serializes the writes.
type memoryNode struct {
	cluster *Memory
	name    string
	view    *View
	part    *Part
	ready   chan struct{} // closed from the start
	closed  bool
}

// write calls f with this node's part of each other view, then own, and delivers
// the events. It reports false, and does nothing, if the node is closed.
func (n *memoryNode) write(f func(*Part), own func()) bool {
	n.cluster.mu.Lock()
	if n.closed {
		n.cluster.mu.Unlock()
		return false
	}
	nodes := n.cluster.nodes
	for _, o := range nodes {
		if o != n {
			f(o.view.Part(n.name))
		}
	}
	own()
	n.cluster.mu.Unlock()
	for _, o := range nodes {
		o.view.Deliver()
	}
	return true
}

func (n *memoryNode) Connect(device string, user ident.ID) {
	n.write(func(p *Part) { p.Connect(device, user) }, func() { n.part.Connect(device, user) })
}

func (n *memoryNode) Disconnect(device string) {
	n.write(func(p *Part) { p.Disconnect(device) }, func() { n.part.Disconnect(device) })
}

func (n *memoryNode) Join(device string, room ident.ID, placed func(Placement)) {
	ok := false
	n.write(func(p *Part) { p.Join(device, room) }, func() {
		d, _ := n.part.Device(device)
		ok = n.part.Place(d, room, placed)
	})
	if !ok {
		placed(Placement{})
	}
}

func (n *memoryNode) Leave(device string, room ident.ID, left func()) {
	n.write(func(p *Part) { p.Leave(device, room) }, func() { n.part.Leave(device, room) })
	if left != nil {
		left()
	}
}

func (n *memoryNode) Sync(context.Context) {}

func (n *memoryNode) View() *View { return n.view }

func (n *memoryNode) Watch(w Watch) { n.view.Watch(w) }

func (n *memoryNode) Ready() <-chan struct{} { return n.ready }

// Close removes the node, as if it had died: one of the remaining nodes announces the
// departure of its users to foreign servers, see [Event].
func (n *memoryNode) Close() error {
	n.cluster.mu.Lock()
	n.closed = true
	n.cluster.nodes = slices.DeleteFunc(slices.Clone(n.cluster.nodes), func(o *memoryNode) bool { return o == n })
	rest := n.cluster.nodes
	for i, o := range rest {
		p := o.view.Part(n.name)
		p.SetAnnouncer(i == 0)
		p.Drop()
	}
	n.cluster.mu.Unlock()
	for _, o := range rest {
		o.view.Deliver()
	}
	return nil
}
