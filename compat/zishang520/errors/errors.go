// Package errors has the error type of package engine, by the names of
// github.com/zishang520/engine.io/v2/errors.
package errors

// Error is an error with a message for the other side and a cause for this one.
type Error struct {
	Message     string
	Description error
	Type        string
}

// New returns an error with a message and no cause.
func New(message string) *Error { return &Error{Message: message} }

// NewTransportError returns an error of a connection.
func NewTransportError(reason string, cause error) *Error {
	return &Error{Message: reason, Description: cause, Type: "TransportError"}
}

// Err returns e as an error.
func (e *Error) Err() error { return e }

func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Description }
