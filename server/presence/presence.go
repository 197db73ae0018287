// Package presence knows who is connected and in which rooms, over all nodes of
// a cluster.
//
// A user is connected with devices, each of which is on one node; a device is in
// rooms; a user is in a room while one of his devices is. Each node writes what
// its own devices do, and holds a replica of what the others have written, its
// [View]. So reading never waits, and is behind by what the cluster needs to
// deliver a message. A node that dies without a word is dropped from the views
// of the others.
//
// The package does not know what carries a device, nor what a room is for.
package presence

import "github.com/puente-io/puente/server/ident"

// Presence is the view of one node, and its right to write to it. All methods
// are safe for concurrent use; those that write do not wait for the other
// nodes, and what one goroutine writes arrives there in its order.
//
// Implementations: [Memory], and package redispresence. All pass the suite in
// package presencetest.
type Presence interface {
	// Connect tells that a device of this node belongs to a user. A device
	// that is connected already is left alone.
	Connect(device string, user ident.ID)
	// Disconnect tells that a device has gone and returns the rooms that it was
	// in, in which Last tells whether its user has left with it.
	Disconnect(device string) []Departure
	// Join tells that a connected device has entered a room. first reports
	// whether its user was not in the room before; of two devices that join on
	// two nodes in the same instant both may be told so. joined is false where
	// the device was there, or is not connected.
	Join(device string, room ident.ID) (joined, first bool)
	// Leave tells that a device has left a room. last reports whether its user
	// has left with it; left is false where the device was not there.
	Leave(device string, room ident.ID) (left, last bool)

	// View returns this node's replica of the whole.
	View() *View

	// Watch sets the function that is told which users have come into rooms or
	// left them without that a writer was told so by Join, Leave or Disconnect:
	// because their node has gone, or was out of reach for a while, or because
	// two devices of a user left on two nodes in the same instant. It is called
	// without locks, one call at a time, on each node that this is news to. It
	// must return soon, and be set before the first write.
	Watch(told func([]Change))

	// Close withdraws this node's devices from the cluster and waits for what
	// the implementation has started.
	Close() error
}

// Change is a user's coming into a room, or leaving of it.
type Change struct {
	Room, User ident.ID
	Joined     bool
}

// Departure is a device's, or a user's, leaving of a room.
type Departure struct {
	Room, User ident.ID
	// Last tells that the user has no other device in the room.
	Last bool
}
