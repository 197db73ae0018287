// Package redispresence is the presence of a cluster whose nodes reach each
// other through Redis: [presence.Presence] over pub/sub.
//
//	node, err := redispresence.New(redispresence.Options{Redis: client})
//
// # What nodes send each other
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
// again, after Redis was away, finds by the beats whose state it has missed
// something of. If several want a state within a quarter of an interval it goes to
// all at once.
//
// There are no keys in Redis. Nothing in it can be lost by a flush, be left over
// by a node that was killed, be evicted, or expire in the wrong moment, and a
// Redis that is full takes messages still. The price is that each node holds all.
//
// # One order
//
// Redis hands what is published on a channel to all subscribers in one order, and
// the publisher is one of them. A node does not do its own joins when they are
// written, but when it hears itself: then all that came before, on any node, is in
// its view. Leaves are done at once, but the user counts as there until the node
// hears itself. So all nodes see each room change in the same order, and since
// events follow the view, no two of them contradict each other:
//
//	y → all   join of ann's second device
//	x → all   leave of the first              nobody sends that ann has left
//
// A join is answered when it has its place. So whoever joins after that, on any
// node, finds it there.
//
// An operation that has not come back within half an interval is done all the
// same; while Redis is known to be away, each is done at once. Then two nodes may
// see changes in two orders, but what each of them sends its own devices
// is still what it knows, and the same in the end.
//
// A node that has subscribed again may have missed changes. Until it has caught up
// with every node that it knows, for half an interval at most, its operations wait,
// and its health is degraded: a user who has moved meanwhile does not come and go.
//
// # Servers without presence
//
// Node's servers are sent events by the node whose operation has changed the room
// (Event.Foreign), when it hears itself. For a node that is dropped, or that comes
// back after that, the first by name of the others does it.
//
// # What holds when
//
// A node sees its own devices at once, and those of others behind by the time of
// a message; a change that was lost is made up for within two intervals, as the
// difference between what a node knows and what is.
//
// A node that is not heard for 6 intervals is dropped, and its users leave; one that
// leaves by Close is at once. A node that hears nobody, not even itself, does not
// blame the others: it keeps what it knows for 10 intervals and then drops all of
// it, since what it publishes cannot reach them either. When they are back their
// users join.
//
// A node that starts is ready when it knows what the nodes know that it has heard of
// in the first quarter of an interval; after two intervals, or without Redis, it is
// in any case. Joins that wait for it are answered with all who are there.
//
// # Without Redis
//
// Writing never waits for Redis. What is not sent yet is bounded: if it grows
// longer than the state, the state is sent instead. While Redis is away a node
// tries with one small message, four times in an interval.
//
// What comes on the channels is checked, and ignored and counted if it is no
// message or cannot follow; the devices and nodes that are held are bounded. A
// part holds only what its own node has said. But whoever may publish to the
// Redis may speak for any node: keep strangers out of it.
//
// # Redis Cluster
//
// All nodes publish at the master of the channel's slot, since one server makes one
// order; Redis Cluster passes messages on to the subscribers of its other servers.
// If that master stays away for one and a half intervals, the nodes publish and
// subscribe at another one, and try the first again after 10 intervals. While nodes
// change over, two of them may see changes in two orders.
//
// # Goroutines
//
//	send      publishes the outbox; ends last but for those that it ends
//	receive   holds the subscription
//	apply     owns the peers: what comes, and what time brings
//
// Events are handled by whoever has changed the view, without locks: by apply, or by
// the caller of a method while nothing comes back.
//
// Node.mu guards the node's own part, its outbox and its order together. The view's
// lock is taken under it; nothing else is called under either.
package redispresence
