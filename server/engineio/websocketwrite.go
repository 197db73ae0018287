package engineio

import (
	"bytes"
	"sync"
	"time"

	"github.com/puente-io/puente/server/engineio/internal/wsframe"
)

// writerState says whether a WebSocket is being written to.
type writerState uint8

const (
	writerIdle    writerState = iota // no goroutine writes
	writerBusy                       // a goroutine takes frames and writes them
	writerBlocked                    // the client does not take what is being written
)

const (
	// chunkSize is how many bytes of frames are packed for one write.
	chunkSize = 16 << 10
	// turn is how many chunks are written to one connection before others
	// that wait have their turn.
	turn = 16
	// patience is how long a write to a [streamLink] may take before its client
	// counts as one that does not read.
	patience = 50 * time.Millisecond
	// pieceSize is how much is written at a time to a [streamLink]: as much as a
	// client that counts as reading takes in a few seconds.
	pieceSize = 32 << 10
)

// chunks are buffers in which frames are packed for one write.
var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// startWrite writes: here, or on another goroutine if that may block. The caller has
// set writerBusy.
func (c *websocketConn) startWrite() {
	if _, blocks := c.link.(*streamLink); !blocks {
		c.write()
		return
	}
	if !c.session.server.spawn(c.write) {
		c.writeFailed(ErrClosed)
	}
}

// write takes the session's frames and writes them until there are none or the
// client does not take them.
func (c *websocketConn) write() {
	buf := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(buf)
	for range turn {
		b, left := c.nextChunk(buf[:0])
		if b == nil {
			c.do(left)
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

// writeLater ends the writing and lets the flusher go on with it. The session may be
// in line already: only the flusher takes it out, and others write too.
func (c *websocketConn) writeLater() {
	s := c.session
	s.mu.Lock()
	push := !s.inLine
	c.writer, s.inLine = writerIdle, true
	s.mu.Unlock()
	if push {
		s.server.flusher.push(s)
	}
	s.server.flusher.wake()
}

// nextChunk packs what is to be written now. If there is nothing it ends the writing,
// and returns what is left to do.
func (c *websocketConn) nextChunk(buf []byte) (b []byte, left afterwards) {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	c.writer = writerBusy
	c.progress()
	if c.in() == connDead {
		c.writer = writerIdle
		return nil, doNothing
	}
	if len(c.rest) > 0 {
		b, c.rest = c.rest, nil
		return b, doNothing
	}
	c.release()
	if len(c.control) > 0 && len(c.control) <= cap(buf) {
		buf = append(buf, c.control...)
		c.control = nil
	} else if len(c.control) > 0 {
		b := c.control
		c.control = nil
		return b, doNothing
	}
	buf, large := s.queue.pack(buf)
	if s.queue.bytes <= s.server.backlog.mark/8 {
		s.relieve()
	}
	s.settle()
	if large.wire != nil {
		c.large = large
		return large.wire, doNothing
	}
	if c.owesClose() && s.queue.empty() && cap(buf)-len(buf) > 8 {
		buf = wsframe.AppendClose(buf, c.code)
		c.on(eventCloseWritten)
	}
	if len(buf) == 0 {
		c.writer = writerIdle
		s.catchUp()
		if c.in() == connLingering {
			left = doCloseWrite
		}
		return nil, left
	}
	return buf, doNothing
}

// owesClose reports whether our close frame is to be written. Session.mu is held, here
// and in what follows.
func (c *websocketConn) owesClose() bool {
	state := c.in()
	return state == connClosing || state == connAnswering
}

// pending reports whether there is something to write.
func (c *websocketConn) pending() bool {
	return !c.session.queue.empty() || len(c.rest) > 0 || len(c.control) > 0 || c.owesClose()
}

// progress records what has been written.
func (c *websocketConn) progress() {
	if c.wrote > 0 {
		c.session.took(c.wrote)
		c.wrote = 0
	}
}

// release releases what has been written or never will be.
func (c *websocketConn) release() {
	held := &c.session.server.backlog.held
	c.large.uncount(held)
	c.large = Frame{}
	if c.copied > 0 {
		held.Add(-int64(c.copied))
		c.copied = 0
	}
}

// drained reports whether the client's kernel has taken something since the last
// call, even if there is not room enough for the next write: that comes only when
// much has been taken.
func (c *websocketConn) drained() bool {
	if c.writer != writerBlocked {
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

// writeFailed ends the session after a write has failed.
func (c *websocketConn) writeFailed(err error) {
	s := c.session
	s.mu.Lock()
	c.writer = writerIdle
	c.release()
	a := c.on(eventBroken)
	s.mu.Unlock()
	// Not here: what the handler does about it may wait for the flusher, whose
	// goroutine this may be.
	end := func() {
		s.finish(ending{reason: ReasonTransportError, err: err, event: eventBroken})
		c.do(a)
	}
	if !s.server.spawn(end) {
		end()
	}
}

// block keeps the rest of a write until the client takes it. copied is its size if it
// is a copy of its own.
func (c *websocketConn) block(rest []byte, copied int) {
	s := c.session
	s.mu.Lock()
	c.progress()
	s.relieve()
	c.writer, c.rest = writerBlocked, rest
	if copied > 0 {
		c.copied = copied
		s.server.backlog.held.Add(int64(copied))
	}
	s.fallBehind()
	ended := s.state == stateClosed || c.in() == connDead
	if ended { // the client is not waited for
		c.rest = nil
		c.release()
	}
	s.mu.Unlock()
	if ended || c.link.AwaitWritable(true) != nil {
		c.abort()
	}
}

// HandleWritable implements [netpoll.Handler]: it goes on with what block has left,
// if anything.
func (c *websocketConn) HandleWritable() {
	s := c.session
	s.mu.Lock()
	blocked := c.writer == writerBlocked
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

// stalled is called when a write to a [streamLink] takes long.
func (c *websocketConn) stalled() {
	s := c.session
	s.mu.Lock()
	if c.writer != writerBusy { // the write has just ended
		s.mu.Unlock()
		return
	}
	c.writer = writerBlocked
	s.relieve()
	s.fallBehind()
	ended := s.state == stateClosed
	s.mu.Unlock()
	if ended {
		c.abort()
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
