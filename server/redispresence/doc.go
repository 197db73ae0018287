// Package redispresence is the presence of a cluster whose nodes reach each
// other through Redis: [presence.Presence] over pub/sub.
//
//	node, err := redispresence.New(redispresence.Options{Redis: client})
//
// # How nodes tell each other
//
// Each node numbers the operations of its own devices from 1 and publishes them
// in that order. The others repeat them in their replica, the node's part of
// their view:
//
//	prefix-presence#          all nodes: delta, beat, bye
//	prefix-presence#node#     one node: want, and the state that it has asked for
//
//	x → all   delta  operations 8, 9 and 10
//	x → all   beat   I am there, at 10          once in an interval
//	y → x     want   I am not: I have seen 7    found by a delta or a beat
//	x → y     state  all that is true at 10, in chunks; no delta comes between
//	y → all   beat   I have just subscribed: who is there?
//	x → all   bye    I leave
//
// A node that starts is at 0, so that nobody needs to ask; one that subscribes
// anew, after Redis was away, hears by the beats whose state it has missed
// something of. Where several want a state within a quarter of an interval it
// goes to all at once.
//
// There are no keys in Redis. Nothing in it can be lost by a flush, be left over
// by a node that was killed, be evicted, or expire in the wrong moment, and a
// Redis that is full takes messages still. The price is that each node holds all.
//
// # What holds when
//
// A node sees its own devices at once, and those of others behind by the time of
// a message; a change that was lost is made up for within two intervals. What
// Join, Leave and Disconnect say of a user's other devices is true of this
// node's view. Each operation carries what its node was told, so that the others
// find out where two nodes have been busy with one user in the same instant:
// they tell by Watch that the user has left when both thought that the other
// device remained, and that he is there when one was told that he had left. Of
// two devices that come in the same instant both may be the first.
//
// A node that is not heard for 6 intervals is dropped, and Watch told of its
// users; one that leaves by Close is at once. A node that hears nobody, not even
// itself, does not blame the others: it keeps what it knows for 10 intervals and
// then drops all of it, since what it publishes cannot reach them either. When
// they are back they are told of as having come.
//
// # Without Redis
//
// Writing never waits for Redis. What is not sent yet is bounded: where it grows
// longer than the state, the state is sent instead. While Redis is away a node
// tries with one small message, four times in an interval.
//
// What comes on the channels is checked, and ignored and counted where it is no
// message or cannot follow; the devices and nodes that are held are bounded. A
// part holds only what its own node has said. But whoever may publish to the
// Redis may speak for any node: keep strangers out of it.
//
// # Goroutines
//
//	send      publishes the outbox; ends last but for those that it ends
//	receive   holds the subscription
//	apply     owns the peers: what comes, and what time brings; calls Watch's function
//
// Node.mu guards the node's own part and its outbox together. The view's lock is
// taken under it; nothing else is called under either.
package redispresence
