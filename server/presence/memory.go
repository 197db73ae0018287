package presence

import (
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
	n := &memoryNode{cluster: c, name: strconv.Itoa(c.next), view: NewView()}
	for _, o := range c.nodes {
		o.view.copyTo(n.view)
		break // they are all alike
	}
	c.nodes = append(c.nodes, n)
	return n
}

// memoryNode writes to the views of all nodes, one call at a time.
type memoryNode struct {
	cluster *Memory
	name    string
	view    *View
	gone    func([]Departure)
	closed  bool
}

// write calls f for each node's view, this node's last, so that its result is
// what f leaves behind.
func (n *memoryNode) write(f func(*View)) {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	if n.closed {
		return
	}
	for _, o := range n.cluster.nodes {
		if o != n {
			f(o.view)
		}
	}
	f(n.view)
}

func (n *memoryNode) Connect(device string, user ident.ID) {
	n.write(func(v *View) { v.Connect(n.name, device, user) })
}

func (n *memoryNode) Disconnect(device string) (gone []Departure) {
	n.write(func(v *View) { gone = v.Disconnect(device) })
	return gone
}

func (n *memoryNode) Join(device string, room ident.ID) (joined, first bool) {
	n.write(func(v *View) { joined, first = v.Join(device, room) })
	return joined, first
}

func (n *memoryNode) Leave(device string, room ident.ID) (left, last bool) {
	n.write(func(v *View) { left, last = v.Leave(device, room) })
	return left, last
}

func (n *memoryNode) View() *View { return n.view }

func (n *memoryNode) Watch(gone func([]Departure)) { n.gone = gone }

// Close takes the node out, as if it had died.
func (n *memoryNode) Close() error {
	n.cluster.mu.Lock()
	n.closed = true
	n.cluster.nodes = slices.DeleteFunc(slices.Clone(n.cluster.nodes), func(o *memoryNode) bool { return o == n })
	rest := n.cluster.nodes
	n.cluster.mu.Unlock()
	for _, o := range rest {
		if gone := o.view.DropNode(n.name); len(gone) > 0 && o.gone != nil {
			o.gone(gone)
		}
	}
	return nil
}

// copyTo repeats everything in another view.
func (v *View) copyTo(to *View) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for name, d := range v.devices {
		to.Connect(d.node, name, d.user.id)
		for _, r := range d.rooms {
			to.Join(name, r.id)
		}
	}
}
