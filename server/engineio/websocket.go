package engineio

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/puente-io/puente/server/engineio/internal/netpoll"
	"github.com/puente-io/puente/server/engineio/internal/wsframe"
	"github.com/puente-io/puente/server/engineio/packet"
)

// websocketConn is the WebSocket transport of one session. Its link reads; the goroutine
// that flushes the session writes.
type websocketConn struct {
	session *Session
	link    link
	socket  netpoll.Conn // the link, if it is the poller's

	state atomic.Uint32 // a connState; only on changes it, under Session.mu

	// Owned by the goroutine that reads.
	reader    wsframe.Reader
	discarded int // bytes that came when nothing was listened to any more
	ignored   int // bytes of messages that came while the session was closing
	next      netpoll.Next

	// Guarded by Session.mu.
	writer  writerState
	code    wsframe.CloseCode // of our close frame
	timer   *time.Timer       // ends the state probing, and closeSent with lingering
	control []byte            // control frames, which overtake messages
	rest    []byte            // what the client did not take of a write
	large   Frame             // what is being written, or rest is of, if it is a frame by itself
	copied  int               // the size of a copy that rest is of
	unacked int               // what the kernel still had to send when it was last asked

	wrote int // bytes, since nextChunk looked; owned by the goroutine that writes
}

const (
	// lingerTime is how long a connection may last after our close frame.
	lingerTime = 5 * time.Second
	// hurriedLinger is that time on a server that is being closed.
	hurriedLinger = 50 * time.Millisecond
	// maxDiscarded is how many bytes are read and discarded after our close frame,
	// so that a client in the middle of a large message gets to read it: closing
	// with bytes unread resets the connection, and the reset may overtake the
	// close frame. A message of 20 MiB fits, with the frame of the answer.
	maxDiscarded = 20<<20 + 64<<10
	// maxControl bounds the control frames that wait to be written.
	maxControl = 64 << 10
)

// acceptWebSocket answers the WebSocket handshake. If that fails the client has been
// answered.
func (srv *Server) acceptWebSocket(w http.ResponseWriter, r *http.Request, state connState) (c *websocketConn, early []byte, err error) {
	extensions, _ := srv.negotiate(r)
	conn, early, err := switchProtocols(w, r, extensions, srv.opts.UpgradeTimeout)
	if err != nil {
		return nil, nil, err
	}
	c = new(websocketConn)
	c.state.Store(uint32(state))
	c.reader.Compression = extensions != ""
	c.link = srv.newLink(conn, c)
	return c, early, nil
}

// serve starts reading from the connection, and first handles what has been read
// already. It reports false, and does nothing, on a closed server.
func (srv *Server) serve(c *websocketConn, early []byte) bool {
	if !srv.enter() {
		return false
	}
	if len(early) > 0 {
		next, then := c.HandleRead(early)
		srv.do(then)
		if next == netpoll.Stop {
			c.HandleEnd(nil)
			return true
		}
	}
	if err := c.link.Start(); err != nil {
		c.HandleEnd(err)
	}
	return true
}

// listens reports whether it matters what the client sends.
func (c *websocketConn) listens() bool {
	switch c.in() {
	case connAnswering, connLingering, connDead:
		return false
	}
	return true
}

// HandleRead implements [netpoll.Handler].
func (c *websocketConn) HandleRead(b []byte) (netpoll.Next, Task) {
	if !c.listens() {
		if c.discarded += len(b); c.discarded >= maxDiscarded {
			c.next = netpoll.Pause // until the linger time or the client ends it
		}
		return c.next, nil
	}
	var wrong *wsframe.Violation
	then, ok := c.session.deliver(func() { wrong = c.reader.Feed(b, c) })
	switch {
	case !ok: // the reader is somewhere in the middle of b
		c.clientDone(ReasonInternalError, nil, wsframe.CloseInternal)
	case wrong != nil && c.listens() && !c.violated(wrong):
		c.next = netpoll.Stop
	}
	return c.next, then
}

// AdmitsMessage implements [wsframe.Sink].
func (c *websocketConn) AdmitsMessage(bytes int64) bool { return c.session.admits(bytes) }

// HandleFrame implements [wsframe.Sink].
func (c *websocketConn) HandleFrame(op ws.OpCode, p []byte) bool {
	more := c.handleFrame(op, p)
	if !more {
		c.next = netpoll.Stop
	}
	return more
}

// handleFrame handles one frame, and reports whether to go on reading.
func (c *websocketConn) handleFrame(op ws.OpCode, p []byte) bool {
	if !c.listens() {
		return true
	}
	switch op {
	case ws.OpClose:
		code, wrong := wsframe.ParseClose(p)
		if wrong != nil {
			return c.violated(wrong)
		}
		return c.closedByClient(code)
	case ws.OpPing:
		c.sendControl(wsframe.AppendControl(nil, ws.OpPong, p))
		return true
	case ws.OpPong:
		return true
	}
	pkt, err := c.session.decode(op, p)
	switch {
	case c.in() == connProbing:
		if err != nil {
			pkt = packet.Packet{}
		}
		return c.handleProbe(pkt)
	case err != nil:
		c.clientDone(ReasonParseError, err, wsframe.CloseNormal)
	case !c.session.receive(pkt):
		c.ignore(len(p))
	}
	return true
}

// ignore counts a message that came too late. A session that is closing waits for the
// client's close frame among what it still sends; after a message's worth of bytes it
// does not listen any more.
func (c *websocketConn) ignore(size int) {
	s := c.session
	c.ignored += size + 1
	s.mu.Lock()
	enough := s.state == stateClosed || c.in() == connCloseSent && c.ignored > s.server.opts.MaxHTTPBufferSize
	s.mu.Unlock()
	if enough {
		c.clientDone(ReasonTransportClose, nil, wsframe.CloseNormal)
	}
}

// sendControl sends a frame that overtakes messages. The bytes that wait are bounded:
// a client that floods us with pings and reads no pong is cut off.
func (c *websocketConn) sendControl(frame []byte) {
	if c.in() == connProbing {
		c.writeDirect(frame)
		return
	}
	s := c.session
	s.mu.Lock()
	if c.in() != connOpen {
		s.mu.Unlock()
		return
	}
	c.control = append(c.control, frame...)
	flooded := len(c.control) > maxControl
	s.mu.Unlock()
	if flooded {
		s.close(ReasonSlowConsumer, errControl)
		c.abort()
		return
	}
	s.scheduleFlush()
}

// closedByClient answers the client's close frame, or takes it as the answer to ours,
// and reports whether to go on reading: not when both have been written.
func (c *websocketConn) closedByClient(code wsframe.CloseCode) bool {
	if c.in() == connProbing {
		return c.retreat(code)
	}
	return !c.clientDone(ReasonTransportClose, nil, code)
}

// violated ends the session of a client that breaks the rules, or its upgrade, and
// reports whether to go on reading.
func (c *websocketConn) violated(v *wsframe.Violation) bool {
	if c.in() == connProbing {
		return c.retreat(v.Code)
	}
	c.clientDone(ReasonTransportError, v, v.Code)
	return true
}
