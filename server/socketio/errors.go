package socketio

import (
	"errors"
	"fmt"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// Errors of this package.
var (
	// ErrDisconnected: the socket is no longer connected, or not yet.
	ErrDisconnected = errors.New("socketio: socket is not connected")
	// ErrReserved: the event has a meaning of its own and cannot be sent.
	ErrReserved = errors.New("socketio: reserved event name")
	// ErrEncode: an argument cannot be encoded; wrapped with the cause.
	ErrEncode = errors.New("socketio: argument cannot be encoded")
	// ErrDecode: an argument is not what the handler takes; wrapped with the
	// cause.
	ErrDecode = errors.New("socketio: argument cannot be decoded")
	// ErrAttachments: a packet has more attachments than Options.MaxAttachments,
	// counted at each place that names one, or more bytes of them than a client
	// may send; wrapped with the number.
	ErrAttachments = errors.New("socketio: too many attachments")
	// ErrArguments: a packet has more arguments than Options.MaxArguments, or one
	// that is nested more deeply than Options.MaxDepth.
	ErrArguments = errors.New("socketio: too many arguments, or too deep ones")
	// ErrReplied: the event has been replied to.
	ErrReplied = errors.New("socketio: event has been replied to")
	// ErrPanic: a handler panicked; wrapped with the value and the stack.
	ErrPanic = errors.New("socketio: handler panicked")
	// ErrUnavailable: the cluster did not take a message in time; this
	// server's sockets have it.
	ErrUnavailable = adapter.ErrUnavailable
	// ErrAway: the cluster is away, and did not get a message; this server's
	// sockets have it.
	ErrAway = adapter.ErrAway
	// ErrBacklog: the client has sent so many events while its acknowledgement was
	// awaited that no more of what it sends is read.
	ErrBacklog = errors.New("socketio: too many events before the acknowledgement")
	// ErrTimeout: not all answers came in time.
	ErrTimeout = adapter.ErrTimeout
	// ErrClosed: the server is closed.
	ErrClosed = adapter.ErrClosed
)

// ConnectError is an error of a middleware with data for the client: it reads
// both in the error of its connect_error event. Of any other error it reads the
// text.
type ConnectError struct {
	Message string
	// Data, where not nil, is encoded as JSON.
	Data any
}

func (e *ConnectError) Error() string { return "socketio: connection refused: " + e.Message }

// Error is an error of a handler that the client may read.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return fmt.Sprintf("socketio: %s: %s", e.Code, e.Message) }
