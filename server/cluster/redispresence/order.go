package redispresence

import (
	"time"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
)

// order holds the node's own operations that are not yet ordered. Redis delivers
// messages to all nodes in the same order, the publisher included. So an operation is
// ordered when its echo arrives: everything this node has received by then precedes
// it, on every node. Node.mu guards order.
type order struct {
	echoing bool   // echoes arrive
	behind  bool   // messages of other nodes are missing, and operations wait for them
	echoed  uint64 // the last operation whose echo has arrived
	ops     []ownOp
}

// ownOp is a join, a leave, or only a call of left.
type ownOp struct {
	seq       uint64 // the number of operations in the outbox that must be echoed
	at        time.Time
	code      code
	name      string // the device's name
	device    presence.Device
	room      ident.ID
	departure presence.Departure // of a leave; zero if the device was not in the room
	placed    func(presence.Placement)
	left      func()
}

// joining reports whether the device will be in the room, by the last operation that
// waits. It is false if no operation for the two waits.
func (o *order) joining(d presence.Device, room ident.ID) (is bool) {
	for i := range o.ops {
		if w := &o.ops[i]; w.device == d && w.room.Equal(room) && d != (presence.Device{}) {
			is = w.code == join
		}
	}
	return is
}

// joins returns the rooms that devices are about to join, by device name. The state
// that is sent includes them besides those in the view.
func (o *order) joins() map[string][]ident.ID {
	type place struct {
		device presence.Device
		room   string
	}
	last := make(map[place]int, len(o.ops)) // its index counts, as for joining
	for i := range o.ops {
		last[place{o.ops[i].device, o.ops[i].room.Key()}] = i
	}
	rooms := make(map[string][]ident.ID)
	for i := range o.ops {
		w := &o.ops[i]
		if w.code == join && w.device != (presence.Device{}) && last[place{w.device, w.room.Key()}] == i {
			rooms[w.name] = append(rooms[w.name], w.room)
		}
	}
	return rooms
}

// place appends an operation, which is ordered after everything recorded so far. It
// must be called from a function passed to write.
func (n *Node) place(o ownOp) {
	o.seq, o.at = n.outbox.seq, time.Now()
	n.order.ops = append(n.order.ops, o)
}

// waits reports whether an operation must wait: for its echo, or until the node is no
// longer behind. No operation waits while echoes do not arrive.
func (o *order) waits(w *ownOp) bool { return o.echoing && (o.behind || w.seq > o.echoed) }

// write calls f, which may change the part, the outbox and the order, with n.mu held.
// It then applies the operations that no longer wait or have waited too long, and
// delivers their events.
func (n *Node) write(f func()) {
	n.mu.Lock()
	f()
	done := 0
	for i := range n.order.ops {
		o := &n.order.ops[i]
		if n.order.waits(o) && !n.closed && time.Since(o.at) <= n.times.orderTimeout {
			break
		}
		done++
	}
	ops := n.order.ops[:done]
	n.order.ops = n.order.ops[done:]
	if len(n.order.ops) == 0 {
		n.order.ops = nil
	}
	var calls []func()
	for i := range ops {
		if call := n.do(&ops[i]); call != nil {
			calls = append(calls, call)
		}
	}
	n.mu.Unlock()
	n.view.Deliver()
	for _, call := range calls {
		call()
	}
}

// do applies an operation to the view. The caller must call the returned function,
// if any, without locks. n.mu must be held.
func (n *Node) do(o *ownOp) func() {
	if o.code == join {
		if !n.closed && n.part.Place(o.device, o.room, o.placed) {
			return nil
		}
		placed := o.placed
		return func() { placed(presence.Placement{}) }
	}
	if o.departure != (presence.Departure{}) {
		n.part.Finish(o.departure)
	} else if d, ok := n.part.Device(o.name); ok && d == o.device { // the join may have been applied since Leave
		n.part.Leave(o.name, o.room)
	}
	return o.left
}

// issued returns the number of the node's operations since it started.
func (n *Node) issued() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.outbox.seq
}

// echoed records an echo that confirms all operations up to seq.
func (n *Node) echoed(seq uint64) {
	n.write(func() {
		n.order.echoing = !n.closed
		n.order.echoed = max(n.order.echoed, seq)
	})
}

// setBehind sets whether operations wait although their echo has arrived, because
// the view lacks messages of other nodes that precede them.
func (n *Node) setBehind(is bool) {
	n.mu.Lock()
	same := n.order.behind == is
	n.mu.Unlock()
	if !same {
		n.write(func() { n.order.behind = is })
	}
}

// echoLost records that echoes do not arrive at present.
func (n *Node) echoLost() { n.write(func() { n.order.echoing = false }) }

// runOverdue applies the operations that have waited too long.
func (n *Node) runOverdue() { n.write(func() {}) }
