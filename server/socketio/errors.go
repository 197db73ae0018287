package socketio

import (
	"errors"
	"fmt"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// Errors of this package.
var (
	// ErrDisconnected: the socket is not connected any more, or not yet.
	ErrDisconnected = errors.New("socketio: socket is not connected")
	// ErrReserved: the event name is reserved and cannot be sent.
	ErrReserved = errors.New("socketio: reserved event name")
	// ErrEncode: an argument cannot be encoded; wrapped with the cause.
	ErrEncode = errors.New("socketio: argument cannot be encoded")
	// ErrDecode: an argument does not have the type that the handler expects;
	// wrapped with the cause.
	ErrDecode = errors.New("socketio: argument cannot be decoded")
	// ErrAttachments: a packet has more attachments than
	// Options.MaxAttachments, or a client's has more bytes than
	// Options.MaxAttachmentBytes, counted once per placeholder; wrapped with
	// the number.
	ErrAttachments = errors.New("socketio: too many attachments")
	// ErrArguments: a packet has more arguments than Options.MaxArguments, or
	// one that is nested more deeply than Options.MaxDepth.
	ErrArguments = errors.New("socketio: too many arguments, or nested too deeply")
	// ErrReplied: the event has been acknowledged already.
	ErrReplied = errors.New("socketio: event has been replied to")
	// ErrPanic: a handler panicked; wrapped with the value and the stack.
	ErrPanic = errors.New("socketio: handler panicked")
	// ErrUnavailable: the cluster did not accept a message in time. This
	// server's sockets got it.
	ErrUnavailable = adapter.ErrUnavailable
	// ErrAway: the cluster is disconnected and the message was not sent to it.
	// This server's sockets got it. It is an ErrUnavailable.
	ErrAway = adapter.ErrAway
	// ErrBacklog: while the server waited for an acknowledgement, the client
	// sent so many events that reading from it stopped.
	ErrBacklog = errors.New("socketio: too many events before the acknowledgement")
	// ErrTimeout: some answers did not come in time.
	ErrTimeout = adapter.ErrTimeout
	// ErrClosed: the server is closed.
	ErrClosed = adapter.ErrClosed
)

// errNoOperator is the error of an Operator or SocketOperator that was not made
// by a Namespace or a Socket.
var errNoOperator = errors.New("socketio: operator without a namespace or socket, the zero value")

// ConnectError is an error of a middleware with data for the client, which gets
// both in its connect_error event. If a middleware returns another error, the client
// gets only its text. A client of protocol 3 gets the Data or, if that is nil, the Message.
type ConnectError struct {
	Message string
	// Data, if not nil, is encoded as JSON.
	Data any
}

func (e *ConnectError) Error() string { return "socketio: connection refused: " + e.Message }

// Error is an error of a handler that is sent to the client.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return fmt.Sprintf("socketio: %s: %s", e.Code, e.Message) }

// publicError returns the part of an error that the client gets.
func publicError(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, ErrDecode):
		return &Error{Code: "invalid", Message: "invalid argument"}
	case errors.Is(err, ErrUnavailable):
		return &Error{Code: "unavailable", Message: "not accepted by the cluster"}
	}
	return errInternal
}

// errInternal replaces errors that the client must not see.
var errInternal = &Error{Code: "internal", Message: "internal error"}
