package socketio

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/puente-io/puente/server/socketio/packet"
)

// Middleware decides about a connection before it is answered; it may block,
// until ctx ends with the client's session. An error refuses the connection:
// the client reads its text, or the fields of a [*ConnectError].
type Middleware func(ctx context.Context, s *Socket) error

// ConnectFunc is called for each socket once its CONNECT has been answered. No
// event of the socket reaches a handler before all of them have returned. An
// error disconnects the socket.
type ConnectFunc func(ctx context.Context, s *Socket) error

// DisconnectFunc is called for each socket that was connected, after its last
// event has been handled. s.Rooms still tells the rooms that the socket was in.
type DisconnectFunc func(s *Socket, reason Reason)

// EventMiddleware is called for each event; it calls next to go on. The error
// that it returns is the event's.
type EventMiddleware func(ctx context.Context, s *Socket, e *Event, next func() error) error

// ServerSideFunc handles an event from another server's ServerSideEmit. What it
// returns is its answer, where one is asked for.
type ServerSideFunc func(ctx context.Context, args []any) (reply any, err error)

// Handlers are what a program does with the sockets of a namespace, or of all
// namespaces that match a pattern. The methods add to them and are safe for
// concurrent use, also while sockets are connected; what they are given is
// called by many goroutines at once.
type Handlers struct {
	mu  sync.Mutex // held by writers
	set atomic.Pointer[handlerSet]
}

// handlerSet is immutable.
type handlerSet struct {
	middleware []Middleware
	connect    []ConnectFunc
	disconnect []DisconnectFunc
	chain      []EventMiddleware
	events     map[string]Handler
	any        []Handler
	serverSide map[string]ServerSideFunc
	onError    func(ctx context.Context, s *Socket, e *Event, err error)
}

func newHandlers() *Handlers {
	h := new(Handlers)
	h.set.Store(&handlerSet{onError: replyError})
	return h
}

// change replaces the set by a changed copy.
func (h *Handlers) change(f func(*handlerSet)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := *h.set.Load()
	f(&next)
	h.set.Store(&next)
}

// Use adds a middleware. They run in the order in which they were added.
func (h *Handlers) Use(m Middleware) {
	h.change(func(s *handlerSet) { s.middleware = append(s.middleware[:len(s.middleware):len(s.middleware)], m) })
}

// OnConnect adds a function that is called for each new socket.
func (h *Handlers) OnConnect(f ConnectFunc) {
	h.change(func(s *handlerSet) { s.connect = append(s.connect[:len(s.connect):len(s.connect)], f) })
}

// OnDisconnect adds a function that is called for each socket that has gone.
func (h *Handlers) OnDisconnect(f DisconnectFunc) {
	h.change(func(s *handlerSet) { s.disconnect = append(s.disconnect[:len(s.disconnect):len(s.disconnect)], f) })
}

// UseEvent adds a middleware for events; handlers of a single socket, too, are
// behind it.
func (h *Handlers) UseEvent(m EventMiddleware) {
	h.change(func(s *handlerSet) { s.chain = append(s.chain[:len(s.chain):len(s.chain)], m) })
}

// Handle sets the handler of an event; nil removes it. It panics if the event has
// a meaning of its own (connect, connect_error, disconnect, disconnecting,
// newListener, removeListener): clients cannot send it. For connections and their
// end see OnConnect and OnDisconnect.
func (h *Handlers) Handle(event string, handler Handler) {
	mustHandle(event)
	h.change(func(s *handlerSet) {
		s.events = maps.Clone(s.events)
		if s.events == nil {
			s.events = make(map[string]Handler)
		}
		s.events[event] = handler
	})
}

// mustHandle panics for an event that no handler ever gets, as
// http.ServeMux does for a pattern that cannot match: it is a mistake in the program.
func mustHandle(event string) {
	if packet.Reserved(event) {
		panic(fmt.Sprintf("socketio: Handle(%q): the event is reserved, clients cannot send it", event))
	}
}

// HandleAny adds a handler that sees every event before the event's own
// handler does. An event that has no other is unhandled all the same, unless
// this one has replied to it.
func (h *Handlers) HandleAny(handler Handler) {
	h.change(func(s *handlerSet) { s.any = append(s.any[:len(s.any):len(s.any)], handler) })
}

// HandleServerSide sets the handler of an event that other servers emit with
// [Namespace.ServerSideEmit]. It panics if the event has a meaning of its own on
// Node's servers (connect, connection, new_namespace).
func (h *Handlers) HandleServerSide(event string, f ServerSideFunc) {
	if reservedServerSide(event) {
		panic(fmt.Sprintf("socketio: HandleServerSide(%q): the event is reserved", event))
	}
	h.change(func(s *handlerSet) {
		s.serverSide = maps.Clone(s.serverSide)
		if s.serverSide == nil {
			s.serverSide = make(map[string]ServerSideFunc)
		}
		s.serverSide[event] = f
	})
}

// reservedServerSide reports whether a server on Node would take the event for one
// of its own.
func reservedServerSide(event string) bool {
	switch event {
	case "connect", "connection", "new_namespace":
		return true
	}
	return false
}

// OnError sets what is done about an error of an event's handler. The default
// acknowledges with {"error": {"code", "message"}} where the client waits: the
// fields of an [*Error], and "internal" for any other.
func (h *Handlers) OnError(f func(ctx context.Context, s *Socket, e *Event, err error)) {
	h.change(func(s *handlerSet) { s.onError = f })
}
