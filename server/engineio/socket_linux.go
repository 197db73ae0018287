package engineio

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socket is the descriptor of a plain connection, taken out of the runtime's
// hands and into the poller's: nothing else is kept of the connection then, and
// a write that would block waits without a goroutine.
type socket struct {
	fd    int
	refs  atomic.Int32 // who may be using fd, one as long as it is read; the last closes it
	state atomic.Uint32

	// Guarded by poller.mu.
	slot     int32
	known    bool // has a slot
	writable bool // is awaited, and not only that there is something to read
}

const (
	readSize = 16 << 10
	// maxWrite bounds how long one call keeps its processor from the scheduler,
	// and with it the collector waiting: what the kernel copies in some 20 µs.
	maxWrite = 256 << 10
)

var readBuffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// adopt makes a socket of a connection that is plain. Others, and wrappers that
// count or limit, are read and written through their methods.
func (srv *Server) adopt(c *websocketConn) {
	switch c.conn.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return
	}
	raw, err := c.conn.(syscall.Conn).SyscallConn()
	if err != nil || srv.poller() == nil {
		return
	}
	var fd int
	var dupErr error
	if err := raw.Control(func(old uintptr) {
		fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil || dupErr != nil {
		return // with no descriptor left, for one: it works without
	}
	c.conn.Close() // the copy keeps the connection
	// What the kernel would hold it holds for this connection alone, and out of sight:
	// a message in the queues is held once for all.
	setUnsent(fd, maxUnsent)
	c.conn, c.socket.fd = nil, fd
	c.socket.refs.Store(1)
}

// rawCall reads or writes without telling Go's scheduler, which for a call that
// cannot block would only lose the processor to others and have to get it back.
func rawCall(trap uintptr, fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

// acquire reports whether fd may be used, until release.
func (k *socket) acquire() bool {
	for {
		n := k.refs.Load()
		if n == 0 {
			return false
		}
		if k.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (k *socket) release() {
	if k.refs.Add(-1) == 0 {
		unix.Close(k.fd)
	}
}

// close ends the connection as soon as nobody is using it.
func (k *socket) close() { k.release() }

// shutdown ends one direction or both, without waiting.
func (k *socket) shutdown(how int) {
	if k.acquire() {
		unix.Shutdown(k.fd, how)
		k.release()
	}
}

// write writes without waiting and returns what the socket did not take.
func (k *socket) write(b []byte) (rest []byte, err error) {
	if !k.acquire() {
		return nil, net.ErrClosed
	}
	defer k.release()
	for len(b) > 0 {
		n, err := rawCall(unix.SYS_WRITE, k.fd, b[:min(len(b), maxWrite)])
		switch {
		case n > 0:
			b = b[n:]
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return b, nil
		default:
			return nil, err
		}
	}
	return nil, nil
}

// drained reports whether the client's kernel has taken something since the last
// time, also if there is not room enough for the next write: that comes only when
// much has been taken. Session.mu is held.
func (c *websocketConn) drained() bool {
	if c.conn != nil || !c.blocked || !c.socket.acquire() {
		return false
	}
	defer c.socket.release()
	left, err := unix.IoctlGetInt(c.socket.fd, unix.SIOCOUTQ)
	if err != nil {
		return false
	}
	fewer := left < c.unacked
	c.unacked = left
	return fewer
}

// drain reads until nothing is left. A read that does not fill the buffer was
// the last: what comes later will be told. Only of an EOF behind the data
// nothing will be told any more, so that is waited for.
func (c *websocketConn) drain() (task Task, err error) {
	buf := readBuffers.Get().(*[readSize]byte)
	defer readBuffers.Put(buf)
	for {
		if c.full { // the linger time ends it, if the client does not
			if c.socket.state.Load()&pollHup != 0 {
				return task, errEnded
			}
			return task, nil
		}
		n, err := rawCall(unix.SYS_READ, c.socket.fd, buf[:])
		switch {
		case n > 0:
			c.session.server.do(task)
			var more bool
			if more, task = c.feed(buf[:n]); !more {
				return task, errEnded
			}
			if n < len(buf) && c.socket.state.Load()&pollHup == 0 {
				return task, nil
			}
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return task, nil
		case err == nil:
			return task, io.EOF
		default:
			return task, err
		}
	}
}
