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
	n.view.Part(n.name)
	for _, o := range c.nodes {
		n.view.Part(o.name).Replace(o.view.Part(o.name).Entries())
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
	told    func([]Change)
	closed  bool
}

// write calls f for this node's part in each view, in its own last, so that its
// result is what f leaves behind.
func (n *memoryNode) write(f func(*Part)) {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	if n.closed {
		return
	}
	for _, o := range n.cluster.nodes {
		if o != n {
			f(o.view.Part(n.name))
		}
	}
	f(n.view.Part(n.name))
}

func (n *memoryNode) Connect(device string, user ident.ID) {
	n.write(func(p *Part) { p.Connect(device, user) })
}

func (n *memoryNode) Disconnect(device string) (gone []Departure) {
	n.write(func(p *Part) { gone = p.Disconnect(device) })
	return gone
}

func (n *memoryNode) Join(device string, room ident.ID) (joined, first bool) {
	n.write(func(p *Part) { joined, first = p.Join(device, room) })
	return joined, first
}

func (n *memoryNode) Leave(device string, room ident.ID) (left, last bool) {
	n.write(func(p *Part) { left, last = p.Leave(device, room) })
	return left, last
}

func (n *memoryNode) View() *View { return n.view }

func (n *memoryNode) Watch(told func([]Change)) { n.told = told }

// Close takes the node out, as if it had died.
func (n *memoryNode) Close() error {
	n.cluster.mu.Lock()
	n.closed = true
	n.cluster.nodes = slices.DeleteFunc(slices.Clone(n.cluster.nodes), func(o *memoryNode) bool { return o == n })
	rest := n.cluster.nodes
	n.cluster.mu.Unlock()
	for _, o := range rest {
		if changes := o.view.Part(n.name).Drop(); len(changes) > 0 && o.told != nil {
			o.told(changes)
		}
	}
	return nil
}
