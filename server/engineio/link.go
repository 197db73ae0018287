package engineio

import (
	"io"
	"net"
	"time"

	"github.com/puente-io/puente/server/engineio/internal/netpoll"
)

// link carries the bytes of one WebSocket. A plain socket on Linux is the poller's,
// a [netpoll.Conn]; every other connection is a [streamLink].
type link interface {
	// Start begins to read.
	Start() error
	// Write writes. It may return a rest that is not written, and then AwaitWritable
	// is to be called.
	Write(b []byte) (rest []byte, err error)
	// AwaitWritable begins or ends the waiting for websocketConn.HandleWritable.
	AwaitWritable(on bool) error
	// Unacked returns how many bytes the client's kernel has not taken, if that is
	// known.
	Unacked() (bytes int, ok bool)
	// CloseWrite sends EOF after what has been written.
	CloseWrite()
	// Shutdown makes the reader see the end, whatever it is doing.
	Shutdown()
	// Close ends the connection.
	Close()
}

// streamLink is a connection that cannot be asked whether a write would block, such
// as TLS: a goroutine reads, and each write has one.
type streamLink struct {
	conn  net.Conn
	owner *websocketConn
}

// newLink returns the link of a connection and its owner.
func (srv *Server) newLink(conn net.Conn, c *websocketConn) link {
	if !netpoll.Pollable(conn) {
		return &streamLink{conn, c}
	}
	p := srv.poller()
	if p == nil || !p.Take(&c.socket, conn, c) {
		return &streamLink{conn, c}
	}
	// The kernel would store a copy for each connection, which the backlog does not
	// count; a message in the queues is stored once for all.
	c.socket.Control(func(fd int) { setUnsent(fd, maxUnsent) })
	return &c.socket
}

// Start implements [link].
func (l *streamLink) Start() error {
	if !l.owner.session.server.spawn(l.read) {
		return ErrClosed
	}
	return nil
}

// read reads until the connection ends, with a small buffer of its own.
func (l *streamLink) read() {
	buf := make([]byte, 2048)
	for {
		n, err := l.conn.Read(buf)
		if n > 0 {
			next, then := l.owner.HandleRead(buf[:n])
			l.owner.session.server.do(then)
			switch next {
			case netpoll.Stop:
				l.owner.HandleEnd(nil)
				return
			case netpoll.Pause: // the linger time ends it
				time.Sleep(hurriedLinger)
			}
		}
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			l.owner.HandleEnd(err)
			return
		}
	}
}

// Write implements [link]. It writes all, and may take as long as the client does.
func (l *streamLink) Write(b []byte) (rest []byte, err error) {
	t := time.AfterFunc(patience, l.owner.stalled)
	defer t.Stop()
	for {
		piece := b[:min(len(b), pieceSize)]
		if _, err := l.conn.Write(piece); err != nil {
			return nil, err
		}
		if b = b[len(piece):]; len(b) == 0 {
			return nil, nil
		}
		s := l.owner.session
		s.mu.Lock()
		s.took(len(piece))
		s.mu.Unlock()
	}
}

// AwaitWritable implements [link].
func (l *streamLink) AwaitWritable(bool) error { return nil }

// Unacked implements [link].
func (l *streamLink) Unacked() (int, bool) { return 0, false }

// CloseWrite implements [link].
func (l *streamLink) CloseWrite() {
	if half, ok := l.conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
		return
	}
	l.conn.Close()
}

// Shutdown implements [link].
func (l *streamLink) Shutdown() { l.conn.Close() }

// Close implements [link].
func (l *streamLink) Close() { l.conn.Close() }
