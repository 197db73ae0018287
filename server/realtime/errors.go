package realtime

import (
	"errors"
	"fmt"

	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/socketio"
)

// Code is the kind of an [Error].
type Code string

// The codes.
const (
	CodeUnauthenticated Code = "unauthenticated" // the socket has no user, or the token was refused
	CodeUnauthorized    Code = "unauthorized"    // not allowed
	CodeInvalid         Code = "invalid"         // malformed argument
	CodeRateLimited     Code = "rate_limited"    // limit reached
	CodeUnavailable     Code = "unavailable"     // see ErrUnavailable; the client may retry
	CodeInternal        Code = "internal"        // fault of the server
)

// Error is an error as a client gets it.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	// Reason gives detail that the code lacks. For a refused token it is a code of
	// [auth.Code], or user_mismatch if the socket has another user; for what the
	// [DefaultPolicy] refuses it is not_a_member, room_not_allowed or admin_only.
	Reason string `json:"reason,omitzero"`
}

func (e *Error) Error() string {
	text := "realtime: " + string(e.Code) + ": " + e.Message
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	return text
}

// Is reports whether e is target with a reason added, so that [ErrUnauthorized]
// matches whatever the reason is.
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
	// ErrNotMember, ErrRoomNotAllowed and ErrAdminOnly match ErrUnauthorized under
	// errors.Is and add a reason: the user is not in the room that it publishes to, its
	// token does not permit the room, or it lacks the role admin.
	ErrNotMember      = &Error{Code: CodeUnauthorized, Message: "Unauthorized", Reason: "not_a_member"}
	ErrRoomNotAllowed = &Error{Code: CodeUnauthorized, Message: "Unauthorized", Reason: "room_not_allowed"}
	ErrAdminOnly      = &Error{Code: CodeUnauthorized, Message: "Unauthorized", Reason: "admin_only"}
	// ErrRateLimited: the user or socket has reached its limit of events.
	ErrRateLimited = &Error{Code: CodeRateLimited, Message: "Rate limit exceeded"}
	// ErrTooManySockets: the user has [Options.MaxSocketsPerUser] sockets already.
	ErrTooManySockets = &Error{Code: CodeRateLimited, Message: "Too many connections for this user"}
	// ErrUnavailable: the cluster did not take a message in time. The recipients on
	// this node have it, and a retry reaches them twice. From [Service.Authenticate]: the
	// keys could not be fetched.
	ErrUnavailable = &Error{Code: CodeUnavailable, Message: "Service unavailable"}
	// ErrInternal replaces errors whose text clients must not see.
	ErrInternal = &Error{Code: CodeInternal, Message: "Internal error"}
)

// authenticationFailed returns the error for a refused token.
func authenticationFailed(reason string) *Error {
	return &Error{Code: CodeUnauthenticated, Message: "Authentication failed", Reason: reason}
}

// reasonUserMismatch is the reason for a valid token of another user than the
// socket's.
const reasonUserMismatch = "user_mismatch"

// Invalid returns the error "<field> must be <allowed>".
func Invalid(field, allowed string) *Error {
	return &Error{Code: CodeInvalid, Message: field + " must be " + allowed}
}

// tooManyRooms returns the error for a join beyond MaxRoomsPerSocket.
func tooManyRooms(most int) *Error {
	return &Error{Code: CodeInvalid, Message: fmt.Sprintf("a socket may be in %d rooms at most", most)}
}

// Public converts an error to what a client may read; it returns ErrInternal for
// errors that it does not know.
func Public(err error) *Error {
	var e *Error
	var se *socketio.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &se):
		return &Error{Code: Code(se.Code), Message: se.Message}
	case errors.Is(err, socketio.ErrDecode):
		return Invalid("argument", "of the type that the event expects")
	case errors.Is(err, socketio.ErrUnavailable), errors.Is(err, auth.ErrUnavailable):
		return ErrUnavailable
	}
	return ErrInternal
}
