package engineio

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/puente-io/puente/server/engineio/internal/netpoll"
	"github.com/puente-io/puente/server/engineio/internal/wsframe"
	"github.com/puente-io/puente/server/engineio/packet"
)

// websocketConn is the WebSocket transport of one session: its link reads, and
// whoever flushes the session writes. Until an upgrade is complete it is not the
// session's transport yet, and answers only the probe.
type websocketConn struct {
	session *Session
	link    link
	socket  netpoll.Conn // the link, if it is the poller's

	// Owned by the goroutine that reads.
	reader  wsframe.Reader
	probing bool         // is not the session's transport yet
	thrown  int          // bytes that came when nothing counted any more
	next    netpoll.Next // how to go on reading
	ignored int          // bytes of messages that came while the session was closing

	// Guarded by Session.mu.
	timer   *time.Timer       // ends a probe that takes too long, and later the linger time
	control []byte            // control frames, which overtake messages
	goodbye wsframe.CloseCode // status of the close frame
	leaving bool              // a close frame is due once the queue is empty
	left    bool              // the close frame is on its way
	deaf    bool              // what the client still sends is thrown away; the reader sets it
	blocked bool              // the client does not take what is being written
	rest    []byte            // of what it did not take
	large   Frame             // what is being written, or rest is of, if it is a frame by itself
	copied  int               // the size of a copy that rest is of
	broken  bool              // nothing can be written any more
	unacked int               // what the kernel still had to send when it was last asked

	wrote int // bytes, since nextChunk looked; owned by the goroutine that writes
}

const (
	// lingerTime is how long a connection may last after our close frame.
	lingerTime = 5 * time.Second
	// maxThrown is how many bytes are read and thrown away after our close frame,
	// so that a client in the midst of a large message gets to read it: closing
	// with bytes unread resets the connection, and the reset may overtake the
	// close frame. A message of 20 MiB fits, with the frame of the answer.
	maxThrown = 20<<20 + 64<<10
	// hurry is the linger time on a server that is being closed.
	hurry = 50 * time.Millisecond
	// patience is how long a write to what is not a socket may take before its
	// client counts as one that does not read.
	patience = 50 * time.Millisecond
	// turn is how many chunks are written to one connection before others
	// that wait have their turn.
	turn = 16
	// pieceSize is how much is written at a time to what is not a socket: as much
	// as a client that counts as reading takes in a few seconds.
	pieceSize = 32 << 10
)

// linger has a connection that has nothing more to say end after lingerTime, or
// soon on a server that is being closed. Session.mu is held.
func (srv *Server) linger(c *websocketConn) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	d := lingerTime
	if srv.closing {
		d = hurry
	}
	c.timer = time.AfterFunc(d, c.link.Shutdown)
	srv.lingering[c] = struct{}{}
}

// hurryUp has the connections that linger end soon.
func (srv *Server) hurryUp() {
	srv.mu.RLock()
	conns := slices.Collect(maps.Keys(srv.lingering))
	srv.mu.RUnlock()
	for _, c := range conns {
		c.session.mu.Lock()
		if c.timer.Stop() {
			c.timer.Reset(hurry)
		}
		c.session.mu.Unlock()
	}
}

func (srv *Server) forget(c *websocketConn) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.lingering, c)
}

// acceptWebSocket answers the WebSocket handshake. Where that fails it has
// answered the client.
func (srv *Server) acceptWebSocket(w http.ResponseWriter, r *http.Request) (c *websocketConn, early []byte, err error) {
	conn, early, err := switchProtocols(w, r, srv.opts.UpgradeTimeout)
	if err != nil {
		return nil, nil, err
	}
	c = new(websocketConn)
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

// HandleEnd implements [netpoll.Handler]: it frees a connection of which nothing
// more will be read.
func (c *websocketConn) HandleEnd(err error) {
	reason := ReasonTransportError
	if err == nil {
		reason = ReasonTransportClose
	}
	c.gone(reason, err)
	c.close()
	c.session.server.goroutines.Done()
}

// close ends a connection that nobody reads any more, and forgets it.
func (c *websocketConn) close() {
	c.session.mu.Lock()
	c.broken = true // so that who still writes does not have it linger
	c.rest = nil
	c.release()
	if c.timer != nil {
		c.timer.Stop()
	}
	c.session.mu.Unlock()
	c.session.server.forget(c)
	c.link.Close()
}

// HandleRead implements [netpoll.Handler].
func (c *websocketConn) HandleRead(b []byte) (netpoll.Next, Task) {
	if c.deaf {
		if c.thrown += len(b); c.thrown >= maxThrown {
			c.next = netpoll.Pause // until the linger time or the client ends it
		}
		return c.next, nil
	}
	s := c.session
	s.reading.Lock()
	wrong := c.reader.Feed(b, c)
	then := s.handler.HandleReadEnd(s)
	s.reading.Unlock()
	if wrong != nil && !c.deaf && !c.fail(wrong) {
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

func (c *websocketConn) handleFrame(op ws.OpCode, p []byte) bool {
	if c.deaf {
		return true
	}
	switch op {
	case ws.OpClose:
		code, err := wsframe.ParseClose(p)
		if err != nil {
			return c.fail(err)
		}
		return c.closedByPeer(code)
	case ws.OpPing:
		c.sendControl(wsframe.AppendControl(nil, ws.OpPong, p))
		return true
	case ws.OpPong:
		return true
	}
	pkt := packet.Packet{Type: packet.Message, Binary: true, Data: p}
	if op == ws.OpText {
		var err error
		if pkt, err = packet.DecodeText(p); err != nil {
			if c.probing {
				return c.handleProbe(packet.Packet{})
			}
			c.lastWords(ReasonParseError, err, wsframe.CloseNormal)
			return true
		}
	}
	if c.probing {
		return c.handleProbe(pkt)
	}
	if !c.session.receive(pkt) {
		c.unheard(len(p))
	}
	return true
}

// unheard notes a message that came too late. A session that is closing waits for
// the client's close frame among what it still sends; after a message's worth of
// bytes nothing of that is looked at any more.
func (c *websocketConn) unheard(size int) {
	s := c.session
	c.ignored += size + 1
	s.mu.Lock()
	over := s.state == stateClosed || c.left && c.ignored > s.server.opts.MaxHTTPBufferSize
	s.mu.Unlock()
	if over {
		c.lastWords(ReasonTransportClose, nil, wsframe.CloseNormal)
	}
}

// sendControl sends a frame that overtakes messages. The bytes that wait are
// bounded: who floods us with pings and reads no pong is cut off.
func (c *websocketConn) sendControl(frame []byte) {
	if c.probing {
		c.writeDirect(frame)
		return
	}
	s := c.session
	s.mu.Lock()
	if c.leaving || c.left || s.state == stateClosed {
		s.mu.Unlock()
		return
	}
	c.control = append(c.control, frame...)
	slow := len(c.control) > 64<<10
	s.mu.Unlock()
	if slow {
		s.close(ReasonSlowConsumer, errControl)
		c.link.Shutdown()
		return
	}
	s.scheduleFlush()
}

// sayGoodbye has one close frame sent after what is queued. Session.mu is held.
func (c *websocketConn) sayGoodbye(code wsframe.CloseCode) {
	if c.goodbye == wsframe.CloseNormal {
		c.goodbye = code
	}
	c.leaving = !c.left
}

// closedByPeer answers the client's close frame, or takes it as the answer to
// ours, and reports whether to go on reading, as fail does.
func (c *websocketConn) closedByPeer(code wsframe.CloseCode) bool {
	if c.probing {
		return c.retreat(code)
	}
	return !c.lastWords(ReasonTransportClose, nil, code)
}

func (c *websocketConn) fail(v *wsframe.Violation) bool {
	if c.probing {
		return c.retreat(v.Code)
	}
	c.lastWords(ReasonTransportError, v, v.Code)
	return true
}

// lastWords closes the session where only a close frame is left to be said, and
// reports whether it had been already. The connection is read on until the
// client ends it or the linger time does, but for what comes beyond maxThrown.
func (c *websocketConn) lastWords(reason Reason, err error, code wsframe.CloseCode) (said bool) {
	s := c.session
	s.mu.Lock()
	c.deaf = true
	said = c.left && !s.writing
	s.mu.Unlock()
	if said {
		c.link.CloseWrite()
	}
	s.finish(reason, err, closeFrame, code)
	return said
}

// gone tells the session that the connection has ended.
func (c *websocketConn) gone(reason Reason, err error) {
	if c.probing {
		c.abandon(wsframe.CloseNormal)
		return
	}
	c.session.mu.Lock()
	c.broken = true
	c.session.mu.Unlock()
	c.session.finish(reason, err, closeFrame, wsframe.CloseNormal)
}

// hangUp ends a connection whose session is closed: with the close frame where
// the client takes it at once.
func (c *websocketConn) hangUp() {
	s := c.session
	s.mu.Lock()
	stuck := c.broken || s.writing && c.blocked
	start := !stuck && !s.writing
	if start {
		s.writing = true
	}
	s.mu.Unlock()
	switch {
	case stuck:
		c.link.Shutdown()
	case start:
		s.server.write(c)
	}
}

// chunks are buffers in which frames are packed for one write.
var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

const chunkSize = 16 << 10

// write takes the session's frames and writes them until there are none or the
// client does not take them. The caller has set Session.writing.
func (c *websocketConn) write() {
	buf := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(buf)
	for range turn {
		b, last := c.nextChunk(buf[:0])
		if b == nil {
			if last {
				c.link.CloseWrite()
			}
			return
		}
		rest, err := c.link.Write(b)
		c.wrote += len(b) - len(rest)
		switch {
		case err != nil:
			c.writeFailed(err)
			return
		case len(rest) > 0:
			copied := 0
			if &b[0] == &buf[0] { // which others get
				rest = bytes.Clone(rest)
				copied = len(rest)
			}
			c.block(rest, copied)
			return
		}
	}
	c.writeLater()
}

// writeLater ends the writing and has the flusher go on with it. The session may
// be in line already: only the flusher takes it out, and others write too.
func (c *websocketConn) writeLater() {
	s := c.session
	s.mu.Lock()
	push := !s.inLine
	c.blocked, s.writing, s.inLine = false, false, true
	s.mu.Unlock()
	if push {
		s.server.flusher.push(s)
	}
	s.server.flusher.wake()
}

// nextChunk packs what is to be written now, or ends the writing; last tells that
// nothing will be written after it.
func (c *websocketConn) nextChunk(buf []byte) (b []byte, last bool) {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	c.blocked = false
	c.progress()
	if c.broken {
		s.writing = false
		return nil, false
	}
	if len(c.rest) > 0 {
		b, c.rest = c.rest, nil
		return b, false
	}
	c.release()
	if len(c.control) > 0 && len(c.control) <= cap(buf) {
		buf = append(buf, c.control...)
		c.control = nil
	} else if len(c.control) > 0 {
		b := c.control
		c.control = nil
		return b, false
	}
	buf, large := s.queue.pack(buf)
	if s.queue.bytes < s.server.backlog.mark/8 {
		s.relieve()
	}
	s.settle()
	if large.wire != nil {
		c.large = large
		return large.wire, false
	}
	if c.leaving && s.queue.empty() && cap(buf)-len(buf) > 8 {
		c.leaving, c.left = false, true
		buf = wsframe.AppendClose(buf, c.goodbye)
		s.server.linger(c)
	}
	if len(buf) == 0 {
		s.writing = false
		s.catchUp()
		return nil, c.left && c.deaf
	}
	return buf, false
}

// progress notes what has been written. Session.mu is held, here and in the next
// two.
func (c *websocketConn) progress() {
	if c.wrote > 0 {
		c.session.took(c.wrote)
		c.wrote = 0
	}
}

// release gives up what has been written, or never will be.
func (c *websocketConn) release() {
	held := &c.session.server.backlog.held
	c.large.uncount(held)
	c.large = Frame{}
	if c.copied > 0 {
		held.Add(-int64(c.copied))
		c.copied = 0
	}
}

// forgetRest gives up a connection in the middle of what the client does not take.
func (c *websocketConn) forgetRest() {
	if c.blocked {
		c.broken = true
		c.rest = nil
		c.release()
	}
}

func (c *websocketConn) writeFailed(err error) {
	s := c.session
	s.mu.Lock()
	c.broken = true
	s.writing = false
	c.release()
	s.mu.Unlock()
	// Not here: what the handler does about it may wait for the flusher, whose
	// goroutine this may be.
	end := func() {
		s.close(ReasonTransportError, err)
		c.link.Shutdown()
	}
	if !s.server.spawn(end) {
		end()
	}
}

// block leaves the rest of a write, which it keeps, until the client takes it.
// copied is its size if it is a copy of its own.
func (c *websocketConn) block(rest []byte, copied int) {
	s := c.session
	s.mu.Lock()
	c.progress()
	c.blocked, c.rest = true, rest
	if copied > 0 {
		c.copied = copied
		s.server.backlog.held.Add(int64(copied))
	}
	s.relieve()
	s.fallBehind()
	closed := s.state == stateClosed
	if closed {
		c.forgetRest()
	}
	s.mu.Unlock()
	if closed || c.link.AwaitWritable(true) != nil {
		c.link.Shutdown()
	}
}

// HandleWritable implements [netpoll.Handler]: it goes on with what block has left,
// if anything.
func (c *websocketConn) HandleWritable() {
	s := c.session
	s.mu.Lock()
	blocked := c.blocked
	if blocked {
		s.took(0) // some of what the kernel had
	}
	s.mu.Unlock()
	if !blocked {
		return
	}
	c.link.AwaitWritable(false) // first, or it would undo that of the next block
	c.writeLater()
}

// stalled is called if a write takes long.
func (c *websocketConn) stalled() {
	s := c.session
	s.mu.Lock()
	c.blocked = s.writing
	s.relieve()
	if c.blocked {
		s.fallBehind()
	}
	closed := s.state == stateClosed
	s.mu.Unlock()
	if closed {
		c.link.Shutdown()
	}
}

// writeDirect writes before the connection is the session's transport, when its
// buffers are empty.
func (c *websocketConn) writeDirect(b []byte) {
	stream, ok := c.link.(*streamLink)
	if !ok {
		c.link.Write(b)
		return
	}
	stream.conn.SetWriteDeadline(time.Now().Add(lingerTime))
	stream.conn.Write(b)
	stream.conn.SetWriteDeadline(time.Time{})
}

// drained reports whether the client's kernel has taken something since the last
// call, even if there is not room enough for the next write: that comes only when
// much has been taken. Session.mu is held.
func (c *websocketConn) drained() bool {
	if !c.blocked {
		return false
	}
	left, ok := c.link.Unacked()
	if !ok {
		return false
	}
	fewer := left < c.unacked
	c.unacked = left
	return fewer
}
