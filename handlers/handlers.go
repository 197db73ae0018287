// Package handlers connects the documented events to package realtime.
// handlers/README.md describes each event with its argument, its reply and its errors.
//
// An event takes one argument (ping none). A client that passes a callback gets the
// reply as the acknowledgement; other clients get it as the reply event. The reply
// events authenticated and pong are sent in both cases. Errors are reported as the
// acknowledgement {success: false, error: {code, message, reason?}}, or, without a
// callback, as the event error with the message and {code, message, reason?, event}.
package handlers

import (
	"context"
	"sync"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// Register sets the handlers of the documented events in the service's namespace,
// and its error handler, which answers the errors of all events.
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

// replyEvent is the event that carries the reply to clients that pass no callback, or
// to all.
type replyEvent struct {
	name   string
	always bool // even to clients that get an acknowledgement
}

func reply(name string) replyEvent  { return replyEvent{name: name} }
func always(name string) replyEvent { return replyEvent{name: name, always: true} }

// handle registers a function that takes the event's argument and returns the reply.
func handle[Out any](ns *socketio.Namespace, event string, r replyEvent, f func(ctx context.Context, s *socketio.Socket, arg socketio.Value) (Out, error)) {
	ns.Handle(event, socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		out, err := f(ctx, s, e.Arg(0))
		if err != nil {
			return err
		}
		e.Return(out)
		if e.WantsAck() && !r.always {
			return nil
		}
		if err := s.Emit(ctx, r.name, out); err != nil && s.Connected() {
			return err
		}
		return nil
	}))
}

// handleThen is handle for a function that calls answer once, possibly after it has
// returned. An error that comes after the handler has returned does not reach the
// namespace's error handler, so fail answers it.
func handleThen[Out any](
	ns *socketio.Namespace, event string, r replyEvent,
	f func(ctx context.Context, s *socketio.Socket, arg socketio.Value, answer func(Out, error)),
	fail func(context.Context, *socketio.Socket, *socketio.Event, error),
) {
	ns.Handle(event, socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		reply := &asyncReply[Out]{event: r, fail: fail, socket: s, e: e}
		f(ctx, s, e.Arg(0), reply.answer)
		return reply.finish()
	}))
}

// asyncReply sends a reply that becomes available before or after the handler
// returns.
type asyncReply[Out any] struct {
	event  replyEvent
	fail   func(context.Context, *socketio.Socket, *socketio.Event, error)
	socket *socketio.Socket
	e      *socketio.Event

	mu              sync.Mutex
	handlerReturned bool
	done            bool // out and err are set
	out             Out
	err             error
}

// answer sets the reply. It sends the reply itself if the handler has returned.
func (r *asyncReply[Out]) answer(out Out, err error) {
	r.mu.Lock()
	r.out, r.err, r.done = out, err, true
	returned := r.handlerReturned
	r.mu.Unlock()
	switch {
	case !returned: // finish replies
	case err != nil:
		r.fail(context.Background(), r.socket, r.e, err)
	case r.e.WantsAck():
		r.e.Reply(out)
	default:
		r.socket.Emit(r.socket.Context(), r.event.name, out)
	}
}

// finish sends the reply if it is available. The handler must return its result.
func (r *asyncReply[Out]) finish() error {
	r.mu.Lock()
	r.handlerReturned = true
	done, out, err := r.done, r.out, r.err
	r.mu.Unlock()
	switch {
	case !done:
		return nil
	case err != nil:
		return err
	}
	r.e.Return(out)
	if r.e.WantsAck() {
		return nil
	}
	if err := r.socket.Emit(r.socket.Context(), r.event.name, out); err != nil && r.socket.Connected() {
		return err
	}
	return nil
}

// answerError returns an error handler that reports errors to clients in their public
// form and passes the full error to Hooks.EventFailed.
func answerError(svc *realtime.Service) func(context.Context, *socketio.Socket, *socketio.Event, error) {
	return func(ctx context.Context, s *socketio.Socket, e *socketio.Event, err error) {
		svc.Failed(s, e.Name, err)
		public := *realtime.Public(err)
		if e.WantsAck() {
			e.Reply(realtime.Failure{Error: public})
			return
		}
		s.Emit(ctx, "error", public.Message, realtime.EventError{Error: public, Event: e.Name})
	}
}
