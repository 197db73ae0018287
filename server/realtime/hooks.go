package realtime

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/socketio"
)

// Hooks are functions that observe the service, as [socketio.Hooks] observe the
// server. They are called on the goroutine of the event and must return soon. A nil
// hook is not called. A panic is recovered, counted as an error and reported to the
// server; it changes nothing for the socket.
type Hooks struct {
	// Connected and Disconnected: a socket connected, and disconnected after some
	// time. user is zero if the socket had none.
	Connected    func(s *socketio.Socket)
	Disconnected func(s *socketio.Socket, user ident.ID, reason socketio.Reason, after time.Duration)
	// Authenticated: a socket has been registered to a user.
	Authenticated func(s *socketio.Socket, user ident.ID)
	// Refused: a token was refused, or a socket beyond MaxSocketsPerUser. code is the
	// code that the client gets: one of [auth.Code], user_mismatch, or a [Code].
	Refused func(s *socketio.Socket, code string, err error)
	// Expired: a socket is disconnected because it did not authenticate in time
	// (user is zero), or because its token expired.
	Expired func(s *socketio.Socket, user ident.ID)
	// Undelivered: a user's clients that were away have not come back in time. The
	// notifications that were answered with Pending are lost; their number is the second
	// argument.
	Undelivered func(user ident.ID, notifications int)
	// EventFailed: an event ended with an error; the client gets [Public](err). event
	// is empty if the client sent something other than an event. Default: if the
	// client gets ErrInternal, the error is logged with slog.Default at level Error.
	EventFailed func(s *socketio.Socket, event string, err error)
}

func (svc *Service) onConnected(s *socketio.Socket) {
	if f := svc.opts.Hooks.Connected; f != nil {
		svc.guard(func() { f(s) })
	}
}

func (svc *Service) onDisconnected(s *socketio.Socket, user ident.ID, reason socketio.Reason, after time.Duration) {
	if f := svc.opts.Hooks.Disconnected; f != nil {
		svc.guard(func() { f(s, user, reason, after) })
	}
}

func (svc *Service) onAuthenticated(s *socketio.Socket, user ident.ID) {
	if f := svc.opts.Hooks.Authenticated; f != nil {
		svc.guard(func() { f(s, user) })
	}
}

func (svc *Service) onRefused(s *socketio.Socket, code string, err error) {
	if f := svc.opts.Hooks.Refused; f != nil {
		svc.guard(func() { f(s, code, err) })
	}
}

func (svc *Service) onExpired(s *socketio.Socket, user ident.ID) {
	if f := svc.opts.Hooks.Expired; f != nil {
		svc.guard(func() { f(s, user) })
	}
}

// Failed counts an event that ended with an error, and calls Hooks.EventFailed. event is
// empty if the client sent something other than an event.
func (svc *Service) Failed(s *socketio.Socket, event string, err error) {
	svc.counters.errors.Add(1)
	if f := svc.opts.Hooks.EventFailed; f != nil {
		svc.guard(func() { f(s, event, err) })
		return
	}
	// The client gets only "Internal error", so the text is logged here; package
	// socketio logs panics and results that cannot be encoded.
	logged := errors.Is(err, socketio.ErrPanic) || errors.Is(err, socketio.ErrEncode) || errors.Is(err, socketio.ErrDisconnected) ||
		errors.Is(err, context.Canceled) && !s.Connected()
	if Public(err) == ErrInternal && !logged {
		slog.Error("realtime: event failed", "socket", s.ID(), "event", event, "error", err)
	}
}

// guard calls f outside of an event. It recovers a panic, counts it as an error and
// reports it to the server.
func (svc *Service) guard(f func()) {
	if err := socketio.Guard(func() error { f(); return nil }); err != nil {
		svc.counters.errors.Add(1)
		svc.ns.Server().Report("", err)
	}
}
