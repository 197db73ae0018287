package engineio

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/gobwas/ws"

	"github.com/puente-io/puente/server/engineio/packet"
)

// websocketConn is the WebSocket transport of one session: one goroutine reads,
// and whoever flushes the session writes. Until an upgrade is complete it is not
// the session's transport yet, and answers only the probe.
type websocketConn struct {
	session *Session
	conn    net.Conn
	raw     syscall.RawConn // nil where the connection is not a plain socket
	upgrade *time.Timer     // of a connection that is not the transport yet
	reader  frameReader     // owned by the reading goroutine

	// Guarded by Session.mu.
	control []byte    // control frames, which overtake messages
	goodbye closeCode // status of the close frame
	leaving bool      // a close frame is due once the queue is empty
	blocked bool      // the client does not take what is being written
	broken  bool      // a write has failed
	crowds  bool      // writes do not block, so publishers can be held up
}

// lingerTime is how long a connection may last after our close frame.
const lingerTime = 5 * time.Second

// linger is lingerTime, and less on a server that is being closed.
func (srv *Server) linger() time.Duration {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	if srv.closing {
		return lingerTime / 20
	}
	return lingerTime
}

// acceptWebSocket answers the WebSocket handshake. Where that fails it has
// answered the client.
func (srv *Server) acceptWebSocket(w http.ResponseWriter, r *http.Request) (c *websocketConn, early []byte, err error) {
	up := ws.HTTPUpgrader{
		Timeout:  srv.opts.UpgradeTimeout,
		Header:   w.Header(),
		Protocol: func(string) bool { return true }, // the first, as on Node
	}
	conn, rw, _, err := up.Upgrade(r, w)
	if err != nil {
		if conn != nil {
			conn.Close()
		}
		return nil, nil, err
	}
	// What the client sent behind its request sits in the reader's buffer,
	// which is not kept.
	if n := rw.Reader.Buffered(); n > 0 {
		early = make([]byte, n)
		io.ReadFull(rw.Reader, early)
	}
	c = &websocketConn{conn: conn, raw: rawConn(conn), reader: frameReader{limit: srv.opts.MaxHTTPBufferSize}}
	c.crowds = c.raw != nil
	return c, early, nil
}

// run reads until the connection ends, and closes it.
func (c *websocketConn) run(early []byte) {
	err := error(nil)
	if c.feed(early) {
		if c.raw != nil {
			err = c.readRaw()
		} else {
			err = c.readConn()
		}
	}
	reason := ReasonTransportError
	if err == nil || errors.Is(err, io.EOF) {
		reason, err = ReasonTransportClose, nil
	}
	c.gone(reason, err)
	c.conn.Close()
}

// readConn reads from a connection that cannot be asked whether there is
// something to read, such as TLS, with a small buffer of its own.
func (c *websocketConn) readConn() error {
	buf := make([]byte, 2048)
	for {
		n, err := c.conn.Read(buf)
		if n > 0 && !c.feed(buf[:n]) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// feed handles what was read and reports whether to go on reading.
func (c *websocketConn) feed(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	s := c.session
	s.reading.Lock()
	more := true
	err := c.reader.feed(b, func(op ws.OpCode, p []byte) bool {
		more = c.handleFrame(op, p)
		return more
	})
	s.handler.HandleReadEnd(s)
	s.reading.Unlock()
	if err != nil {
		var v violation
		errors.As(err, &v)
		c.fail(v)
		return false
	}
	return more
}

func (c *websocketConn) handleFrame(op ws.OpCode, p []byte) bool {
	switch op {
	case ws.OpClose:
		code := closeNormal
		if len(p) >= 2 {
			code = closeCode(p[0])<<8 | closeCode(p[1])
			if ws.CheckCloseFrameData(ws.StatusCode(code), string(p[2:])) != nil {
				code = closeProtocol
			}
		}
		c.closedByPeer(code)
		return false
	case ws.OpPing:
		c.sendControl(appendControl(nil, ws.OpPong, p))
		return true
	case ws.OpPong:
		return true
	}
	pkt := packet.Packet{Type: packet.Message, Binary: true, Data: p}
	if op == ws.OpText {
		var err error
		if pkt, err = packet.DecodeText(p); err != nil {
			if c.upgrade != nil {
				return c.handleProbe(packet.Packet{})
			}
			c.session.close(ReasonParseError, err)
			return true // until the client has read our close frame
		}
	}
	if c.upgrade != nil {
		return c.handleProbe(pkt)
	}
	c.session.receive(pkt)
	return true
}

// sendControl sends a frame that overtakes messages. The bytes that wait are
// bounded: who floods us with pings and reads no pong is cut off.
func (c *websocketConn) sendControl(frame []byte) {
	if c.upgrade != nil {
		c.writeDirect(frame)
		return
	}
	s := c.session
	s.mu.Lock()
	if c.leaving || s.state == stateClosed {
		s.mu.Unlock()
		return
	}
	c.control = append(c.control, frame...)
	slow := len(c.control) > 64<<10
	s.mu.Unlock()
	if slow {
		s.close(ReasonSlowConsumer, nil)
		return
	}
	s.scheduleFlush()
}

// sayGoodbye has a close frame sent after what is queued. Session.mu is held.
func (c *websocketConn) sayGoodbye(code closeCode) {
	if c.goodbye == closeNormal {
		c.goodbye = code
	}
	c.leaving = true
}

// closedByPeer answers the client's close frame, or takes it as the answer to
// ours.
func (c *websocketConn) closedByPeer(code closeCode) {
	if c.upgrade != nil {
		c.abandon(code)
		return
	}
	c.session.finish(ReasonTransportClose, nil, closeFrame, code)
}

func (c *websocketConn) fail(v violation) {
	if c.upgrade != nil {
		c.abandon(v.code)
		return
	}
	c.session.finish(ReasonTransportError, v.error, closeFrame, v.code)
}

// gone tells the session that the connection has ended.
func (c *websocketConn) gone(reason Reason, err error) {
	if c.upgrade != nil {
		c.abandon(closeNormal)
		return
	}
	c.session.mu.Lock()
	c.broken = true
	c.session.mu.Unlock()
	c.session.finish(reason, err, closeFrame, closeNormal)
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
		c.shutdown()
	case start:
		s.server.write(c)
	}
}

// shutdown makes the reading goroutine see the end, whatever it is doing, and
// does not wait for it.
func (c *websocketConn) shutdown() {
	if c.raw != nil {
		shutdownRaw(c.raw)
		return
	}
	c.conn.Close()
}

// chunk is the buffer in which frames are packed for one write.
type chunk struct {
	buf  []byte
	call writeCall
}

const chunkSize = 16 << 10

var chunks = sync.Pool{New: func() any {
	ch := &chunk{buf: make([]byte, 0, chunkSize)}
	ch.call.init()
	return ch
}}

// write takes the session's frames and writes them until there are none or the
// client does not take them. The caller has set Session.writing.
func (c *websocketConn) write() {
	ch := chunks.Get().(*chunk)
	defer chunks.Put(ch)
	for {
		b := c.next(ch.buf[:0])
		if b == nil {
			return
		}
		rest, err := c.writeSome(&ch.call, b)
		switch {
		case err != nil:
			c.writeFailed(err)
			return
		case len(rest) > 0:
			c.block(append([]byte(nil), rest...))
			return
		}
	}
}

// next packs what is to be written now, or ends the writing.
func (c *websocketConn) next(buf []byte) []byte {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(c.control) > 0 && len(c.control) <= cap(buf) {
		buf = append(buf, c.control...)
		c.control = nil
	} else if len(c.control) > 0 {
		b := c.control
		c.control = nil
		return b
	}
	buf, large := s.queue.pack(buf)
	if s.queue.bytes < s.server.opts.MaxQueueBytes/8 {
		s.relieve()
	}
	if large != nil {
		return large
	}
	if c.leaving && s.queue.empty() && cap(buf)-len(buf) > 8 {
		c.leaving = false
		buf = appendClose(buf, c.goodbye)
		c.conn.SetReadDeadline(time.Now().Add(s.server.linger()))
	}
	if len(buf) == 0 {
		s.writing, c.blocked = false, false
		return nil
	}
	return buf
}

func (c *websocketConn) writeFailed(err error) {
	s := c.session
	s.mu.Lock()
	c.broken = true
	s.writing = false
	s.mu.Unlock()
	s.close(ReasonTransportError, err)
	c.shutdown()
}

// block leaves the rest of a write to a goroutine that waits for the client.
func (c *websocketConn) block(rest []byte) {
	s := c.session
	s.mu.Lock()
	c.blocked = true
	s.relieve()
	closed := s.state == stateClosed
	s.mu.Unlock()
	if closed || !s.server.spawn(func() { c.unblock(rest) }) {
		c.shutdown()
	}
}

func (c *websocketConn) unblock(rest []byte) {
	if err := c.writeAll(rest); err != nil {
		c.writeFailed(err)
		return
	}
	c.session.mu.Lock()
	c.blocked = false
	c.session.mu.Unlock()
	c.write()
}

// writeDirect writes before the connection is the session's transport.
func (c *websocketConn) writeDirect(b []byte) {
	c.conn.SetWriteDeadline(time.Now().Add(lingerTime))
	c.conn.Write(b)
	c.conn.SetWriteDeadline(time.Time{})
}
