package socketio

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/puente-io/puente/server/socketio/packet"
)

// Middleware decides whether a socket may connect, before CONNECT is answered.
// It may block; ctx ends with the client's session. An error refuses the
// connection and is sent to the client: its text, or the fields of a
// [*ConnectError].
type Middleware func(ctx context.Context, s *Socket) error

// ConnectFunc is called for each socket after its CONNECT has been answered.
// The socket's event handlers run after all ConnectFuncs have returned. An
// error disconnects the socket.
type ConnectFunc func(ctx context.Context, s *Socket) error

// DisconnectFunc is called for each socket that was connected, after the
// handlers of its events have returned. s.Rooms still returns the rooms that
// the socket was in. The socket's own context has ended, ctx has not: it ends
// when [Server.Close] stops waiting for handlers.
type DisconnectFunc func(ctx context.Context, s *Socket, reason Reason)

// EventMiddleware is called for each event before its handlers; it calls next
// to run the rest. Its error is the event's error.
type EventMiddleware func(ctx context.Context, s *Socket, e *Event, next func() error) error

// ServerSideFunc handles an event of another server's ServerSideEmit. reply is
// its answer; it is ignored if the other server did not ask for one.
type ServerSideFunc func(ctx context.Context, args Args) (reply any, err error)

// Handlers are the functions that a program registers for a namespace, or for
// all namespaces that match a pattern. Its methods are safe for concurrent use,
// even while sockets are connected. The registered functions are called
// concurrently.
type Handlers struct {
	mu  sync.Mutex // held by writers
	set atomic.Pointer[handlerSet]
}

// handlerSet is immutable, see Handlers.change.
type handlerSet struct {
	middleware []Middleware
	recovery   RecoveryFunc
	expired    []ExpiredFunc
	connect    []ConnectFunc
	disconnect []DisconnectFunc
	chain      []EventMiddleware
	events     map[string]Handler
	any        []*listed[Handler]
	outgoing   []*listed[OutgoingFunc]
	serverSide map[string]ServerSideFunc
	onError    func(ctx context.Context, s *Socket, e *Event, err error)
}

func newHandlers() *Handlers {
	h := new(Handlers)
	h.set.Store(&handlerSet{onError: replyError})
	return h
}

// change replaces the set with a changed copy.
func (h *Handlers) change(f func(*handlerSet)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := *h.set.Load()
	f(&next)
	h.set.Store(&next)
}

// Use adds a middleware. Middleware runs in the order of the calls.
func (h *Handlers) Use(m Middleware) {
	h.change(func(s *handlerSet) { s.middleware = append(slices.Clip(s.middleware), m) })
}

// OnRecovery sets the function that decides which rooms a client that was away gets back,
// instead of all.
func (h *Handlers) OnRecovery(f RecoveryFunc) { h.change(func(s *handlerSet) { s.recovery = f }) }

// OnSessionExpired adds a function that is called for each client that was away and will
// not be recovered any more.
func (h *Handlers) OnSessionExpired(f ExpiredFunc) {
	h.change(func(s *handlerSet) { s.expired = append(slices.Clip(s.expired), f) })
}

// OnConnect adds a function that is called for each new socket.
func (h *Handlers) OnConnect(f ConnectFunc) {
	h.change(func(s *handlerSet) { s.connect = append(slices.Clip(s.connect), f) })
}

// OnDisconnect adds a function that is called for each socket that has
// disconnected.
func (h *Handlers) OnDisconnect(f DisconnectFunc) {
	h.change(func(s *handlerSet) { s.disconnect = append(slices.Clip(s.disconnect), f) })
}

// UseEvent adds a middleware for events. It also runs before handlers of a
// single socket.
func (h *Handlers) UseEvent(m EventMiddleware) {
	h.change(func(s *handlerSet) { s.chain = append(slices.Clip(s.chain), m) })
}

// Handle sets the handler of an event; nil removes it. It panics if the event already
// has a handler, because a silent replacement would hide a conflict between two parts of
// a program; to replace a handler, remove it first. To handle all events, use UseEvent
// or OnAny. Handle also panics if the event name is reserved (connect, connect_error,
// disconnect, disconnecting, newListener, removeListener), because clients cannot send
// it. For connections and disconnects use OnConnect and OnDisconnect.
func (h *Handlers) Handle(event string, handler Handler) {
	mustHandle(event)
	h.change(func(s *handlerSet) {
		if handler != nil && s.events[event] != nil {
			panicHandled(event)
		}
		s.events = maps.Clone(s.events)
		if s.events == nil {
			s.events = make(map[string]Handler)
		}
		if s.events[event] = handler; handler == nil {
			delete(s.events, event)
		}
	})
}

// mustHandle panics for an event that clients cannot send: that is a mistake in
// the program, as an impossible pattern is for http.ServeMux.
func mustHandle(event string) {
	if packet.Reserved(event) {
		panic(fmt.Sprintf("socketio: Handle(%q): the event is reserved, clients cannot send it", event))
	}
}

// panicHandled is for an event that has a handler. It panics as http.ServeMux does
// for a pattern that is registered twice.
func panicHandled(event string) {
	panic(fmt.Sprintf("socketio: Handle(%q): the event has a handler; remove it first, with nil", event))
}

// OnAny adds a handler that is called for every event that UseEvent lets pass,
// before the event's own handler. It does not count as handling the event (see
// Hooks.Unhandled) unless it replies. remove removes it.
func (h *Handlers) OnAny(handler Handler) (remove func()) {
	var l *listed[Handler]
	h.change(func(s *handlerSet) { s.any, l = add(s.any, handler) })
	return func() { h.change(func(s *handlerSet) { s.any = without(s.any, l) }) }
}

// OnAnyOutgoing adds a function that is called for every event that this server
// sends to a socket, once for each recipient of a broadcast, which makes
// broadcasts to many sockets expensive. remove removes it.
func (h *Handlers) OnAnyOutgoing(f OutgoingFunc) (remove func()) {
	var l *listed[OutgoingFunc]
	h.change(func(s *handlerSet) { s.outgoing, l = add(s.outgoing, f) })
	return func() { h.change(func(s *handlerSet) { s.outgoing = without(s.outgoing, l) }) }
}

// HandleServerSide sets the handler of an event that other servers emit with
// [Namespace.ServerSideEmit]. It panics if Node's servers reserve the event
// (connect, connection, new_namespace).
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

// reservedServerSide reports whether Node's servers handle the event
// themselves.
func reservedServerSide(event string) bool {
	switch event {
	case "connect", "connection", "new_namespace":
		return true
	}
	return false
}

// OnError sets the function that decides what a client gets for the error of an
// event's handler; Hooks.HandlerError observes these errors. By default the client,
// if it waits for an acknowledgement, gets {"error": {"code", "message"}}: the fields
// of an [*Error], code "invalid" if the error wraps ErrDecode, "unavailable" if it wraps
// ErrUnavailable, and "internal" for any other error.
func (h *Handlers) OnError(f func(ctx context.Context, s *Socket, e *Event, err error)) {
	h.change(func(s *handlerSet) { s.onError = f })
}
