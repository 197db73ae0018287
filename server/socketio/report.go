package socketio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// Guard calls f and returns its error, or one that wraps [ErrPanic] and has the
// stack if f panics: for functions of a program that run on goroutines of others.
func Guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v\n%s", ErrPanic, v, debug.Stack())
		}
	}()
	return f()
}

// failed reports an error of the program's to Hooks.HandlerError. Without that
// hook it logs what nobody else would learn of: panics, replies that cannot be
// encoded, and errors of events that have no client (s is nil).
func (srv *Server) failed(s *Socket, event string, err error) {
	if f := srv.opts.Hooks.HandlerError; f != nil {
		f(s, event, err)
		return
	}
	if s == nil || errors.Is(err, ErrPanic) || errors.Is(err, ErrEncode) {
		logFailure(s, event, err)
	}
}

// Report is for errors, such as those of [Guard], that belong to no client and
// that nobody else is given: they go to Hooks.HandlerError, without a socket, or to
// the log.
func (srv *Server) Report(event string, err error) { srv.failed(nil, event, err) }

// failedInternally reports an error that the client reads as an internal one, so
// that its text is seen by somebody. failed has been called before.
func (srv *Server) failedInternally(s *Socket, event string, err error) {
	seen := srv.opts.Hooks.HandlerError != nil || errors.Is(err, ErrPanic) || errors.Is(err, ErrEncode)
	gone := errors.Is(err, ErrDisconnected) || errors.Is(err, context.Canceled) && !s.Connected()
	if !seen && !gone { // nobody reads the answer of a client that has gone
		logFailure(s, event, err)
	}
}

func logFailure(s *Socket, event string, err error) {
	var attrs []any
	if s != nil {
		attrs = append(attrs, "namespace", s.nsName, "socket", s.id)
	}
	if event != "" {
		attrs = append(attrs, "event", event)
	}
	slog.Error("socketio: handler failed", append(attrs, "error", err)...)
}
