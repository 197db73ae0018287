// Package recovery keeps, for a while, what a client that has lost its connection needs
// to go on as if it had not: the session of its socket, and the events that it has missed.
//
//	            Begin                Store               Claim
//	CONNECT ────────────► connected ───────► stored ───────────────► claimed ─► Resume: connected
//	                          │                │ window ends, End       │
//	                          └── End ──► gone ◄┘                       └─► Return: stored, or End
//
// A [Log] belongs to one namespace. It gives each event a [Position] and keeps the event,
// in the form in which it was sent, with the rooms that it was sent to; and it knows from
// which position to which each session was in which room. So it can say what a session has
// missed since a position. The answer is complete, or there is none: events that are dropped
// too early, because a [Node] bounds the bytes of its logs, leave a mark in their rooms, and
// sessions that were in one of these rooms are not recovered. A session whose rooms lost
// nothing is recovered even if the event of its last position is not kept any more.
//
// # One order
//
// A client knows its position by the last event that it received, so the events of a
// namespace must reach each client in the order of their positions. For that a Log has a
// lock, which its user holds from the moment an event gets its position until it is queued
// to all recipients, and during every change of a session or its rooms. Methods that say
// so are called with the lock held.
//
// # Offsets
//
// A position reaches clients as an offset, a text: some random characters, which are the
// log's, and the position. Clients do not look into it. An offset of another log is from
// another server or another life of this one; whoever sends it with the secret of a session
// of this log has not received any event in that session, because each would have brought
// an offset of this log.
//
// The package knows neither transports nor users.
package recovery
