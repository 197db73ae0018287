package socketio

import (
	"slices"
	"sync"

	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// ownHandlers are what a program has registered for one socket; few sockets have
// some.
type ownHandlers struct {
	mu       sync.Mutex
	events   map[string]ownHandler
	chain    []EventMiddleware // the slices are immutable
	any      []*listed[Handler]
	outgoing []*listed[OutgoingFunc]
}

type ownHandler struct {
	Handler
	once bool
}

// OutgoingFunc is called for an event that is sent to a socket. It is called on
// the sender's goroutine, before the event is queued or, if it is volatile and the
// client cannot take it, dropped. While it runs, the event is not sent, so it must
// not block. It is not called for acknowledgements, nor for what the client sends.
type OutgoingFunc func(s *Socket, event string, args Args)

// changeOwn calls f with the socket's own handlers, locked.
func (s *Socket) changeOwn(f func(*ownHandlers)) {
	own := s.own.Load()
	if own == nil {
		s.own.CompareAndSwap(nil, new(ownHandlers))
		own = s.own.Load()
	}
	own.mu.Lock()
	defer own.mu.Unlock()
	f(own)
}

// Handle sets this socket's handler of an event, which is called instead of the
// namespace's; nil removes it. It panics in the same cases as [Handlers.Handle].
func (s *Socket) Handle(event string, h Handler) { s.handle(event, ownHandler{Handler: h}) }

// Once is Handle for a handler that is removed before it is called.
func (s *Socket) Once(event string, h Handler) { s.handle(event, ownHandler{h, true}) }

func (s *Socket) handle(event string, h ownHandler) {
	mustHandle(event)
	s.changeOwn(func(own *ownHandlers) {
		if h.Handler == nil {
			delete(own.events, event)
			return
		}
		if _, has := own.events[event]; has {
			panicHandled(event)
		}
		if own.events == nil {
			own.events = make(map[string]ownHandler)
		}
		own.events[event] = h
	})
}

// UseEvent adds a middleware for this socket's events. It runs after that of
// [Handlers.UseEvent].
func (s *Socket) UseEvent(m EventMiddleware) {
	s.changeOwn(func(own *ownHandlers) { own.chain = append(slices.Clip(own.chain), m) })
}

// OnAny adds a handler that is called for every event of this socket, after those
// of [Handlers.OnAny] and before the event's own handler. remove removes it.
func (s *Socket) OnAny(h Handler) (remove func()) {
	var l *listed[Handler]
	s.changeOwn(func(own *ownHandlers) { own.any, l = add(own.any, h) })
	return func() { s.changeOwn(func(own *ownHandlers) { own.any = without(own.any, l) }) }
}

// OnAnyOutgoing adds a function that is called for every event that this server
// sends to the socket, broadcasts included. remove removes it.
func (s *Socket) OnAnyOutgoing(f OutgoingFunc) (remove func()) {
	s.ns.watchesOutgoing.Store(true)
	var l *listed[OutgoingFunc]
	s.changeOwn(func(own *ownHandlers) { own.outgoing, l = add(own.outgoing, f) })
	return func() { s.changeOwn(func(own *ownHandlers) { own.outgoing = without(own.outgoing, l) }) }
}

// ownHandler returns the socket's own handler of an event, or nil, and the
// handlers of all its events.
func (s *Socket) ownHandler(event string) (h Handler, all []*listed[Handler]) {
	own := s.own.Load()
	if own == nil {
		return nil, nil
	}
	own.mu.Lock()
	defer own.mu.Unlock()
	if o, ok := own.events[event]; ok {
		h = o.Handler
		if o.once {
			delete(own.events, event)
		}
	}
	return h, own.any
}

// ownChain returns the socket's own middleware.
func (s *Socket) ownChain() []EventMiddleware {
	own := s.own.Load()
	if own == nil {
		return nil
	}
	own.mu.Lock()
	defer own.mu.Unlock()
	return own.chain
}

// observesOutgoing reports whether a socket of the namespace may have an
// OutgoingFunc.
func (ns *Namespace) observesOutgoing() bool {
	return ns.watchesOutgoing.Load() || len(ns.Handlers.set.Load().outgoing) > 0
}

// sending calls the OutgoingFuncs for an event that is about to be queued to the
// socket. The caller holds no locks.
func (s *Socket) sending(p *packet.Packet) {
	if !s.ns.observesOutgoing() {
		return
	}
	list := s.ns.Handlers.set.Load().outgoing
	if own := s.own.Load(); own != nil {
		own.mu.Lock()
		list = append(slices.Clip(list), own.outgoing...)
		own.mu.Unlock()
	}
	if len(list) == 0 {
		return
	}
	event, text, err := packet.Name(p.Data)
	if err != nil {
		return // from another server; clients get it in any case
	}
	args := argsOf(adapter.Args{List: text, Attachments: p.Attachments})
	for _, l := range list {
		if err := Guard(func() error { l.f(s, event, args); return nil }); err != nil {
			s.client.server.failed(s, event, err)
		}
	}
}

// listed is an element of a list of functions; its address is its identity.
type listed[T any] struct{ f T }

// add returns a longer copy of the list, and its new element.
func add[T any](list []*listed[T], f T) ([]*listed[T], *listed[T]) {
	l := &listed[T]{f}
	return append(slices.Clip(list), l), l
}

// without returns a copy of the list without l.
func without[T any](list []*listed[T], l *listed[T]) []*listed[T] {
	return slices.DeleteFunc(slices.Clone(list), func(x *listed[T]) bool { return x == l })
}
