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

// client is the engineio.Handler of one session. It has at most one socket per
// namespace.
type client struct {
	server  *Server
	session *engineio.Session

	// Used only by the goroutine that reads from the session.
	decoder packet.Decoder
	touched *Socket // has new events, and no goroutine to handle them yet

	parser

	awaited   atomic.Int64           // number of acknowledgements that its sockets wait for
	stopped   atomic.Pointer[Socket] // the socket whose full inbox stops the reading, or nil
	anonymous atomic.Bool            // and MaxAnonymousBytes is set

	mu             sync.Mutex
	sockets        []*Socket     // connected or pending
	joined         int           // number of connected sockets
	known          int           // number of sockets that are not anonymous
	anonymousSince int64         // see Socket.AnonymousSince: nanoseconds since 1970, 0 if known
	held           int           // bytes of pending CONNECTs and of an incomplete packet
	partial        int           // bytes of the incomplete packet
	left           []string      // namespaces that the server disconnected
	refusals       Refusals      // of CONNECTs
	decided        chan struct{} // if not nil: closed when a CONNECT has been decided or a socket removed
	idle           *time.Timer   // closes the session; runs while no socket is connected
	attachments    *time.Timer   // closes the session; runs while attachments are missing
	closed         bool
}

var (
	errConnectTimeout    = errors.New("socketio: no namespace joined in time")
	errAttachmentTimeout = errors.New("socketio: attachments not received in time")
	errInvalidState      = errors.New("socketio: unexpected packet")
	errAnonymous         = errors.New("socketio: packet of an anonymous client is too large")
)

// errNamespaces refuses a CONNECT beyond MaxNamespaces.
var errNamespaces = &ConnectError{Message: "Too many namespaces"}

func (srv *Server) newClient(s *engineio.Session) *client {
	c := &client{server: srv, session: s}
	c.decoder.MaxAttachments, c.decoder.MaxAttachmentBytes = srv.opts.MaxAttachments, srv.opts.MaxAttachmentBytes
	c.decoder.MaxArguments, c.decoder.MaxDepth = srv.opts.MaxArguments, srv.opts.MaxDepth
	c.idle = c.closeAfter(srv.opts.ConnectTimeout, errConnectTimeout)
	c.bound()
	if s.Protocol() == 3 {
		c.parserKnown = true // text: MessagePack is for protocol 4
		c.connectRoot()
	}
	return c
}

// closeAfter closes the session with err after d, unless the timer is stopped.
func (c *client) closeAfter(d time.Duration, err error) *time.Timer {
	return time.AfterFunc(d, func() { c.session.CloseWithReason(engineio.ReasonForcedClose, err) })
}

// stop stops a timer and sets it to nil. c.mu is held.
func stop(t **time.Timer) {
	if *t != nil {
		(*t).Stop()
		*t = nil
	}
}

// awaitAttachments starts the timer for the attachments of a packet;
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
	if !c.parserKnown {
		c.chooseParser(data, binary)
	}
	if c.msgpack {
		c.unpack(data, binary)
		return
	}
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
		c.received(p)
	case !waiting: // the packet has attachments
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
func (c *client) HandleClose(_ *engineio.Session, reason engineio.Reason, err error) {
	c.mu.Lock()
	c.closed = true
	c.countMsgpack(-1)
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
}

// fail closes the session of a client that violated the protocol.
func (c *client) fail(err error) {
	if !c.session.Open() {
		return
	}
	if f := c.server.opts.Hooks.PacketError; f != nil {
		c.server.observe(func() { f(c.session, err) })
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

// find returns the socket of a namespace and its state; nil and disconnected if
// there is none. stale reports that the server disconnected the namespace,
// which the client may not know yet.
func (c *client) find(namespace string) (s *Socket, is socketState, stale bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sockets {
		if s.nsName == namespace {
			s.mu.Lock()
			is = s.state
			s.mu.Unlock()
			// A disconnected one is about to be removed.
			return s, is, is == disconnected
		}
	}
	return nil, disconnected, slices.Contains(c.left, namespace)
}

// received handles a complete packet.
func (c *client) received(p packet.Packet) {
	if p.Excess != nil {
		c.server.limits.refused(p.Excess)
	}
	c.handle(p)
}

func (c *client) handle(p packet.Packet) {
	if c.session.Protocol() == 3 {
		splitNamespace(&p)
	}
	if !c.admits(&p) {
		c.fail(errAnonymous)
		return
	}
	s, is, stale := c.find(p.Namespace)
	switch {
	case p.Type == packet.Connect && s == nil:
		c.connect(p)
	case p.Type == packet.Connect, p.Type == packet.ConnectError:
		c.fail(errInvalidState)
	case stale:
		// The client sent the packet before it read DISCONNECT. Node closes its
		// connection; we ignore the packet.
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
		return // an event without a name; Node ignores it too
	}
	if c.touched != s && c.touched != nil {
		c.touched.work()
	}
	c.touched = s
	s.receive(p)
}

// connect handles a CONNECT packet. Above MaxNamespaces connected sockets it
// refuses. While that many are connected or pending, it blocks, and with it the
// reading from the client, so that what is refused does not depend on how long
// decisions take.
func (c *client) connect(p packet.Packet) {
	// Read no more requests from a client that does not read the answers: a refusal
	// repeats the namespace, which may be as large as a message.
	c.session.AwaitQueue(c.maxUnread())
	s := newSocket(c, p)
	if p.Excess != nil {
		s.refuse(c.server.refusedConnect(p.Excess))
		return
	}
	c.admit(s)
}

// admit is connect for a socket whose CONNECT is well-formed.
func (c *client) admit(s *Socket) {
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

// decide wakes connect. c.mu is held.
func (c *client) decide() {
	if c.decided != nil {
		close(c.decided)
		c.decided = nil
	}
}

// join counts a connected socket and stops the idle timer.
func (c *client) join(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.sockets, s) {
		return // already removed
	}
	s.joined = true
	c.joined++
	c.hold(-s.held)
	s.held = 0
	if !s.ns.anonymous.Load() {
		c.setKnown(s, true)
	} else if c.known == 0 && c.anonymousSince == 0 {
		c.anonymousSince = time.Now().UnixNano()
	}
	c.decide()
	stop(&c.idle)
}

// remove removes a socket; byServer says that the client may still send packets
// for it. After the last connected one the idle timer starts. A refused socket
// does not affect the timer: either it is running, or another socket is
// connected.
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

// closeUnused closes the session if the client has no connected or pending
// socket. Queued packets, such as DISCONNECT, are sent first.
func (c *client) closeUnused() {
	c.mu.Lock()
	unused := len(c.sockets) == 0
	c.mu.Unlock()
	if unused {
		c.session.CloseWithReason(engineio.ReasonForcedClose, nil)
	}
}

// disconnect disconnects all sockets and then closes the session.
func (c *client) disconnect() {
	c.mu.Lock()
	sockets := slices.Clone(c.sockets)
	c.mu.Unlock()
	for _, s := range sockets {
		s.disconnect()
	}
	c.session.CloseWithReason(engineio.ReasonForcedClose, nil)
}

// knows reports whether a socket is not anonymous.
func (c *client) knows(s *Socket) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return s.known
}
