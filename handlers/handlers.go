// Package handlers binds the documented events to the service: one file for
// each event, with what the client sends and what it gets.
//
// Every event takes one argument. A client that passes a callback gets the
// answer there; one that passes none gets it as the reply event. An error
// answers in the same two ways: {success: false, error: {code, message}} to the
// callback, or the event error with the message and {code, event, message}.
package handlers

import (
	"context"
	"sync"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// Register sets the handlers of the documented events in the service's
// namespace, and what is done about errors of all its events.
func Register(svc *realtime.Service) {
	ns := svc.Namespace()
	//        event                   reply event             handler
	handle(ns, "authenticate", always("authenticated"), authenticate(svc))
	ns.Handle("join-room", joinRoom(svc, reply("room-joined")))
	handle(ns, "leave-room", reply("room-left"), leaveRoom(svc))
	handleThen(ns, "publish-notification", reply("notification-sent"), publishNotification(svc), answerError(svc))
	handleThen(ns, "publish-update", reply("update-published"), publishUpdate(svc), answerError(svc))
	handle(ns, "ping", always("pong"), ping)
	ns.OnError(answerError(svc))
}

// replyEvent is the event that carries the answer to a client that passed no
// callback, or to every client.
type replyEvent struct {
	name string
	also bool // beside the acknowledgement
}

func reply(name string) replyEvent  { return replyEvent{name: name} }
func always(name string) replyEvent { return replyEvent{name: name, also: true} }

// handle registers a function that takes the event's argument and returns the
// answer.
func handle[Out any](ns *socketio.Namespace, event string, r replyEvent, f func(ctx context.Context, s *socketio.Socket, arg socketio.Value) (Out, error)) {
	ns.Handle(event, socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		out, err := f(ctx, s, e.Arg(0))
		if err != nil {
			return err
		}
		e.Return(out)
		if e.WantsAck() && !r.also {
			return nil
		}
		if err := s.Emit(r.name, out); err != nil && s.Connected() {
			return err
		}
		return nil
	}))
}

// handleThen is handle for a function that calls answer, once, when it has an
// answer, possibly after it has returned. Behind the handler an error does not go
// through the namespace any more, so fail answers it.
func handleThen[Out any](
	ns *socketio.Namespace, event string, r replyEvent,
	f func(ctx context.Context, s *socketio.Socket, arg socketio.Value, answer func(Out, error)),
	fail func(context.Context, *socketio.Socket, *socketio.Event, error),
) {
	ns.Handle(event, socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		t := &later[Out]{event: r, fail: fail, socket: s, e: e}
		f(ctx, s, e.Arg(0), t.answer)
		return t.returned()
	}))
}

// later is an answer that comes before or after its handler returns.
type later[Out any] struct {
	event  replyEvent
	fail   func(context.Context, *socketio.Socket, *socketio.Event, error)
	socket *socketio.Socket
	e      *socketio.Event

	mu   sync.Mutex
	back bool // the handler has returned
	done bool
	out  Out
	err  error
}

func (t *later[Out]) answer(out Out, err error) {
	t.mu.Lock()
	t.out, t.err, t.done = out, err, true
	back := t.back
	t.mu.Unlock()
	switch {
	case !back: // the handler answers
	case err != nil:
		t.fail(context.Background(), t.socket, t.e, err)
	case t.e.WantsAck():
		t.e.Reply(out)
	default:
		t.socket.Emit(t.event.name, out)
	}
}

// returned is for the handler's goroutine, when the function has returned.
func (t *later[Out]) returned() error {
	t.mu.Lock()
	t.back = true
	done, out, err := t.done, t.out, t.err
	t.mu.Unlock()
	switch {
	case !done:
		return nil
	case err != nil:
		return err
	}
	t.e.Return(out)
	if t.e.WantsAck() {
		return nil
	}
	if err := t.socket.Emit(t.event.name, out); err != nil && t.socket.Connected() {
		return err
	}
	return nil
}

// answerError answers an event that ended with an error. The error itself is
// for the audit.
func answerError(svc *realtime.Service) func(context.Context, *socketio.Socket, *socketio.Event, error) {
	return func(_ context.Context, s *socketio.Socket, e *socketio.Event, err error) {
		svc.Failed(s, e.Name, err)
		public := *realtime.Public(err)
		if e.WantsAck() {
			e.Reply(realtime.Failure{Error: public})
			return
		}
		s.Emit("error", public.Message, realtime.EventError{Error: public, Event: e.Name})
	}
}
