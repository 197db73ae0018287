package realtime

import (
	"errors"
	"fmt"

	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/socketio"
)

// Code tells a program what kind of error an [Error] is.
type Code string

// The codes.
const (
	CodeUnauthenticated Code = "unauthenticated" // who are you?
	CodeUnauthorized    Code = "unauthorized"    // you may not
	CodeInvalid         Code = "invalid"         // the argument is not what it must be
	CodeRateLimited     Code = "rate_limited"    // too much at once
	CodeUnavailable     Code = "unavailable"     // the cluster does not keep up; try again
	CodeInternal        Code = "internal"        // our fault
)

// Error is an error as a client reads it.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	// Reason says why, if the code alone does not. For a token that was refused it is a
	// code of [auth.Code], or user_mismatch for the token of another user than the
	// socket's; for an update that was refused, not_a_member.
	Reason string `json:"reason,omitzero"`
}

func (e *Error) Error() string {
	text := "realtime: " + string(e.Code) + ": " + e.Message
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	return text
}

// Is reports whether e is the target with a reason beside it, so that [ErrUnauthorized]
// stands for all its reasons.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Reason == "" && t.Code == e.Code && t.Message == e.Message
}

// Errors of this package.
var (
	// ErrUnauthenticated: the socket has no user.
	ErrUnauthenticated = &Error{Code: CodeUnauthenticated, Message: "Unauthorized"}
	// ErrUnauthorized: the policy does not allow it.
	ErrUnauthorized = &Error{Code: CodeUnauthorized, Message: "Unauthorized"}
	// ErrNotMember: the user is not in the room that it publishes to. It is
	// ErrUnauthorized with the reason.
	ErrNotMember = &Error{Code: CodeUnauthorized, Message: "Unauthorized", Reason: "not_a_member"}
	// ErrRateLimited: the limit of events is used up.
	ErrRateLimited = &Error{Code: CodeRateLimited, Message: "Rate limit exceeded"}
	// ErrTooManySockets: the user has as many sockets as one may have.
	ErrTooManySockets = &Error{Code: CodeRateLimited, Message: "Too many connections of this user"}
	// ErrUnavailable: the cluster did not take the message in time. The
	// recipients on this node have it.
	ErrUnavailable = &Error{Code: CodeUnavailable, Message: "Service unavailable"}
	// ErrInternal stands for whatever a client need not know.
	ErrInternal = &Error{Code: CodeInternal, Message: "Internal error"}
)

// authenticationFailed is the error of a token that was refused.
func authenticationFailed(reason string) *Error {
	return &Error{Code: CodeUnauthenticated, Message: "Authentication failed", Reason: reason}
}

// reasonUserMismatch is the reason of a token that is valid, and of another user
// than the socket's.
const reasonUserMismatch = "user_mismatch"

// Invalid is the error of a field that is not what is allowed.
func Invalid(field, allowed string) *Error {
	return &Error{Code: CodeInvalid, Message: field + " must be " + allowed}
}

// tooManyRooms is the error of a socket that is in as many rooms as it may be.
func tooManyRooms(most int) *Error {
	return &Error{Code: CodeInvalid, Message: fmt.Sprintf("a socket may be in %d rooms at most", most)}
}

// Public returns what a client may read of an error.
func Public(err error) *Error {
	var e *Error
	var se *socketio.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &se):
		return &Error{Code: Code(se.Code), Message: se.Message}
	case errors.Is(err, socketio.ErrDecode):
		return Invalid("argument", "what the event takes")
	case errors.Is(err, socketio.ErrUnavailable), errors.Is(err, auth.ErrUnavailable):
		return ErrUnavailable
	}
	return ErrInternal
}
