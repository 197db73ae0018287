package redispresence

import (
	"time"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
)

// order is the operations of this node that wait for their place in the order of
// the cluster. Redis hands what is published to all nodes in one order, the
// publisher included. So an operation has its place when this node hears it: what
// it has heard of others by then comes before, on every node. Node.mu guards it.
type order struct {
	live   bool   // what is published comes back
	behind bool   // what others have published is missing, and is waited for
	heard  uint64 // the last operation that has come back
	ops    []ownOp
}

// ownOp is a join, or a leave, or nothing but a call of left.
type ownOp struct {
	seq       uint64 // of the outbox
	at        time.Time
	code      code
	name      string // of the device
	device    presence.Device
	room      ident.ID
	departure presence.Departure // of a leave that has begun
	placed    func(presence.Placement)
	left      func()
}

// joining reports whether the device is to be in the room when all has its place.
func (o *order) joining(d presence.Device, room ident.ID) (is bool) {
	for i := range o.ops {
		if w := &o.ops[i]; w.device == d && w.room.Equal(room) && d != (presence.Device{}) {
			is = w.code == join
		}
	}
	return is
}

// joins returns what waits for its place by device, for the state that is told:
// the rooms in which its entry is to be beside those that the view has.
func (o *order) joins() map[string][]ident.ID {
	rooms := make(map[string][]ident.ID)
	for i := range o.ops {
		w := &o.ops[i]
		if w.code == join && o.joining(w.device, w.room) {
			rooms[w.name] = append(rooms[w.name], w.room)
		}
	}
	return rooms
}

// place has an operation wait for its place, which is behind all that has been
// recorded. n.mu is held, by a function that is called by write.
func (n *Node) place(o ownOp) {
	o.seq, o.at = n.outbox.seq, time.Now()
	n.order.ops = append(n.order.ops, o)
}

// waits reports whether an operation waits for its place.
func (o *order) waits(w *ownOp) bool { return o.live && (o.behind || w.seq > o.heard) }

// write calls f, which changes the part, the outbox or the order. Then it does
// the operations that have their place, or have waited too long for it, and what
// follows from them: all, if nothing comes back; none, while the view misses
// something.
func (n *Node) write(f func()) {
	n.mu.Lock()
	f()
	done := 0
	for i := range n.order.ops {
		o := &n.order.ops[i]
		if n.order.waits(o) && !n.closed && time.Since(o.at) <= n.times.place {
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

// do does an operation in the view. What it returns is to be called without
// locks. n.mu is held.
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
	} else if d, ok := n.part.Device(o.name); ok && d == o.device { // it had not been in when it left
		n.part.Leave(o.name, o.room)
	}
	return o.left
}

// heard notes that the node has heard itself, and up to which operation.
func (n *Node) heard(seq uint64) {
	n.write(func() {
		n.order.live = !n.closed
		n.order.heard = max(n.order.heard, seq)
	})
}

// await makes operations wait, or no longer, although this node has heard them:
// the view misses something of the others that came before.
func (n *Node) await(is bool) {
	n.mu.Lock()
	same := n.order.behind == is
	n.mu.Unlock()
	if !same {
		n.write(func() { n.order.behind = is })
	}
}

// alone notes that what is published does not come back, for now.
func (n *Node) alone() { n.write(func() { n.order.live = false }) }

// overdue does the operations that have waited too long.
func (n *Node) overdue() { n.write(func() {}) }
