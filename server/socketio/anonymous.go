package socketio

import (
	"slices"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio/packet"
)

// StartAnonymous makes new sockets of the namespace anonymous until the program calls
// [Socket.SetAnonymous](false). A client is anonymous while it has no socket, or only
// anonymous ones; Options.MaxAnonymousBytes bounds what the server keeps of it.
func (ns *Namespace) StartAnonymous() { ns.anonymous.Store(true) }

// SetAnonymous sets whether the socket is anonymous; a program calls
// SetAnonymous(false) when the client has authenticated, for instance. A
// middleware may call it before the socket is connected. The client is
// anonymous if all of its sockets are.
func (s *Socket) SetAnonymous(on bool) {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.sockets, s) {
		c.setKnown(s, !on)
	}
}

// AnonymousSince returns when the client became anonymous, counted from its
// first connected socket, or zero if it is not. Leaving the namespace and
// joining again does not change it.
func (s *Socket) AnonymousSince() time.Time {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.anonymousSince == 0 {
		return time.Time{}
	}
	return time.Unix(0, c.anonymousSince)
}

// setKnown sets whether a socket is known, that is, not anonymous. c.mu is
// held.
func (c *client) setKnown(s *Socket, known bool) {
	if s.known == known {
		return
	}
	s.known = known
	if known {
		c.known++
		c.anonymousSince = 0
	} else if c.known--; c.known == 0 && c.joined > 0 {
		c.anonymousSince = time.Now().UnixNano()
	}
	c.bound()
}

// hold counts bytes that the server keeps of incomplete packets and pending
// CONNECTs. c.mu is held.
func (c *client) hold(bytes int) {
	c.held += bytes
	c.bound()
}

// bound sets the engine's limit of the next message to what an anonymous client
// may still send. c.mu is held.
func (c *client) bound() {
	most := c.server.opts.MaxAnonymousBytes
	if most == 0 {
		return
	}
	anonymous := c.known == 0
	c.anonymous.Store(anonymous)
	if !anonymous {
		c.session.SetMaxMessageBytes(0)
		return
	}
	c.session.SetMaxMessageBytes(max(most-c.held, 1))
}

// admits reports whether the server may keep a packet: one of a client that is anonymous
// is bounded like its message, which may have been up to six times as short if it was
// MessagePack or a query.
func (c *client) admits(p *packet.Packet) bool {
	if !c.anonymous.Load() {
		return true
	}
	size := len(p.Namespace) + len(p.Data)
	for _, a := range p.Attachments {
		size += len(a)
	}
	if size <= c.session.MaxMessageBytes() {
		return true
	}
	c.HandleLargeMessage(c.session)
	return size <= c.session.MaxMessageBytes()
}

// maxPendingBytes returns the limit of the inbox of each of the client's
// sockets.
func (c *client) maxPendingBytes() int {
	most := c.server.opts.MaxPendingBytes
	if c.anonymous.Load() {
		most = min(most, c.server.opts.MaxAnonymousBytes)
	}
	return most
}

// maxUnread returns how many bytes of answers may be queued before the client is
// not read any more; 0: the engine's limit.
func (c *client) maxUnread() int {
	if c.anonymous.Load() {
		return c.server.opts.MaxAnonymousBytes
	}
	return 0
}

// HandleLargeMessage implements engineio.LargeMessageHandler. It waits until
// the client's earlier packets are handled, which may end its anonymity, but
// not while a handler waits for the client.
func (c *client) HandleLargeMessage(*engineio.Session) {
	c.mu.Lock()
	sockets := slices.Clone(c.sockets)
	c.mu.Unlock()
	for _, s := range sockets {
		if c.awaited.Load() > 0 {
			return
		}
		s.settle()
	}
}

// settle waits until the events in the inbox are handled or the socket has
// ended.
func (s *Socket) settle() {
	handled := make(chan struct{})
	s.mu.Lock()
	if s.state == disconnected {
		s.mu.Unlock()
		return
	}
	s.inbox.events = append(s.inbox.events, &Event{mark: func() { close(handled) }})
	s.mu.Unlock()
	s.work()
	select {
	case <-handled:
	case <-s.ctx.Done():
	}
}
