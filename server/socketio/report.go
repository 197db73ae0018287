package socketio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// Guard calls f and returns its error; if f panics, an error that wraps
// [ErrPanic] and has the stack. It is for functions of the program that run on
// a goroutine of a package.
func Guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v\n%s", ErrPanic, v, debug.Stack())
		}
	}()
	return f()
}

// failed reports an error of the program to Hooks.HandlerError. Without that
// hook it logs errors that would otherwise be lost: panics, replies that cannot
// be encoded, and errors of events without a client (s is nil).
func (srv *Server) failed(s *Socket, event string, err error) {
	if errors.Is(err, ErrPanic) {
		srv.panics.Add(1)
	}
	if srv.opts.Hooks.HandlerError != nil {
		srv.handlerError(s, event, err)
		return
	}
	if s == nil || errors.Is(err, ErrPanic) || errors.Is(err, ErrEncode) {
		logFailure(s, event, err)
	}
}

// Report passes an error that belongs to no client, such as one of [Guard], to
// Hooks.HandlerError with a nil socket, or logs it if that hook is nil.
func (srv *Server) Report(event string, err error) { srv.failed(nil, event, err) }

// failedInternally logs an error that the client gets as "internal", without
// its text, unless failed, called before, has reported it.
func (srv *Server) failedInternally(s *Socket, event string, err error) {
	seen := srv.opts.Hooks.HandlerError != nil || errors.Is(err, ErrPanic) || errors.Is(err, ErrEncode)
	gone := errors.Is(err, ErrDisconnected) || errors.Is(err, context.Canceled) && !s.Connected()
	if !seen && !gone { // after a disconnect there is no client to answer
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

// HandlerPanics returns how often a function of the program has panicked,
// functions that the engine calls included.
func (srv *Server) HandlerPanics() int64 { return srv.panics.Load() + srv.engine.HandlerPanics() }

// enginePanicked reports a panic that the engine has recovered and counted.
func (srv *Server) enginePanicked(err error) {
	err = fmt.Errorf("%w: %w", ErrPanic, err)
	if srv.opts.Hooks.HandlerError != nil {
		srv.handlerError(nil, "", err)
		return
	}
	logFailure(nil, "", err)
}
