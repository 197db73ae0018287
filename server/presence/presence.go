// Package presence tracks which users are connected and which rooms they are in,
// across all nodes of a cluster, and produces the join and leave events that room
// members are sent.
//
// A user is connected with one or more devices. Each device is on one node and in
// any number of rooms; a user is in a room while at least one of its devices is.
// Each node writes the entries of its own devices and holds a replica of the
// entries of all nodes, its [View]. Reads therefore never wait; they lag behind the
// other nodes by the time the cluster takes to deliver a message. If a node dies,
// the others drop its entries.
//
// # One order
//
// Each change of a room has one place in the order in which the view changes, and
// events follow that order. The answer to a join lists the room's users at the
// place of the join; the device then gets every later change and no earlier one. So
// every user that a device has learned of, from an answer or from an event, is
// reported to it when it leaves.
//
// The package knows neither what transport a device uses nor what a room is for.
package presence

import (
	"context"

	"github.com/puente-io/puente/server/ident"
)

// Presence is one node's access to the presence of the cluster. All methods are
// safe for concurrent use. Writes do not wait for other nodes; the writes of one
// goroutine reach them in order.
//
// [Memory] and package redispresence implement it. Both pass the suite in package
// presencetest.
type Presence interface {
	// Connect adds a device of this node and assigns it to the user. It does
	// nothing if the device is already connected.
	Connect(device string, user ident.ID)
	// Disconnect removes a device from its rooms and from the presence.
	Disconnect(device string)
	// Join adds a connected device to a room, once the cluster has ordered the join
	// or the time for that is up. It then calls placed once, without locks and
	// possibly before Join returns: after all events of the room that precede the
	// join and before all that follow it. placed must return soon. If the device is
	// already in the room, Join changes nothing and calls placed with the current
	// users.
	Join(device string, room ident.ID, placed func(Placement))
	// Leave removes a device from a room. The device is out at once; its user may
	// count as a member until the cluster has ordered the leave or the time for that
	// is up. Leave then calls left once, without locks and possibly before Leave
	// returns. left must return soon and may be nil.
	Leave(device string, room ident.ID, left func())
	// Sync waits until the cluster has ordered all earlier writes, the time for that
	// is up, or ctx is done.
	Sync(ctx context.Context)

	// View returns this node's replica of the presence.
	View() *View
	// Watch sets the receiver of room events. It must be called before the first
	// write.
	Watch(Watch)
	// Ready returns a channel that is closed once the node has the entries of the
	// other nodes, or has waited for them long enough.
	Ready() <-chan struct{}

	// Close removes this node's devices from the cluster and waits for the
	// goroutines of the implementation.
	Close() error
}

// Watch configures room events.
type Watch struct {
	// Event is called for each event, without locks. Calls for one room are
	// sequential, in the room's order. It must return soon.
	Event func(Event)
	// Limit is the number of users above which the members of a room get no events.
	// When a room shrinks to the limit, its members get the events they missed,
	// reduced to the difference. Negative: no room has events.
	Limit int
	// Shown is the maximum number of users in a [Placement].
	Shown int
}

// Event reports to members of a room that a user has joined or left it.
type Event struct {
	Room, User ident.ID
	Joined     bool // false: the user has left
	// Local says that devices of this node must get the event: those in Only if it
	// is not empty, else all in the room except those in Except.
	Local        bool
	Only, Except []string
	// Foreign says that this node must send the event to the members on foreign
	// servers, those that take no part in the presence. It is set on one node only.
	Foreign bool
}

// Placement is the result of a join: the users of the room at its place in the
// room's order.
type Placement struct {
	// OK is false if the device was disconnected and so did not join.
	OK bool
	// Users holds the first users of the room, at most Watch.Shown, and Total is
	// the number of all. Users is shared and must not be modified.
	Users []ident.ID
	Total int
}
