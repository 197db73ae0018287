// Package presence knows who is connected and in which rooms, over all nodes of
// a cluster, and what the members of a room have to be sent about it.
//
// A user is connected with devices, each of which is on one node; a device is in
// rooms; a user is in a room while one of its devices is. Each node writes what
// its own devices do, and holds a replica of what all have written, its [View].
// So reading never waits, and is behind by what the cluster needs to deliver a
// message. A node that dies without a word is dropped from the views of the
// others.
//
// # One order
//
// What the members of a room are sent follows the replica and nothing else. Each
// change of a room has one place in the order in which the replica changes: the
// answer to a join says who is in the room at the place of the join, and the
// device gets all changes behind it and none before it. So whoever is named to a
// device, by an answer or by an event, is known to be named when it leaves.
//
// The package does not know what carries a device, nor what a room is for.
package presence

import (
	"context"

	"github.com/puente-io/puente/server/ident"
)

// Presence is the view of one node, and its right to write to it. All methods
// are safe for concurrent use; those that write do not wait for the other
// nodes, and what one goroutine writes arrives there in its order.
//
// Implementations: [Memory], and package redispresence. All pass the suite in
// package presencetest.
type Presence interface {
	// Connect makes a device of this node a device of the user. A device that is
	// connected already is left alone.
	Connect(device string, user ident.ID)
	// Disconnect removes a device, and takes it out of its rooms.
	Disconnect(device string)
	// Join adds a connected device to a room, when the cluster has put the join
	// in its order, or cannot do so in time. placed is called then, once, without
	// locks and possibly before Join returns: after all events of the room that
	// come before the join have been handled, and before those that come after
	// it. So it must return soon. Joining again changes nothing, and calls placed
	// with who is there.
	Join(device string, room ident.ID, placed func(Placement))
	// Leave takes a device out of a room. The device is out at once; its user may
	// count as there until the cluster has put the leave in its order, or cannot
	// do so in time. left is called then, once, without locks and possibly before
	// Leave returns; it must return soon, and may be nil.
	Leave(device string, room ident.ID, left func())
	// Sync returns when what was written before has its place in the cluster's
	// order, or cannot have it in time, and at the end of ctx.
	Sync(ctx context.Context)

	// View returns this node's replica of the whole.
	View() *View
	// Watch sets what is done about changes of rooms. It must be called before the
	// first write.
	Watch(Watch)
	// Ready is closed once the node knows what the other nodes know, or has waited
	// for it long enough.
	Ready() <-chan struct{}

	// Close withdraws this node's devices from the cluster and waits for what
	// the implementation has started.
	Close() error
}

// Watch says what is done about the changes of rooms.
type Watch struct {
	// Event is called for each event, without locks. Those of one room come one
	// at a time, in the room's order. It must return soon.
	Event func(Event)
	// Limit is the number of users above which the members of a room are sent
	// nothing. When a room falls to the limit again, its members are sent what
	// they have missed. Negative: they are never sent anything.
	Limit int
	// Shown bounds the users in a [Placement].
	Shown int
}

// Event is something that members of a room are to be sent: a user has come into
// it, or has left it.
type Event struct {
	Room, User ident.ID
	Joined     bool
	// Here: this node's devices in the room are to be sent it, Only these if
	// there are any, without those in Except.
	Here         bool
	Only, Except []string
	// Elsewhere: this node, and no other, is to send it to the members on servers
	// that have no part in the presence.
	Elsewhere bool
}

// Placement is where a join stands in the order of the room.
type Placement struct {
	// OK: the device is in the room. It is not if it has been disconnected.
	OK bool
	// Users are up to Watch.Shown users of the room, and Total is their number.
	// They must not be changed.
	Users []ident.ID
	Total int
}
