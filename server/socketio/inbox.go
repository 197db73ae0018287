package socketio

import (
	"context"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio/packet"
)

// inbox holds the events of a socket that wait for its handlers. Socket.mu
// guards it.
type inbox struct {
	events []*Event
	bytes  int
	room   chan struct{} // closed when a full inbox has been taken
}

// release lets a reader go on that waits for room.
func (b *inbox) release() {
	if b.room != nil {
		close(b.room)
		b.room = nil
	}
}

// eventBytes is what an event counts in the inbox beside its data, so that many
// small ones are bounded too.
const eventBytes = 64

// receive puts an event into the inbox. While that is full it blocks, and with
// it the reading from the client.
func (s *Socket) receive(p packet.Packet) {
	name, args, err := packet.Name(p.Data)
	if err != nil {
		return // the decoder has checked it
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
	// First, so that whoever begins to wait for an acknowledgement sees it, or is
	// seen by put.
	c.stopped.Store(s)
	defer c.stopped.Store(nil)
	for {
		room, bytes := s.put(e, size)
		switch {
		case room == nil:
			return
		case bytes && c.awaited.Load() > 0:
			c.giveUp(ErrBacklog)
		default:
			s.work()
			<-room
		}
	}
}

// put puts an event into the inbox, or returns what is closed when that may have
// room; bytes says that it is too large, not too long. How long it is does not
// count while the client's acknowledgement is awaited, which may come behind the
// events. It returns nil on a socket that is disconnected, too.
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

// work makes sure that a goroutine works on what there is to do.
func (s *Socket) work() {
	if s.claim() {
		s.client.server.spawn(s.dispatch)
	}
}

// claim reports whether there is something to do that nobody works on. The
// caller must see to it that dispatch is run then.
func (s *Socket) claim() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	claimed := !s.working && s.pending()
	s.working = s.working || claimed
	return claimed
}

// dispatch is the work on a socket, as the engine runs it.
type dispatch struct{ socket *Socket }

// Run implements engineio.Task.
func (d dispatch) Run() { d.socket.dispatch() }

// pending reports whether there is something to do. Socket.mu is held.
func (s *Socket) pending() bool {
	return len(s.inbox.events) > 0 || s.state == disconnected && !s.told
}

// dispatch runs the handlers of what is in the inbox, and at the end those of
// the disconnect.
func (s *Socket) dispatch() {
	for {
		s.mu.Lock()
		events := s.inbox.events
		s.inbox.events, s.inbox.bytes = nil, 0
		s.inbox.release()
		if len(events) == 0 {
			gone := s.state == disconnected && !s.told
			s.told = s.told || gone
			s.working = gone // there is nothing after the disconnect handlers
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

// serve runs the handlers of one event. last tells that no other event waits,
// so that the reply may as well be written here.
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
	if err != nil { // of the handler, or of a result that cannot be encoded
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

// chain runs the middleware of events, and behind it the handlers.
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

// disconnected runs the handlers of the disconnect.
func (s *Socket) disconnected() {
	defer s.client.server.release(s.ns)
	for _, f := range s.ns.Handlers.set.Load().disconnect {
		if err := Guard(func() error { f(s, s.reason); return nil }); err != nil {
			s.client.server.failed(s, "", err)
		}
	}
}

// replyError is the default of [Handlers.OnError].
func replyError(_ context.Context, s *Socket, e *Event, err error) {
	public := publicError(err)
	if public == errInternal {
		s.client.server.failedInternally(s, e.Name, err)
	}
	e.Reply(map[string]*Error{"error": public})
}
