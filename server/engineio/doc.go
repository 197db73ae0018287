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
// silent WebSocket costs its state and neither a goroutine nor a buffer: the
// [poller] tells which have something to read, a worker reads it, lets go of
// the reading, and then runs the task that the handler returned. Elsewhere, and
// over TLS, a goroutine reads. A handler that blocks in HandleMessage stops the
// reading from its own client and from nobody else.
//
// # Writing
//
// Sending puts frames in the session's queue and never blocks. Whoever finds a
// session without a pending flush hands it to the server's [flusher], which
// writes all that a session has queued with one system call where it can. A
// queue that outgrows [Options.MaxQueueBytes] closes its session.
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
// flusher.mu, deadlines.mu, poller.mu, workers.mu, admission.mu and Server.mu,
// which are leaves. No lock but Session.reading is held while foreign code runs.
package engineio
