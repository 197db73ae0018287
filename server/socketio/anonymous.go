package socketio

import (
	"slices"
	"time"

	"github.com/puente-io/puente/server/engineio"
)

// A client is anonymous until one of its sockets is known: connected to a
// namespace, or, if the namespace has StartAnonymous, declared known by the
// program. What the server keeps of an anonymous client is bounded by
// Options.MaxAnonymousBytes.

// StartAnonymous makes the namespace's sockets anonymous until
// [Socket.SetAnonymous] says otherwise.
func (ns *Namespace) StartAnonymous() { ns.anonymous.Store(true) }

// SetAnonymous says whether it is known who is at the socket's other end, for
// instance because it has shown a token. A middleware may call it, for a socket
// that is still to be connected. The client as a whole is anonymous if all of its
// sockets are.
func (s *Socket) SetAnonymous(on bool) {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.sockets, s) {
		c.setKnown(s, !on)
	}
}

// AnonymousSince is when the client's first socket was connected since the client
// has been anonymous, or zero if it is not: leaving and joining again does not
// change it.
func (s *Socket) AnonymousSince() time.Time {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.strange == 0 {
		return time.Time{}
	}
	return time.Unix(0, c.strange)
}

// setKnown notes whether a socket is known. c.mu is held.
func (c *client) setKnown(s *Socket, known bool) {
	if s.known == known {
		return
	}
	s.known = known
	if known {
		c.known++
		c.strange = 0
	} else if c.known--; c.known == 0 && c.joined > 0 {
		c.strange = time.Now().UnixNano()
	}
	c.bound()
}

// hold counts bytes that the server keeps of the client until they are complete
// or decided about. c.mu is held.
func (c *client) hold(bytes int) {
	c.held += bytes
	c.bound()
}

// bound bounds the next message by what is left for an anonymous client. c.mu is
// held.
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

// maxPendingBytes bounds the inbox of each of the client's sockets.
func (c *client) maxPendingBytes() int {
	most := c.server.opts.MaxPendingBytes
	if c.anonymous.Load() {
		most = min(most, c.server.opts.MaxAnonymousBytes)
	}
	return most
}

// HandleLargeMessage implements engineio.LargeMessageHandler: it waits until what
// the client has sent before is decided about and handled, which may make it
// known. It does not wait for a handler that itself waits for the client.
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

// settle waits until the events in the inbox have been handled, or the socket has
// ended.
func (s *Socket) settle() {
	handled := make(chan struct{})
	s.mu.Lock()
	if s.state == disconnected {
		s.mu.Unlock()
		return
	}
	s.inbox.events = append(s.inbox.events, &Event{handled: handled})
	s.mu.Unlock()
	s.work()
	select {
	case <-handled:
	case <-s.ctx.Done():
	}
}
