// Package engineio is a server of the Engine.IO protocol, revision 4 and, with
// [Options.AllowProtocol3], 3: it gives
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
// (internal/netpoll) finds those that have something to read; a worker reads it and
// then, while others may read the session again, runs the task that the handler
// returned. On other systems, and over TLS, each WebSocket has a goroutine that reads. A
// handler that blocks in HandleMessage stops the reading from its own client and from no
// other.
//
// # Writing
//
// Sending puts frames in the session's queue. A sender that finds no flush pending hands
// the session to the server's flusher goroutines, which write everything that a session
// has queued with one system call if possible. If the machine cannot write as fast as
// messages are published, publishers wait for the flusher for a moment.
//
// # Forms
//
// A [Message] is encoded once for all its recipients. Most sessions take its frames as
// they were made. A session whose client needs other frames has a form, a set of bits
// that say what is different; it is known when the handshake or the upgrade ends.
//
//	form            its messages                                       known since
//	plain           frames as they were made                           -
//	formBase64      binary messages are text                           the handshake (b64, JSONP)
//	formProtocol3   binary messages begin with their type              the handshake (EIO)
//	formDeflated    large messages are compressed (permessage-deflate) the handshake or the upgrade
//
// Compression is the last step, and done once for frames that are the same in several
// forms. A frame is not compressed if it is short, if [Frame.Uncompressed] has made it, or
// if it would not become smaller; then both forms share it.
//
// The other forms of a message are built from the plain one when the first recipient
// needs them, each once, and all recipients share them. [Server.Build] does so before a
// publisher takes a lock; while no session has a form, that costs one atomic load. What is
// in a queue is a frame in its session's form, so the queue counts the bytes that it holds.
// A session's form may change while plain frames are in its queue, because every client
// takes plain frames.
//
// # Protocol 3
//
// A session of protocol 3 is one of protocol 4 with another encoding of payloads and
// binary messages, see package packet, and with another heartbeat: the client pings, each
// ping is answered, and the session is closed if none comes for PingInterval and
// PingTimeout, whatever else comes. Sessions of both protocols share all that is sent as
// text. A POST with a malformed payload is answered with "ok", as on Node, and ends the
// session. Limits are the same.
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
// closeDue: the server ends the session. clientDone: the client sent a close frame or
// violated the protocol; what it sends afterwards is read and discarded. Our close frame
// follows the queued messages; after closeWritten the client has 5 s to end the
// connection (lingerTime). broken: the connection failed, or a timeout gave it up.
//
// The table of these transitions is in websocketstate.go. Only websocketConn.on changes
// the state; websocketConn.HandleEnd ends every connection on which reading has started.
// A session has three states of its own: open; closing, while queued messages are still
// sent; and closed. Only Session.finish closes it.
//
// # Clients that are behind
//
// A client is slow if it does not take bytes over time, never because a burst is
// large. It takes bytes when a write puts some into its socket, when its kernel
// acknowledges some, when a poll comes, and when a piece of a poll's answer is written;
// during an upgrade each step counts as well. It is behind from the moment when its
// socket takes no more, or when something is queued and no poll is there, until nothing
// is queued:
//
//	queued to one session          what happens
//	up to MaxQueueBytes            nothing
//	up to MaxBacklogBytes          publishers wait when they have queued
//	beyond                         the next send closes the session
//	anything, and nothing taken    the session is closed
//	for SlowTimeout
//
// One client that has stopped must not stop its publishers. So the mark above which they
// wait for a session starts at MaxQueueBytes and rises at a constant rate, at which it
// would be half way to MaxBacklogBytes after SlowTimeout: by default 3 MiB a second.
//
//   - A client that takes nothing slows the publishers of its rooms down to that rate for
//     SlowTimeout. Then its session is closed. If it starts to read again before that,
//     it has lost nothing.
//   - A client that takes bytes steadily, but more slowly than they are published, slows
//     its publishers down to its own speed: half way to MaxBacklogBytes the mark stops
//     rising while the client takes half of MaxQueueBytes in each tenth of SlowTimeout, by
//     default 512 KiB in each second.
//   - If a client takes less than that, the mark stays half way for only a tenth of
//     SlowTimeout (by default 1 s) after the client last took enough. Then it rises again,
//     until more than MaxBacklogBytes are queued and the session is closed. Once the
//     client has not taken enough for a whole SlowTimeout, publishers no longer wait for
//     it.
//
// Publishers of other rooms are not affected. The bytes between half of MaxBacklogBytes
// and MaxBacklogBytes leave room for the messages that many publishers queue at the same
// time, each before it waits.
//
// A publisher that delivers messages of many rooms one after the other, such as the one
// for messages from other nodes, waits less the more messages are queued behind its own,
// see [Haste]. Otherwise one slow client would delay all rooms.
//
// A publisher waits after it has queued, for SlowTimeout at most, and only until its
// context or the session ends. Whether it has waited or not, its message is queued to
// all sessions that were not closed. A publisher whose own client is behind is slowed
// down like others.
//
// MaxTotalQueueBytes bounds the bytes in all queues together. A frame that is queued to
// many clients is stored, and counted, once; its entry in each queue counts too, as do
// the rest of a write and a poll's answer of more than 64 KiB that is being written: its
// frames, or, if it is compressed or calls a script, its own bytes. Queues of less than
// 4 KiB are not counted. Above the bound, every publisher whose messages stay in a queue
// waits. Sessions whose clients have taken nothing for a tenth of SlowTimeout are closed,
// the one with the most bytes first, until the bound holds. If it does not hold after
// another tenth, the session with the most bytes of all is closed.
//
// A poll is answered with up to 256 KiB, or one larger frame; the client polls again for
// the rest.
//
// # The HTTP server
//
// A [Server] is a handler. The time to receive a request and to send its answer is for the
// [http.Server] to limit, whose zero value has no limits. [NewHTTPServer] returns one with
// limits; its documentation lists the fields to set on one of your own. The handler itself
// bounds the bodies that it reads, the answers of polls, and WebSockets.
//
// # Locks
//
// There is at most one compressor and one decompressor for each processor
// (internal/deflate); a goroutine that has one takes no lock and calls no foreign code.
//
// Session.mu guards a session's state and queue, Session.reading serialises
// delivery to the handler. Order: Session.reading, then Session.mu, then one of
// flusher.mu, backlog.mu, deadlines.mu, netpoll.Poller.mu, workers.mu, admission.mu and
// Server.mu, which are leaves. While foreign code runs, no lock but Session.reading is
// held, and a handler that panics releases it.
package engineio
