package engineio

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
)

// Hooks are functions that observe a server and change nothing. A nil hook is not
// called. A hook is called on the goroutine of what it observes, without locks, by
// several goroutines at a time, and must not block. A panic is recovered, counted by
// [Server.HandlerPanics] and passed to HandlerPanic.
type Hooks struct {
	// SessionOpened: a session has begun; its handler is made next. One call of
	// SessionClosed follows.
	SessionOpened func(s *Session)
	// SessionUpgraded: the session has moved from polling to a WebSocket.
	SessionUpgraded func(s *Session)
	// SessionClosed: the session has ended, and its handler knows it. err, if not nil,
	// adds to the reason.
	SessionClosed func(s *Session, reason Reason, err error)
	// Refused: a request was refused before it reached a session.
	Refused func(r *http.Request, err *HandshakeError)
	// HandlerPanic: a method of a session's [Handler], the accept function of [New], or
	// another hook has panicked. err wraps [ErrPanic] and has the stack; s is nil for
	// Refused, Options.Context and Options.NewID. Default: the error is logged with
	// slog.Default at level Error.
	HandlerPanic func(s *Session, err error)
}

// observe calls a hook.
func (srv *Server) observe(s *Session, hook func()) {
	defer func() {
		if v := recover(); v != nil {
			srv.panicked(s, v)
		}
	}()
	hook()
}

func (srv *Server) sessionOpened(s *Session) {
	if f := srv.opts.Hooks.SessionOpened; f != nil {
		srv.observe(s, func() { f(s) })
	}
}

func (srv *Server) sessionUpgraded(s *Session) {
	if f := srv.opts.Hooks.SessionUpgraded; f != nil {
		srv.observe(s, func() { f(s) })
	}
}

func (srv *Server) sessionClosed(s *Session, e ending) {
	if f := srv.opts.Hooks.SessionClosed; f != nil {
		srv.observe(s, func() { f(s, e.reason, e.err) })
	}
}

func (srv *Server) refused(r *http.Request, err *HandshakeError) {
	if f := srv.opts.Hooks.Refused; f != nil {
		srv.observe(nil, func() { f(r, err) })
	}
}

// panicked counts a recovered panic and passes it to HandlerPanic, or logs it. It
// returns the error.
func (srv *Server) panicked(s *Session, v any) error {
	err := fmt.Errorf("%w: %v\n%s", ErrPanic, v, debug.Stack())
	srv.panics.Add(1)
	id := ""
	if s != nil {
		id = s.id
	}
	f := srv.opts.Hooks.HandlerPanic
	if f == nil {
		slog.Error("engineio: handler panicked", "session", id, "error", err)
		return err
	}
	defer func() {
		if v := recover(); v != nil {
			slog.Error("engineio: HandlerPanic panicked", "session", id, "error", err, "panic", v)
		}
	}()
	f(s, err)
	return err
}
