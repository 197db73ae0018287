// Package socketio is a Socket.IO server: protocol 5 over Engine.IO 4, as
// spoken by the JavaScript client 3.x and 4.x, with its default parser or with
// socket.io-msgpack-parser.
//
//	io := socketio.New(socketio.Options{})
//	chat := io.Namespace("/chat")
//	chat.OnConnect(func(ctx context.Context, s *socketio.Socket) error {
//		return s.Join(ctx, "lobby")
//	})
//	chat.Handle("say", socketio.Func(func(ctx context.Context, s *socketio.Socket, in Say) (Said, error) {
//		return Said{At: time.Now()}, chat.To(in.Room).Except(s.ID()).Emit(ctx, "said", in.Text)
//	}))
//	hs := engineio.NewHTTPServer(io.Attach(http.DefaultServeMux))
//	hs.Addr = ":3001"
//	hs.ListenAndServe()
//
// [Server.Attach] serves the clients' requests below /socket.io/ and passes all
// others on. [engineio.NewHTTPServer] returns an [http.Server] with time limits, so
// that a client that sends or reads too slowly cannot keep a connection open; its
// documentation lists them. Long polls and WebSockets have the limits of
// Options.Engine instead.
//
// # What happens to a socket
//
//	CONNECT ─► Use … ─► CONNECT answered ─► OnConnect … ─► events, in order ─► OnDisconnect
//	             │                            │
//	          an error                    an error
//	       CONNECT_ERROR                 disconnects
//
// The handlers of one socket run one at a time, in the order in which its events
// arrived; those of different sockets run concurrently. A handler may block, even
// to wait for the client's acknowledgement: meanwhile acknowledgements, heartbeats
// and disconnects are still received, and events wait in a bounded queue. When the
// queue is full (Options.MaxPendingEvents, MaxPendingBytes), reading from that
// client stops. A disconnect is then noticed when there is room again, at the latest
// after engineio's PingInterval and four times its PingTimeout. While EmitWithAck
// waits for that client, the number of events is not limited; above
// MaxPendingBytes the wait ends with [ErrBacklog].
//
// # Errors
//
// An error of an event handler goes to the function of [Handlers.OnError]. By
// default the client, if it waits for an acknowledgement, gets {"error": {"code",
// "message"}}: the fields of an [*Error], code "invalid" if the error wraps
// ErrDecode, "unavailable" if it wraps ErrUnavailable, and "internal" for any other
// error. A panic of a handler is recovered and becomes such an error, one that wraps ErrPanic. Panics of middleware, hooks,
// and the functions of OnConnect, OnDisconnect and OnError are recovered too, see
// Hooks.HandlerError. Panics, and errors that the client gets as "internal", are
// logged with slog's default logger, unless there is a Hooks.HandlerError.
//
// # Arguments
//
// What clients send stays JSON until a handler decodes it, and a [Value] is passed
// on unchanged. Encoding and decoding use github.com/go-json-experiment/json: json
// struct tags apply, and names match exactly, as in JavaScript, so a field N without
// a tag is not the client's n. A []byte, at any depth, is sent as a binary
// attachment, a time.Time in the format of JavaScript's toISOString, and nil slices
// and maps as empty ones. The members of a map come in no particular order, which
// means nothing to JavaScript; sorting them would cost two allocations a map. A
// struct has the order of its fields.
//
// # Parsers
//
// The first message of a connection shows the client's parser: a text is a packet of
// the default parser, a binary message that begins with a map is one of
// socket.io-msgpack-parser. Both kinds of clients share namespaces and rooms, and
// handlers see no difference: package msgpack converts packets from and to JSON. So a
// Date arrives as the string of its toISOString, also if one client with that parser
// sends it and another gets it; undefined arrives as null, or is missing from an object;
// NaN and infinities arrive as null. On Node, whose servers have one parser, they stay
// what they are.
//
// A broadcast is encoded once for each parser that its recipients have. Arguments that
// are nested more than 1,000 levels deep, as a higher Options.MaxDepth permits, cannot be
// sent as MessagePack: Emit to a client with that parser returns ErrEncode, and a broadcast
// reaches only the other clients and is reported like a handler's error.
//
// # Protocol 3
//
// With Options.Engine.AllowProtocol3 clients 1.x and 2.x connect too, which speak
// revision 4 of Socket.IO's protocol. They share namespaces and rooms with the others. A
// client is connected to the namespace "/" when its session opens: the middleware runs
// with an empty Auth, and finds what the client has to say in the Query and Headers of its
// [Handshake]. In other namespaces Auth is the query of the namespace. A middleware's
// error reaches the client as the data of a [ConnectError] or, if it has none, as the
// error's text. The client takes its session id for the id of its socket, see
// [Socket.ClientID]; [Socket.ID] is another, which is not secret.
//
// # Recovery
//
// With Options.Recovery a client of version 4.6 or newer that has lost its connection may
// come back within a time and go on with its socket: it has the same id, rooms and
// data, and gets, before CONNECT is answered, the events that it has missed, each
// once and in order. The program sees a disconnect and a connect; [Socket.Recovered]
// is true then. A socket is recovered completely or not at all: if an event is
// not kept any more (RecoveryOptions.MaxBytes), the client gets a new socket.
//
// Kept are events without acknowledgement that are not volatile. Each event without
// acknowledgement carries the client's position as one more argument at its end, as on
// Node, which JavaScript's handlers do not notice; clients of protocol 3 get none. Events are
// kept for the rooms that a socket was in when they were sent, and nothing is kept for
// sockets that left by DISCONNECT, or that [Socket.Disconnect] or [Operator.Disconnect] ends, even while the
// client is away. An Emit to a socket that is [Socket.Away] succeeds.
//
// It is different from Node's: a client that has received no event yet is recovered, and one
// whose last event is not kept any more if it has missed none; volatile events carry
// the position too, so that clients do not take their last argument for one; a client that
// comes back before the server knows that its connection is lost takes its socket over, if it
// has been connected for more than a second; a secret serves once. Middleware does not run
// for recovered sockets, see [Namespace.CheckRecovered]. [Handlers.OnDisconnect] has
// returned before [Handlers.OnConnect] is called for the recovered socket, unless handlers of
// the socket before run for more than 10 s after that.
//
// A client is recovered only by the server that it was connected to. In a cluster that server goes
// on to receive the broadcasts to the rooms of clients that are away; if some of them may
// have been lost (adapter.Local.EventsLost), those clients get new sockets.
//
// # Locks
//
// All locks of this package and of package engineio. A lock may be taken while
// those are held that have an arrow to it; no other order is allowed, and two
// locks of one kind are never held together. Functions of the program and methods
// of adapters are called without locks, except as said below.
//
//	engineio.Session.reading ─► all others: it is held while a client's packets
//	                            are delivered, and may be for long
//	client.mu ─────► Socket.mu
//	recovery.Node.mu ─► recovery.Log's
//	recovery.Log's ─► client.mu, adapter.Table.mu and all that it may be held with, Server.mu: it is held
//	                    while an event is queued to its recipients
//	adapter.Table.mu ─► Socket.mu, engineio.Session.mu, and the adapter's own, in
//	                    RoomCreated and RoomDeleted, which must not block
//	Socket.mu ─────► Server.mu, and that of the socket's context
//	posts.mu ──────► Server.mu
//	engineio.Session.mu ─► one of engineio's flusher.mu, backlog.mu, deadlines.mu
//
// Nothing is taken while one of these is held: Server.mu, Handlers.mu,
// ownHandlers.mu, collector.mu, and engineio's Server.mu, flusher.mu, backlog.mu,
// deadlines.mu, admission.mu, workers.mu, lazyPoller.mu and netpoll.Poller.mu.
// Server.mu is not held while the adapter of a namespace is made or closed: a
// channel in Server.changing keeps others from doing the same meanwhile.
package socketio
