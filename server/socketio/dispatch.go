package socketio

import (
	"context"
	"slices"

	"github.com/puente-io/puente/server/engineio"
)

// work starts dispatch if there is work and no goroutine is doing it.
func (s *Socket) work() {
	if s.claim() {
		s.client.server.spawn(s.dispatch)
	}
}

// claim reports whether there is work and no goroutine is doing it. If it
// returns true the caller must run dispatch.
func (s *Socket) claim() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	claimed := !s.working && s.pending()
	s.working = s.working || claimed
	return claimed
}

// dispatch is the engineio.Task that runs Socket.dispatch.
type dispatch struct{ socket *Socket }

// Run implements engineio.Task.
func (d dispatch) Run() { d.socket.dispatch() }

// pending reports whether there is work: events, or a disconnect. s.mu is held.
func (s *Socket) pending() bool {
	return len(s.inbox.events) > 0 || s.state == disconnected && !s.ended
}

// dispatch runs the handlers of queued events, and the disconnect handlers at
// the end.
func (s *Socket) dispatch() {
	for {
		s.mu.Lock()
		events := s.inbox.events
		s.inbox.events, s.inbox.bytes = nil, 0
		s.inbox.release()
		if len(events) == 0 {
			gone := s.state == disconnected && !s.ended
			s.ended = s.ended || gone
			s.working = gone // no work follows the disconnect handlers
			s.mu.Unlock()
			if gone {
				s.disconnected()
			}
			return
		}
		s.mu.Unlock()
		for i, e := range events {
			if events[i] = nil; i > 0 && e.mark == nil && s.dismissed() {
				continue
			}
			s.serve(e, i == len(events)-1)
		}
	}
}

// serve runs the handlers of one event. last says that no other event waits, so
// the reply may be written on this goroutine.
func (s *Socket) serve(e *Event, last bool) {
	if e.mark != nil {
		e.mark()
		return
	}
	set := s.ns.Handlers.set.Load()
	chain := set.chain
	if own := s.ownChain(); own != nil {
		chain = append(slices.Clip(chain), own...)
	}
	err := Guard(func() error { return s.chain(set, chain, e) })
	var fs []engineio.Frame
	if err == nil && e.hasResult {
		fs, err = e.replyFrames(e.result)
		e.result = nil
		if err == ErrReplied || err == ErrDisconnected {
			return
		}
	}
	if err != nil { // of the handler, or from encoding its result
		srv, cause := s.client.server, err
		srv.failed(s, e.Name, cause)
		if err := Guard(func() error { set.onError(&s.ctx, s, e, cause); return nil }); err != nil {
			srv.failed(s, "", err)
		}
		return
	}
	if fs == nil {
		return
	}
	if last {
		s.client.session.SendNow(fs...)
		return
	}
	s.client.session.Send(fs...)
}

// chain runs the event middleware and then the handlers.
func (s *Socket) chain(set *handlerSet, rest []EventMiddleware, e *Event) error {
	if len(rest) > 0 {
		return rest[0](&s.ctx, s, e, func() error { return s.chain(set, rest[1:], e) })
	}
	if e.excess != nil {
		return s.client.server.refusal(e.excess)
	}
	h, ownAny := s.ownHandler(e.Name)
	for _, list := range [...][]*listed[Handler]{set.any, ownAny} {
		for _, l := range list {
			if err := l.f.ServeEvent(&s.ctx, s, e); err != nil {
				return err
			}
		}
	}
	if h == nil {
		h = set.events[e.Name]
	}
	if h == nil {
		if f := s.client.server.opts.Hooks.Unhandled; f != nil && !e.replied.Load() && !e.hasResult {
			s.client.server.observe(func() { f(s, e.Name) })
		}
		return nil
	}
	return h.ServeEvent(&s.ctx, s, e)
}

// disconnected runs the disconnect handlers.
func (s *Socket) disconnected() {
	defer s.client.server.release(s.ns)
	if s.rec != nil {
		defer close(s.rec.handled)
	}
	ctx := s.lastContext()
	for _, f := range s.ns.Handlers.set.Load().disconnect {
		if err := Guard(func() error { f(ctx, s, s.reason); return nil }); err != nil {
			s.client.server.failed(s, "", err)
		}
	}
}

// replyError is the default function of [Handlers.OnError].
func replyError(_ context.Context, s *Socket, e *Event, err error) {
	public := publicError(err)
	if public == errInternal {
		s.client.server.failedInternally(s, e.Name, err)
	}
	e.Reply(map[string]*Error{"error": public})
}
