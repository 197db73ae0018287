package socketio

import "github.com/puente-io/puente/server/socketio/packet"

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

// receive puts the event of a packet into the inbox, see admit.
func (s *Socket) receive(p packet.Packet) {
	name, args, err := packet.Name(p.Data)
	if err != nil {
		return // cannot happen, the decoder has checked it
	}
	e := &Event{Name: name, socket: s, args: args, count: p.Arguments, attachments: p.Attachments, excess: p.Excess, id: p.ID, wantsAck: p.HasID}
	s.admit(e, sizeOf(&p))
}

// sizeOf returns the size in bytes that a packet counts for in an inbox.
func sizeOf(p *packet.Packet) int {
	size := eventBytes + len(p.Data)
	for _, a := range p.Attachments {
		size += len(a)
	}
	return size
}

// admit puts an event into the inbox. While the inbox is full it blocks, and with
// it the reading from the client.
func (s *Socket) admit(e *Event, size int) {
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
// because it may come after them. If the socket is disconnected, put drops the
// event and returns nil; a marker is still called.
func (s *Socket) put(e *Event, size int) (room chan struct{}, bytes bool) {
	opts, most := &s.client.server.opts, s.client.maxPendingBytes()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == disconnected {
		switch {
		case e.mark == nil:
		case s.ended:
			s.client.server.spawn(e.mark)
		default:
			s.inbox.events = append(s.inbox.events, e)
		}
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
