package presence

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/puente-io/puente/server/ident"
)

// Memory connects the presence of several nodes in one process: the twin of
// redispresence for tests, and, with one node, what a server without Redis
// uses. What a node writes is in the views of all when the call returns.
type Memory struct {
	mu    sync.Mutex
	next  int
	nodes []*memoryNode
}

// NewMemory returns a cluster without nodes.
func NewMemory() *Memory { return &Memory{} }

// Node adds a node.
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

// memoryNode writes to the views of all nodes, one call at a time.
type memoryNode struct {
	cluster *Memory
	name    string
	view    *View
	part    *Part
	ready   chan struct{} // closed: there is nothing to wait for
	closed  bool
}

// write calls f for this node's part in each other view, and then own. It
// reports false if the node is closed.
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
	there := false
	n.write(func(p *Part) { p.Join(device, room) }, func() {
		d, _ := n.part.Device(device)
		there = n.part.Place(d, room, placed)
	})
	if !there {
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

// Close takes the node out, as if it had died.
func (n *memoryNode) Close() error {
	n.cluster.mu.Lock()
	n.closed = true
	n.cluster.nodes = slices.DeleteFunc(slices.Clone(n.cluster.nodes), func(o *memoryNode) bool { return o == n })
	rest := n.cluster.nodes
	for i, o := range rest {
		p := o.view.Part(n.name)
		p.Speak(i == 0)
		p.Drop()
	}
	n.cluster.mu.Unlock()
	for _, o := range rest {
		o.view.Deliver()
	}
	return nil
}
