package socket

import (
	"github.com/puente-io/puente/compat/zishang520/events"
	"github.com/puente-io/puente/compat/zishang520/types"
)

type (
	// Room is the name of a room.
	Room string
	// SocketId is the id of a socket, which is also the name of a room that only this
	// socket is in.
	SocketId string
	// Ack gets the arguments of an acknowledgement, or an error if none came in time. As
	// the last argument of a listener it acknowledges the event, once; the error is
	// ignored then.
	Ack = func([]any, error)
	// SocketMiddleware is called for each event of a socket, with its name and arguments.
	// Without a call of next the event is dropped; an error goes to the listeners of
	// "error".
	SocketMiddleware = func(event []any, next func(error))
	// NamespaceMiddleware decides whether a socket may connect; it calls next, once, on
	// any goroutine. Until then the client waits.
	NamespaceMiddleware = func(client *Socket, next func(*ExtendedError))
	// ParentNspNameMatchFn decides whether a client may connect to a namespace; it gets
	// the name and what the client sent with CONNECT, and calls next.
	ParentNspNameMatchFn *func(name string, auth any, next func(error, bool))
)

// ExtendedError refuses a connection: the client gets the message and the data.
type ExtendedError struct {
	message string
	data    any
}

// NewExtendedError returns an error with data, which may be nil.
func NewExtendedError(message string, data any) *ExtendedError {
	return &ExtendedError{message: message, data: data}
}

// Err returns e as an error.
func (e *ExtendedError) Err() error { return e }

// Data returns the data.
func (e *ExtendedError) Data() any { return e.data }

// Error returns the message.
func (e *ExtendedError) Error() string { return e.message }

// StrictEventEmitter is an events.EventEmitter whose events are named by strings.
type StrictEventEmitter struct{ events.EventEmitter }

// NewStrictEventEmitter returns an emitter without listeners.
func NewStrictEventEmitter() *StrictEventEmitter {
	return &StrictEventEmitter{EventEmitter: types.NewEventEmitter()}
}

// On adds listeners of an event. The error is always nil.
func (s *StrictEventEmitter) On(event string, listeners ...events.Listener) error {
	return s.EventEmitter.On(events.EventName(event), listeners...)
}

// Once adds listeners that are called once at most. The error is always nil.
func (s *StrictEventEmitter) Once(event string, listeners ...events.Listener) error {
	return s.EventEmitter.Once(events.EventName(event), listeners...)
}

// Emit calls the listeners of an event.
func (s *StrictEventEmitter) Emit(event string, args ...any) {
	s.EventEmitter.Emit(events.EventName(event), args...)
}

// EmitReserved calls the listeners of an event.
func (s *StrictEventEmitter) EmitReserved(event string, args ...any) { s.Emit(event, args...) }

// EmitUntyped calls the listeners of an event.
func (s *StrictEventEmitter) EmitUntyped(event string, args ...any) { s.Emit(event, args...) }

// Listeners returns the listeners of an event.
func (s *StrictEventEmitter) Listeners(event string) []events.Listener {
	return s.EventEmitter.Listeners(events.EventName(event))
}
