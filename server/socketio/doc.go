// Package socketio is a Socket.IO server: protocol 5 over Engine.IO 4, as
// spoken by the JavaScript client 3.x and 4.x.
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
// [Server.Attach] serves the clients' requests, below /socket.io/, and passes all
// others on; [engineio.NewHTTPServer] makes an [http.Server] whose connections all
// end, whatever their clients do, and says what to set on a server of your own.
//
// # What happens to a socket
//
//	CONNECT ─► Use … ─► CONNECT answered ─► OnConnect … ─► events, in order ─► OnDisconnect
//	             │                            │
//	          an error                    an error
//	       CONNECT_ERROR                 disconnects
//
// Handlers of one socket run one at a time, in the order in which its events
// came; those of different sockets run at the same time. A handler may wait, for
// the client's acknowledgement too: acknowledgements, heartbeats and
// disconnects are seen while it does. Events that come meanwhile wait in a
// bounded queue. When it is full, by Options.MaxPendingEvents or MaxPendingBytes,
// the reading from that client stops: then a disconnect is seen when there is
// room again, or when the heartbeat is overdue, which takes a few times
// engineio's PingTimeout. While EmitWithAck waits for that client, the
// number of events does not count; beyond MaxPendingBytes the wait ends with
// [ErrBacklog].
//
// # Errors
//
// An error of an event's handler goes to [Handlers.OnError], which by default answers
// the client: with the fields of an [*Error], "invalid" for an argument that cannot be
// decoded, and "internal" for everything else. A panic of any function of the
// program is recovered and counts as such an error, ErrPanic. Panics, and errors that
// the client reads as internal ones, are logged with slog's default logger, unless
// Hooks.HandlerError takes them.
//
// # Arguments
//
// What clients send stays JSON until a handler decodes it, and a [Value] is
// passed on as it came. Both ways github.com/go-json-experiment/json does the
// work, so json struct tags count, and names match exactly, as they do in
// JavaScript: a field N without a tag is not the client's n. []byte goes out as a
// binary attachment wherever it stands, time.Time in the form of JavaScript's
// toISOString, nil slices and maps as empty ones.
//
// # Locks
//
// Order: the room table's lock, Socket.mu, then the engine's. The handlers of
// the program are called without any.
package socketio
