package engineio

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// Errors of this package.
var (
	// ErrClosed is returned if the session or the server is closed.
	ErrClosed = errors.New("engineio: closed")
	// ErrAddressLimit is the cause of a handshake refused because its address has
	// reached a limit.
	ErrAddressLimit = errors.New("engineio: limit of an address reached")
	// ErrSlowConsumer is returned by a send that finds more than MaxBacklogBytes
	// queued.
	ErrSlowConsumer = errors.New("engineio: client reads too slowly")
	// ErrOrigin is the cause of a [HandshakeError] of a request that
	// [Options.CheckOrigin] refused.
	ErrOrigin = errors.New("engineio: origin not allowed")
	// ErrPanic: a method of a [Handler], or the accept function of [New], panicked. It is
	// wrapped with the value and the stack.
	ErrPanic = errors.New("engineio: handler panicked")

	errHijack      = errors.New("engineio: HTTP connection cannot be hijacked")
	errOverlap     = errors.New("engineio: overlapping polls or POSTs")
	errPollGone    = errors.New("engineio: poll closed prematurely")
	errBody        = errors.New("engineio: body incomplete")
	errDirection   = errors.New("engineio: ping or pong from the wrong side")
	errContentType = errors.New("engineio: binary body in protocol 4")
	errTooLarge    = errors.New("engineio: body too large")
)

// ErrorCode is the code of a refused request, which the client gets.
type ErrorCode int

// The codes of Node's server; the protocol document does not number them.
const (
	CodeUnknownTransport    ErrorCode = 0
	CodeUnknownSID          ErrorCode = 1
	CodeBadHandshakeMethod  ErrorCode = 2
	CodeBadRequest          ErrorCode = 3
	CodeForbidden           ErrorCode = 4
	CodeUnsupportedProtocol ErrorCode = 5
)

var codeMessages = [...]string{
	CodeUnknownTransport:    "Transport unknown",
	CodeUnknownSID:          "Session ID unknown",
	CodeBadHandshakeMethod:  "Bad handshake method",
	CodeBadRequest:          "Bad request",
	CodeForbidden:           "Forbidden",
	CodeUnsupportedProtocol: "Unsupported protocol version",
}

// HandshakeError describes a request that was refused before it reached a session.
type HandshakeError struct {
	Code ErrorCode
	// Message is the text that the client gets.
	Message string
	// Cause, if not nil, is the reason of the refusal; the client does not get it.
	Cause error

	status int // of the HTTP answer; 0: that of the code
}

func (e *HandshakeError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("engineio: %s: %v", e.Message, e.Cause)
	}
	return "engineio: " + e.Message
}

// Unwrap returns the cause.
func (e *HandshakeError) Unwrap() error { return e.Cause }

// Refusal is an error of [Options.AllowRequest] whose text the client gets.
type Refusal struct{ Message string }

func (r *Refusal) Error() string { return "engineio: refused: " + r.Message }

func refuse(code ErrorCode, cause error) *HandshakeError {
	e := &HandshakeError{Code: code, Message: codeMessages[code], Cause: cause}
	var r *Refusal
	if errors.As(cause, &r) && r.Message != "" {
		e.Message = r.Message
	}
	return e
}

// overloaded returns the error of a handshake that a limit refuses.
func overloaded(status int, message string, cause error) *HandshakeError {
	return &HandshakeError{Code: CodeForbidden, Message: message, Cause: cause, status: status}
}

// writeError answers a refused request as Node does: with JSON for an HTTP request, with
// the bare message for a WebSocket handshake.
func writeError(w http.ResponseWriter, e *HandshakeError, upgrade bool) {
	status := http.StatusBadRequest
	switch {
	case e.status != 0:
		status = e.status
	case e.Code == CodeForbidden && !upgrade:
		status = http.StatusForbidden
	}
	body := []byte(e.Message)
	contentType := "text/html"
	if upgrade {
		w.Header().Set("Connection", "close")
	} else {
		contentType = "application/json"
		body = fmt.Appendf(nil, `{"code":%d,"message":%s}`, e.Code, quoteJSON(e.Message))
	}
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}
