// Package redispresence implements [presence.Presence] for a cluster whose nodes
// reach each other through Redis pub/sub.
//
//	node, err := redispresence.New(redispresence.Options{Redis: client})
//
// # Protocol
//
// Each node numbers the operations of its own devices from 1 and publishes them in
// order. The other nodes apply them to the node's part of their view. Channels:
//
//	prefix-presence#          to all nodes: delta, beat, bye, a state that several requested
//	prefix-presence#node#     to one node: request, and the state that it has requested
//
// Messages:
//
//	x → all   delta    operations 8, 9 and 10
//	x → all   beat     heartbeat: x is at 10; once an interval
//	y → x     request  send your state: y is behind, as a delta or a beat has shown
//	x → y     state    everything that holds at 10, in chunks; no delta comes between them
//	y → all   beat     with the hello flag: y has just subscribed, so all nodes answer with a beat
//	x → all   bye      x leaves
//
// A node that starts is at 0, so that the others need not request its state. A node
// that subscribes again after Redis was away sees from the beats which nodes' states
// it must request. If several nodes request a state within a quarter of an
// interval, one message to all answers them.
//
// The nodes store nothing in Redis. So no entry is lost by a flush or an eviction,
// left over by a killed node, or expired at the wrong moment, and a Redis that is
// out of memory still delivers messages. The price is that each node holds the
// entries of all.
//
// # One order
//
// Redis delivers the messages of a channel to all subscribers in the same order,
// and the publisher is one of them: it receives the echo of its own messages. A node
// applies its own join not when it is called but when the echo arrives. By then
// everything that precedes the join, on any node, is in the node's view. A leave is
// applied at once, but the user counts as a member until the echo arrives. So all
// nodes see the changes of a room in the same order, and since events follow the
// view, no two events contradict each other:
//
//	y → all   join of ann's second device
//	x → all   leave of her first              no node reports that ann has left
//
// The answer to a join is sent when the join is ordered. So every later join, on any
// node, finds the user there.
//
// An operation without an echo is applied after half an interval; while Redis is
// known to be away, each is applied at once. Two nodes may then see changes in
// different orders. What a node sends its own devices still follows its view, and
// the views agree in the end.
//
// A node that has subscribed again may have missed changes. Its operations wait,
// for half an interval at most, until it has caught up with every node that it
// knows. Meanwhile its health is degraded. So a user that moved while Redis was away
// is not reported as having left and joined.
//
// # Foreign servers
//
// Socket.IO servers on Node.js take no part in the presence. When an operation is
// ordered, the node that issued it sends them the resulting event (Event.Foreign).
// For a node that was dropped, or that returned after being dropped, the first of
// the other nodes by name sends it.
//
// # Timing
//
// A node sees changes of its own devices at once and changes of others after the
// delay of a message. A lost message is made up for within two intervals: devices
// are then sent the difference.
//
// A node that is silent for 6 intervals is dropped, and its users leave; a node that
// calls Close is dropped at once. A node that receives nothing, not even its own
// messages, cannot judge the others: it keeps their entries for 10 intervals and
// then drops all of them, since its own messages do not arrive either. When the
// nodes return, their users join again.
//
// A new node is ready when it has the state of all nodes that it has heard in the
// first quarter of an interval; after two intervals, or if Redis fails, it is ready
// in any case. A program that waits for Ready before its joins, as package realtime
// does, gets all users in their answers.
//
// # Without Redis
//
// Writes never wait for Redis. The queue of operations is bounded: if it outgrows the
// state, the state is sent instead. While Redis is away, a node probes it with one
// small message, four times an interval.
//
// Received messages are checked. Those that are malformed or out of sequence are
// ignored and counted, and the numbers of nodes and devices held are bounded. A
// node's messages can change only the node's own part. But anyone who may publish to
// the Redis can impersonate any node, so restrict access to it.
//
// # Redis Cluster
//
// One order needs one server: all nodes publish and subscribe at the master of the
// channel's slot, and Redis Cluster forwards messages to the subscribers of its
// other servers. If that master is away for one and a half intervals, the nodes
// switch to another one and try the first again after 10 intervals. During a switch
// two nodes may see changes in different orders.
//
// # What is shared with package redisbus
//
// The adapter's bus and this package use one client: their connections follow the
// master together. They also share how health is derived, and the reasons.
//
// They do not share connections. A bus stops reading while members of rooms are slow;
// presence must read on, because silent nodes are dropped. A bus holds messages while
// the master changes, and publishes at any server of a Redis Cluster; presence must know
// at once if Redis has not taken its operations, so that it sends the state instead, and
// it needs one server for one order.
//
// # Goroutines and locks
//
//	send      publishes the outbox; on Close it ends the other two
//	receive   holds the subscription
//	apply     owns the peers; applies received messages and runs timers
//
// Events are handled without locks by the goroutine that changed the view: by apply,
// or by the caller of a method if operations need no echo.
//
// Node.mu guards the node's own part, the outbox and the order. The view's lock is
// taken under it; nothing else is called under either.
package redispresence
