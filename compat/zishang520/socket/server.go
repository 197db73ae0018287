package socket

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/puente-io/puente/compat/zishang520/config"
	"github.com/puente-io/puente/compat/zishang520/engine"
	"github.com/puente-io/puente/compat/zishang520/events"
	"github.com/puente-io/puente/compat/zishang520/types"
	"github.com/puente-io/puente/server/socketio"
)

// closeTimeout is how long Close waits for listeners.
const closeTimeout = 5 * time.Second

// Server is a Socket.IO server. Its own listeners and sockets are those of the
// namespace "/".
type Server struct {
	*StrictEventEmitter
	opts       *ServerOptions
	sockets    *namespace
	namespaces types.Map[string, *namespace] // by name, without parents

	mu         sync.Mutex
	parents    []*namespace
	node       *node // nil until something needs it, see start
	httpServer *types.HttpServer
}

// NewServer returns a server. srv is what it attaches to, see Attach, or nil; opts may
// be nil.
func NewServer(srv any, opts ServerOptionsInterface) *Server {
	s := &Server{opts: DefaultServerOptions()}
	s.opts.Assign(opts)
	s.sockets = s.namespace("/")
	s.StrictEventEmitter = s.sockets.EventEmitter()
	if srv != nil {
		s.Attach(srv, nil)
	}
	return s
}

// Opts returns the options.
func (s *Server) Opts() ServerOptionsInterface { return s.opts }

// Sockets returns the namespace "/".
func (s *Server) Sockets() Namespace { return s.sockets }

// Path returns the path of the endpoint, without a slash at its end.
func (s *Server) Path() string {
	if s.opts.GetRawPath() == nil {
		return "/socket.io"
	}
	return strings.TrimRight(s.opts.Path(), "/")
}

// SetPath, SetServeClient, SetConnectTimeout and SetAdapter set options. Call them
// before the server is attached.
func (s *Server) SetPath(path string) *Server { s.opts.SetPath(path); return s }

// SetServeClient sets that option.
func (s *Server) SetServeClient(on bool) *Server { s.opts.SetServeClient(on); return s }

// SetConnectTimeout sets that option.
func (s *Server) SetConnectTimeout(d time.Duration) *Server { s.opts.SetConnectTimeout(d); return s }

// SetAdapter sets that option.
func (s *Server) SetAdapter(a AdapterConstructor) *Server { s.opts.SetAdapter(a); return s }

// ServeClient returns that option.
func (s *Server) ServeClient() bool { return s.opts.ServeClient() }

// ConnectTimeout returns that option.
func (s *Server) ConnectTimeout() time.Duration {
	if s.opts.GetRawConnectTimeout() == nil {
		return 45 * time.Second
	}
	return s.opts.ConnectTimeout()
}

// Adapter returns that option.
func (s *Server) Adapter() AdapterConstructor { return s.opts.Adapter() }

// clustered reports whether there may be other servers.
func (s *Server) clustered() bool { return s.opts.Adapter() != nil }

// Engine returns the Engine.IO server.
func (s *Server) Engine() engine.BaseServer { return s.running().endpoint }

// Of returns the namespace with a name (a string), or the parent of all namespaces
// whose names match a *regexp.Regexp or a ParentNspNameMatchFn. A listener, if not
// nil, is called with each new socket.
func (s *Server) Of(name any, listener events.Listener) Namespace {
	var n *namespace
	switch name := name.(type) {
	case ParentNspNameMatchFn:
		n = s.addParent(&pattern{match: *name})
	case *regexp.Regexp:
		n = s.addParent(&pattern{pure: true, match: func(nsp string, _ any, next func(error, bool)) {
			next(nil, name.MatchString(nsp))
		}})
	case string:
		n = s.namespace("/" + strings.TrimPrefix(name, "/"))
	default:
		n = s.sockets
	}
	if listener != nil {
		n.On("connect", listener)
	}
	return n
}

// namespace returns the namespace with this name, or a new one.
func (s *Server) namespace(name string) *namespace {
	s.mu.Lock()
	n, ok := s.namespaces.Load(name)
	if ok {
		s.mu.Unlock()
		return n
	}
	for _, p := range s.parents {
		if p.pure && p.allows(context.Background(), name, nil) {
			n = p.newChild(name)
			break
		}
	}
	if n == nil {
		n = newNamespace(s, name)
	}
	s.namespaces.Store(name, n)
	if s.node != nil {
		s.node.add(n)
	}
	s.mu.Unlock()
	s.created(n)
	return n
}

// created emits a new namespace.
func (s *Server) created(n *namespace) {
	if n.name != "/" {
		s.sockets.EmitReserved("new_namespace", Namespace(n))
	}
}

// of returns the namespace of a socket, which is a new child if the parent's pattern
// has just matched.
func (s *Server) of(io *socketio.Namespace, parent *namespace) *namespace {
	if n, ok := s.namespaces.Load(io.Name()); ok && n.io.Load() == io {
		return n
	}
	s.mu.Lock()
	n, ok := s.namespaces.Load(io.Name())
	if ok && (n.io.Load() == io || parent == nil) {
		s.mu.Unlock()
		return n
	}
	n = parent.newChild(io.Name())
	n.dynamic = true
	n.io.Store(io)
	s.namespaces.Store(n.name, n)
	s.mu.Unlock()
	s.created(n)
	return n
}

// sockets is the key under which a socketio.Socket keeps its Socket.
var sockets = socketio.NewKey[*Socket]()

// socket returns the Socket of a socketio.Socket. It is called by one goroutine at a
// time for each socket.
func (s *Server) socket(io *socketio.Socket, parent *namespace) *Socket {
	if known, ok := sockets.Get(io); ok {
		return known
	}
	made := newSocket(io, s.of(io.Namespace(), parent))
	sockets.Set(io, made)
	return made
}

// install makes package socketio call the listeners. parent is that of the namespaces,
// or nil.
func (s *Server) install(h *socketio.Handlers, parent *namespace) {
	h.Use(func(ctx context.Context, io *socketio.Socket) error {
		n := s.of(io.Namespace(), parent)
		if n.middleware() == nil {
			return nil
		}
		return n.admit(ctx, s.socket(io, parent))
	})
	h.OnConnect(func(_ context.Context, io *socketio.Socket) error {
		s.socket(io, parent).connected()
		return nil
	})
	h.OnDisconnect(func(_ context.Context, io *socketio.Socket, reason socketio.Reason) {
		s.socket(io, parent).disconnected(reason)
	})
	h.OnAny(socketio.HandlerFunc(func(_ context.Context, io *socketio.Socket, e *socketio.Event) error {
		return s.socket(io, parent).serve(e)
	}))
}

// guard calls a function of the program; a panic is logged.
func (s *Server) guard(event string, f func()) {
	s.report(event, socketio.Guard(func() error { f(); return nil }))
}

// report logs an error of the program, if there is one.
func (s *Server) report(event string, err error) {
	if err != nil {
		s.running().io.Report(event, err)
	}
}

// Close disconnects all clients, waits 5 s at most for listeners, closes the HTTP
// server that the server is attached to, and calls done, if not nil.
func (s *Server) Close(done func(error)) {
	s.mu.Lock()
	srv, nd := s.httpServer, s.node
	s.mu.Unlock()
	var err error
	if nd != nil {
		err = nd.close()
	}
	if srv != nil {
		srv.Close(done)
		return
	}
	if done != nil {
		done(err)
	}
}

// Use adds a middleware to the namespace "/".
func (s *Server) Use(m NamespaceMiddleware) *Server {
	s.sockets.Use(m)
	return s
}

// The methods below are those of the namespace "/".

// Emit sends an event to all sockets.
func (s *Server) Emit(event string, args ...any) *Server {
	s.sockets.Emit(event, args...)
	return s
}

// Send is Emit("message", …).
func (s *Server) Send(args ...any) *Server { return s.Emit("message", args...) }

// Write is Send.
func (s *Server) Write(args ...any) *Server { return s.Send(args...) }

// EmitWithAck returns a function that sends the event and calls its argument with the
// acknowledgements, see BroadcastOperator.Emit.
func (s *Server) EmitWithAck(event string, args ...any) func(Ack) {
	return s.sockets.EmitWithAck(event, args...)
}

// To returns an operator for the sockets in the rooms.
func (s *Server) To(rooms ...Room) *BroadcastOperator { return s.sockets.To(rooms...) }

// In is To.
func (s *Server) In(rooms ...Room) *BroadcastOperator { return s.sockets.In(rooms...) }

// Except returns an operator for the sockets that are not in the rooms.
func (s *Server) Except(rooms ...Room) *BroadcastOperator { return s.sockets.Except(rooms...) }

// Local returns an operator for the sockets of this server.
func (s *Server) Local() *BroadcastOperator { return s.sockets.Local() }

// Volatile returns an operator that drops an event for a client that cannot take it
// immediately.
func (s *Server) Volatile() *BroadcastOperator { return s.sockets.Volatile() }

// Compress returns an operator whose events may be compressed, or not.
func (s *Server) Compress(on bool) *BroadcastOperator { return s.sockets.Compress(on) }

// Timeout returns an operator that waits so long for acknowledgements.
func (s *Server) Timeout(d time.Duration) *BroadcastOperator { return s.sockets.Timeout(d) }

// FetchSockets returns a function that passes all sockets to its argument, see
// BroadcastOperator.FetchSockets.
func (s *Server) FetchSockets() func(func([]*RemoteSocket, error)) { return s.sockets.FetchSockets() }

// SocketsJoin adds all sockets to rooms.
func (s *Server) SocketsJoin(rooms ...Room) { s.sockets.SocketsJoin(rooms...) }

// SocketsLeave removes all sockets from rooms.
func (s *Server) SocketsLeave(rooms ...Room) { s.sockets.SocketsLeave(rooms...) }

// DisconnectSockets disconnects all sockets.
func (s *Server) DisconnectSockets(closeConnections bool) {
	s.sockets.DisconnectSockets(closeConnections)
}

// AllSockets returns the ids of this server's sockets.
//
// Deprecated: use FetchSockets, which also finds the sockets of other servers.
func (s *Server) AllSockets() (*types.Set[SocketId], error) { return s.sockets.AllSockets() }

// ServerSideEmit emits an event to the listeners of the other servers, see Namespace.
func (s *Server) ServerSideEmit(event string, args ...any) error {
	return s.sockets.ServerSideEmit(event, args...)
}

// ServerSideEmitWithAck returns a function that emits an event to the listeners of the
// other servers, see Namespace.
func (s *Server) ServerSideEmitWithAck(event string, args ...any) func(Ack) error {
	return s.sockets.ServerSideEmitWithAck(event, args...)
}

var _ config.ServerOptionsInterface = (*ServerOptions)(nil)
