// Package engineio is a server of the Engine.IO protocol, revision 4: it gives
// every client one session that carries text and binary messages both ways, in
// order, over HTTP long-polling, over a WebSocket, or over the first and then
// the second.
//
//	            ServeHTTP
//	                │  transport, sid, EIO and method are verified
//	    ┌───────────┴────────────┐
//	 no sid                     sid
//	    │                        │
//	handshake             ┌──────┴───────┐
//	(open packet)       poll           upgrade
//	    │            GET / POST      probe, then "5"
//	    └──────┬──────────┴──────────────┘
//	        Session ── messages ──► Handler
//	           ▲
//	         Send  ── queue ──► flusher ──► transport
//
// # Reading
//
// A session's messages reach its [Handler] one at a time, in order. On Linux a
// silent WebSocket costs its state and neither a goroutine nor a buffer: a poller
// (internal/netpoll) finds those that have something to read, a worker reads it, lets
// go of the reading, and then runs the task that the handler returned. Elsewhere, and
// over TLS, a goroutine reads. A handler that blocks in HandleMessage stops the
// reading from its own client and from no other.
//
// # Writing
//
// Sending puts frames in the session's queue. Whoever finds a session without a
// pending flush hands it to the server's [flusher], which writes all that a
// session has queued with one system call if it can. If the machine cannot
// write as fast as is published, publishers wait for the flusher, for a moment.
//
// # The life of a WebSocket
//
//	           upgraded        closeDue          closeWritten
//	connProbing ────► connOpen ───────► connClosing ─────────► connCloseSent
//	     │               │                   │                      │
//	     │ clientDone    │ clientDone        │ clientDone           │ clientDone
//	     │               │                   ▼    closeWritten      ▼
//	     └───────────────┴───────────► connAnswering ────────► connLingering
//
//	     each of them ──── broken ────► connDead
//
// closeDue is the server's end of the session, clientDone the client's: its close
// frame, or what breaks the rules. After clientDone what comes from the client is read
// and discarded. Our close frame follows what is queued; after closeWritten the client
// has lingerTime to end the connection. broken is the end of the connection itself,
// or of the patience with it.
//
// The table of these transitions is in websocketstate.go. websocketConn.on is the one
// function that changes the state; websocketConn.HandleEnd is the end of every
// connection that has begun to be read. A session has three states of its own: open;
// closing, while what is queued still goes out; and closed. Session.finish is the one
// function that closes it.
//
// # Clients that are behind
//
// A client is slow if it does not take bytes over time, never because a burst is
// large. It is behind from the moment when its socket takes no more, or when
// something is queued and no poll is there, until nothing is queued. A client
// takes bytes when a write puts some into its socket, when its kernel takes some
// of what is there, and when a poll comes or a piece of its answer is written; in
// an upgrade, each step counts as well. The backlog holds what follows:
//
//	queued to one session          what happens
//	up to MaxQueueBytes            nothing
//	up to MaxBacklogBytes          publishers wait when they have queued
//	beyond                         the next send closes the session
//	anything, and nothing taken    the session is closed
//	for SlowTimeout
//
// The waiting of publishers is made so that one client that has stopped does not
// stop them. What may be queued to a session before they wait begins at
// MaxQueueBytes and grows evenly, by half of the way to MaxBacklogBytes in
// SlowTimeout; by default that is 3 MiB a second. A client that takes nothing thus
// slows the publishers of its rooms down to that, for SlowTimeout, and is gone
// then; one that pauses and goes on has lost nothing. A client that takes bytes
// steadily, but more slowly than they are published, holds its publishers to its
// own speed: halfway to MaxBacklogBytes the bound stops growing for as long as the
// client takes half of MaxQueueBytes in each tenth of SlowTimeout, by default 512
// KiB a second. So a client that takes a little now and then keeps a publisher
// waiting for a second and not for ten, and reaches MaxBacklogBytes. If it has not
// taken enough for SlowTimeout, publishers do not wait for it at all. Other rooms
// are not affected. The second half of the way to MaxBacklogBytes is also for
// messages that many publishers queue at once, each before it waits.
//
// One that publishes for many rooms in a line, as what comes from other nodes does,
// waits less the more there is behind it, see [Haste]: or one client that is behind
// would hold up the rooms of all.
//
// A publisher waits after it has queued, for SlowTimeout at most, and not after
// its context or the session has ended: whether it has waited or not, what it
// sent is queued to all that were not closed. A publisher that is itself behind is
// slowed down like others.
//
// MaxTotalQueueBytes bounds what the queues hold together. A frame that is queued
// to many is held, and counted, once; its entry in each queue counts too, as do
// the rest of a write and a poll's answer that is being written. Queues of less
// than 4 KiB are not counted. Beyond the bound all publishers wait whose messages
// stay in a queue. Sessions whose clients have taken nothing for a tenth of
// SlowTimeout are closed, the one with the most bytes first, until the bound
// holds; if it does not hold after as long again, the one with the most bytes of
// all.
//
// A poll is answered with 256 KiB, or one larger frame; the client asks for more.
//
// # The HTTP server
//
// A [Server] is a handler: how long a request may take to come, and its answer
// to be read, is decided by the [http.Server] that it runs on, whose zero value
// waits as long as clients like. [NewHTTPServer] makes one on which every
// connection ends, and says what to set on one of your own. The handler itself
// bounds the bodies that it reads, the answers of polls, and WebSockets.
//
// # Locks
//
// Session.mu guards a session's state and queue, Session.reading serialises
// delivery to the handler. Order: Session.reading, then Session.mu, then one of
// flusher.mu, backlog.mu, deadlines.mu, netpoll.Poller.mu, workers.mu, admission.mu and
// Server.mu, which are leaves. No lock but Session.reading is held while foreign code
// runs, and a handler that panics does not keep it.
package engineio
