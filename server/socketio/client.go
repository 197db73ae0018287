package socketio

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio/packet"
)

// client is one session with its sockets, at most one a namespace. It is the
// session's handler.
type client struct {
	server  *Server
	session *engineio.Session

	// Owned by the goroutine that reads.
	decoder packet.Decoder
	touched *Socket // has events that nobody works on yet

	awaited   atomic.Int64           // acknowledgements, by all of its sockets
	stopped   atomic.Pointer[Socket] // whose inbox is full, while that stops the reading
	anonymous atomic.Bool            // and there is a bound for those

	mu          sync.Mutex
	sockets     []*Socket     // connected, or being decided about
	joined      int           // how many of them are connected
	known       int           // how many of them are not anonymous
	strange     int64         // see Socket.AnonymousSince: nanoseconds since 1970, 0 if known
	held        int           // bytes of undecided CONNECTs and of a packet that lacks attachments
	partial     int           // those of the packet
	left        []string      // namespaces that the server has disconnected
	refusals    Refusals      // of CONNECTs
	decided     chan struct{} // where not nil: closed when a socket was decided about or has left
	idle        *time.Timer   // ends the session; runs while no socket is connected
	attachments *time.Timer   // ends the session; runs while attachments are awaited
	closed      bool
}

var (
	errConnectTimeout    = errors.New("socketio: no namespace joined in time")
	errAttachmentTimeout = errors.New("socketio: attachments did not come in time")
	errInvalidState      = errors.New("socketio: packet out of place")
)

// errNamespaces refuses a CONNECT beyond MaxNamespaces.
var errNamespaces = &ConnectError{Message: "Too many namespaces"}

func (srv *Server) newClient(s *engineio.Session) *client {
	c := &client{server: srv, session: s}
	c.decoder.MaxAttachments, c.decoder.MaxAttachmentBytes = srv.opts.MaxAttachments, srv.opts.MaxAttachmentBytes
	c.decoder.MaxArguments, c.decoder.MaxDepth = srv.opts.MaxArguments, srv.opts.MaxDepth
	c.idle = c.closeAfter(srv.opts.ConnectTimeout, errConnectTimeout)
	c.bound()
	return c
}

// closeAfter closes the session after d, with err, unless the timer is stopped.
func (c *client) closeAfter(d time.Duration, err error) *time.Timer {
	return time.AfterFunc(d, func() { c.session.CloseWithReason(engineio.ReasonForcedClose, err) })
}

// stop stops a timer of the client's and forgets it. c.mu is held.
func stop(t **time.Timer) {
	if *t != nil {
		(*t).Stop()
		*t = nil
	}
}

// awaitAttachments starts the timer for the attachments of a packet, and
// haveAttachments stops it.
func (c *client) awaitAttachments(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.partial = bytes
	c.hold(bytes)
	if !c.closed {
		c.attachments = c.closeAfter(c.server.opts.AttachmentTimeout, errAttachmentTimeout)
	}
}

func (c *client) haveAttachment(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.partial += bytes
	c.hold(bytes)
}

func (c *client) haveAttachments() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hold(-c.partial)
	c.partial = 0
	stop(&c.attachments)
}

// HandleMessage implements engineio.Handler.
func (c *client) HandleMessage(_ *engineio.Session, data []byte, binary bool) {
	decode := c.decoder.Text
	if binary {
		decode = c.decoder.Binary
	}
	waiting := c.decoder.Pending()
	p, complete, err := decode(data)
	switch {
	case err != nil:
		c.fail(err)
	case complete:
		if waiting {
			c.haveAttachments()
		}
		if p.Excess != nil {
			c.server.limits.refused(p.Excess)
		}
		c.handle(p)
	case !waiting: // its first attachment has not come yet
		if c.connected() == nil {
			c.fail(errInvalidState)
			return
		}
		c.awaitAttachments(len(data))
	default:
		c.haveAttachment(len(data))
	}
}

// HandleReadEnd implements engineio.Handler.
func (c *client) HandleReadEnd(*engineio.Session) engineio.Task {
	s := c.touched
	if s == nil {
		return nil
	}
	c.touched = nil
	if !s.claim() {
		return nil
	}
	return dispatch{s}
}

// HandleClose implements engineio.Handler.
func (c *client) HandleClose(s *engineio.Session, reason engineio.Reason, err error) {
	c.mu.Lock()
	c.closed = true
	sockets := c.sockets
	c.sockets, c.left = nil, nil
	c.decide()
	stop(&c.idle)
	stop(&c.attachments)
	c.mu.Unlock()
	for _, s := range sockets {
		s.close(Reason(reason))
	}
	c.server.limits.ended(err)
	if f := c.server.opts.Hooks.SessionClosed; f != nil {
		f(s, reason, err)
	}
}

// fail closes the session of a client that broke the protocol.
func (c *client) fail(err error) {
	if !c.session.Open() {
		return
	}
	if f := c.server.opts.Hooks.PacketError; f != nil {
		f(c.session, err)
	}
	c.session.CloseWithReason(engineio.ReasonParseError, err)
}

// connected returns one of the client's connected sockets, or nil.
func (c *client) connected() *Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sockets {
		if s.Connected() {
			return s
		}
	}
	return nil
}

// find returns the socket of a namespace and its state, disconnected where
// there is none. stale tells that the server has disconnected the namespace,
// and the client may not know it yet.
func (c *client) find(namespace string) (s *Socket, is socketState, stale bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sockets {
		if s.nsName == namespace {
			s.mu.Lock()
			is = s.state
			s.mu.Unlock()
			// One that has just been disconnected is about to be removed.
			return s, is, is == disconnected
		}
	}
	return nil, disconnected, slices.Contains(c.left, namespace)
}

func (c *client) handle(p packet.Packet) {
	s, is, stale := c.find(p.Namespace)
	switch {
	case p.Type == packet.Connect && s == nil:
		c.connect(p)
	case p.Type == packet.Connect, p.Type == packet.ConnectError:
		c.fail(errInvalidState)
	case stale:
		// Node closes the connection of a client that spoke before it read
		// that it was disconnected; we do not.
	case is != connected:
		c.fail(errInvalidState)
	case p.Type == packet.Event:
		c.event(s, p)
	case p.Type == packet.Ack:
		s.acknowledged(p)
	case p.Type == packet.Disconnect:
		c.remove(s, false)
		s.close(ReasonClientDisconnect)
	}
}

func (c *client) event(s *Socket, p packet.Packet) {
	if len(p.Data) == 0 {
		return // an event without a name, which Node lets pass
	}
	if c.touched != s && c.touched != nil {
		c.touched.work()
	}
	c.touched = s
	s.receive(p)
}

// connect adds a socket for a CONNECT packet. What comes beyond MaxNamespaces is
// refused. While as many are connected or being decided about, the reading from
// the client stops, so that what is refused does not depend on how long the
// decisions take.
func (c *client) connect(p packet.Packet) {
	// Of a client that takes no answers no more questions are read.
	c.session.AwaitQueue()
	s := newSocket(c, p)
	if p.Excess != nil {
		s.refuse(c.server.tooDeepConnect())
		return
	}
	most := c.server.opts.MaxNamespaces
	for {
		c.mu.Lock()
		switch {
		case c.closed:
			c.mu.Unlock()
			return
		case c.joined >= most:
			c.mu.Unlock()
			c.server.limits.namespaces.Add(1)
			s.refuse(errNamespaces)
			return
		case len(c.sockets) < most:
			c.sockets = append(c.sockets, s)
			c.hold(s.held)
			c.left = slices.DeleteFunc(c.left, func(name string) bool { return name == s.nsName })
			c.mu.Unlock()
			s.begin()
			return
		}
		if c.decided == nil {
			c.decided = make(chan struct{})
		}
		decided := c.decided
		c.mu.Unlock()
		<-decided
	}
}

// decide lets connect look again. c.mu is held.
func (c *client) decide() {
	if c.decided != nil {
		close(c.decided)
		c.decided = nil
	}
}

// join counts a socket that has been connected, and stops the clock that runs
// while the client has none.
func (c *client) join(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.sockets, s) {
		return // removed already
	}
	s.joined = true
	c.joined++
	c.hold(-s.held)
	s.held = 0
	if !s.ns.anonymous.Load() {
		c.setKnown(s, true)
	} else if c.known == 0 && c.strange == 0 {
		c.strange = time.Now().UnixNano()
	}
	c.decide()
	stop(&c.idle)
}

// remove forgets a socket; byServer says that packets may still come for it.
// With the last connected one the clock starts again. A socket that was refused
// does not touch it: it is running then, or another socket is connected.
func (c *client) remove(s *Socket, byServer bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sockets = slices.DeleteFunc(c.sockets, func(o *Socket) bool { return o == s })
	c.decide()
	c.hold(-s.held)
	s.held = 0
	if s.joined {
		s.joined = false
		if c.joined--; c.joined == 0 && !c.closed {
			c.idle = c.closeAfter(c.server.opts.ConnectTimeout, errConnectTimeout)
		}
	}
	c.setKnown(s, false)
	if byServer && !slices.Contains(c.left, s.nsName) && len(c.left) < c.server.opts.MaxNamespaces {
		c.left = append(c.left, s.nsName)
	}
}

// closeUnused closes the session if the client uses no namespace and waits for
// the answer of none. What is queued, such as DISCONNECT, is sent before.
func (c *client) closeUnused() {
	c.mu.Lock()
	unused := len(c.sockets) == 0
	c.mu.Unlock()
	if unused {
		c.session.CloseWithReason(engineio.ReasonForcedClose, nil)
	}
}

// disconnect disconnects all sockets and then the session.
func (c *client) disconnect() {
	c.mu.Lock()
	sockets := slices.Clone(c.sockets)
	c.mu.Unlock()
	for _, s := range sockets {
		s.disconnect()
	}
	c.session.CloseWithReason(engineio.ReasonForcedClose, nil)
}
