package socketio

import (
	"context"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio/packet"
)

// inbox queues the events of a socket for its handlers. Socket.mu guards it.
type inbox struct {
	events []*Event
	bytes  int
	room   chan struct{} // if not nil: closed when a full inbox has room
}

// release wakes a reader that waits for room.
func (b *inbox) release() {
	if b.room != nil {
		close(b.room)
		b.room = nil
	}
}

// eventBytes is what each event counts in addition to its data, so that many
// small ones are bounded too.
const eventBytes = 64

// receive puts an event into the inbox. While the inbox is full it blocks, and
// with it the reading from the client.
func (s *Socket) receive(p packet.Packet) {
	name, args, err := packet.Name(p.Data)
	if err != nil {
		return // cannot happen, the decoder has checked it
	}
	e := &Event{Name: name, socket: s, args: args, count: p.Arguments, attachments: p.Attachments, excess: p.Excess, id: p.ID, wantsAck: p.HasID}
	size := eventBytes + len(p.Data)
	for _, a := range p.Attachments {
		size += len(a)
	}
	room, _ := s.put(e, size)
	if room == nil {
		return
	}
	c := s.client
	// Set before put, so that a concurrent awaitAck sees stopped, or put sees its
	// count.
	c.stopped.Store(s)
	defer c.stopped.Store(nil)
	for {
		room, bytes := s.put(e, size)
		switch {
		case room == nil:
			return
		case bytes && c.awaited.Load() > 0:
			c.failAcks(ErrBacklog)
		default:
			s.work()
			<-room
		}
	}
}

// put puts an event into the inbox, or returns a channel that is closed when
// there may be room; bytes reports that MaxPendingBytes is the reason. While an
// acknowledgement of the client is awaited the number of events does not count,
// because it may come behind them. If the socket is disconnected, put drops the
// event and returns nil.
func (s *Socket) put(e *Event, size int) (room chan struct{}, bytes bool) {
	opts, most := &s.client.server.opts, s.client.maxPendingBytes()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == disconnected {
		return nil, false
	}
	bytes = s.inbox.bytes > most
	if !bytes && (len(s.inbox.events) < opts.MaxPendingEvents || s.client.awaited.Load() > 0) {
		s.inbox.events = append(s.inbox.events, e)
		s.inbox.bytes += size
		return nil, false
	}
	if s.inbox.room == nil {
		s.inbox.room = make(chan struct{})
		s.client.server.limits.pending.Add(1)
	}
	return s.inbox.room, bytes
}

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
			if i > 0 && s.dismissed() {
				break
			}
			events[i] = nil
			s.serve(e, i == len(events)-1)
		}
	}
}

// serve runs the handlers of one event. last says that no other event waits, so
// the reply may be written on this goroutine.
func (s *Socket) serve(e *Event, last bool) {
	if e.handled != nil {
		close(e.handled)
		return
	}
	set := s.ns.Handlers.set.Load()
	err := Guard(func() error { return s.chain(set, set.chain, e) })
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
	for _, h := range set.any {
		if err := h.ServeEvent(&s.ctx, s, e); err != nil {
			return err
		}
	}
	h := set.events[e.Name]
	s.mu.Lock()
	if own := s.handlers[e.Name]; own != nil {
		h = own
	}
	s.mu.Unlock()
	if h == nil {
		if f := s.client.server.opts.Hooks.Unhandled; f != nil && !e.replied.Load() && !e.hasResult {
			f(s, e.Name)
		}
		return nil
	}
	return h.ServeEvent(&s.ctx, s, e)
}

// disconnected runs the disconnect handlers.
func (s *Socket) disconnected() {
	defer s.client.server.release(s.ns)
	for _, f := range s.ns.Handlers.set.Load().disconnect {
		if err := Guard(func() error { f(s, s.reason); return nil }); err != nil {
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
