package netpoll

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Conn is a plain connection that has been taken from the runtime: only its
// descriptor is kept, and a write that would block waits without a goroutine. A
// Conn is part of its owner and must not be copied; [Poller.Take] fills it. Its
// methods are safe for concurrent use, except Run, Start and Close.
type Conn struct {
	poller  *Poller
	handler Handler
	fd      int
	refs    atomic.Int32 // users of fd, of which the owner is one until Close; the last closes it
	reading atomic.Uint32
	paused  bool // nothing more is read; owned by the reader

	// Guarded by Poller.mu.
	slot     int32
	added    bool // has a slot
	writable bool // waits until the peer takes bytes, too
}

// The bits of Conn.reading. Whoever sets busy owns the reads; it may clear busy only
// while again is not set.
const (
	busy  = 1 << iota // is being read, or about to be
	again             // an event has come since
	hup               // the peer has closed its side: EOF comes last
)

const (
	readSize = 16 << 10
	// maxWrite bounds how long one call keeps its processor from the scheduler,
	// and with it the collector waiting: what the kernel copies in some 20 µs.
	maxWrite = 256 << 10
)

var readBuffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// Start begins to read.
func (c *Conn) Start() error { return c.poller.add(c) }

// Run implements [Task]: it reads what there is and gives it to the handler. Only
// the goroutine to which the poller gave the connection may call it.
func (c *Conn) Run() {
	for {
		c.reading.And(^uint32(again))
		then, end, err := c.drain()
		if end {
			if then != nil {
				defer then.Run()
			}
			c.handler.HandleEnd(err)
			return
		}
		state := c.reading.Load()
		if state&again == 0 && c.reading.CompareAndSwap(state, state&^busy) {
			if then != nil {
				then.Run()
			}
			return
		}
		c.start(then)
	}
}

// start runs a task, if there is one, on another goroutine.
func (c *Conn) start(t Task) {
	if t != nil {
		c.poller.run(t)
	}
}

// drain reads until nothing is left. It returns the task of the last read, and end
// if nothing more will be read. After a read that did not fill the buffer nothing was
// left, and epoll reports what comes later; but when the peer has closed its side
// there is no further event, so drain reads until EOF.
func (c *Conn) drain() (then Task, end bool, err error) {
	buf := readBuffers.Get().(*[readSize]byte)
	defer readBuffers.Put(buf)
	for {
		if c.paused {
			return then, c.reading.Load()&hup != 0, nil
		}
		n, err := rawCall(unix.SYS_READ, c.fd, buf[:])
		switch {
		case n > 0:
			c.start(then)
			var next Next
			next, then = c.handler.HandleRead(buf[:n])
			c.paused = next == Pause
			if next == Stop {
				return then, true, nil
			}
			if next == More && n < len(buf) && c.reading.Load()&hup == 0 {
				return then, false, nil
			}
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return then, false, nil
		case err == nil:
			return then, true, nil
		default:
			return then, true, err
		}
	}
}

// Write writes what the socket takes at once, and returns the rest.
func (c *Conn) Write(b []byte) (rest []byte, err error) {
	if !c.acquire() {
		return nil, net.ErrClosed
	}
	defer c.release()
	for len(b) > 0 {
		n, err := rawCall(unix.SYS_WRITE, c.fd, b[:min(len(b), maxWrite)])
		switch {
		case n > 0:
			b = b[n:]
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return b, nil
		case err == nil:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
	return nil, nil
}

// AwaitWritable begins or ends the waiting until the peer takes bytes again, see
// [Handler].
func (c *Conn) AwaitWritable(on bool) error { return c.poller.await(c, on) }

// Unacked returns how many bytes the peer's kernel has not taken yet.
func (c *Conn) Unacked() (bytes int, ok bool) {
	c.Control(func(fd int) {
		n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		bytes, ok = n, err == nil
	})
	return bytes, ok
}

// Control calls f with the descriptor, which stays open meanwhile. It reports false
// and does not call f if the connection is closed.
func (c *Conn) Control(f func(fd int)) bool {
	if !c.acquire() {
		return false
	}
	defer c.release()
	f(c.fd)
	return true
}

// CloseWrite sends EOF after what has been written.
func (c *Conn) CloseWrite() { c.Control(func(fd int) { unix.Shutdown(fd, unix.SHUT_WR) }) }

// Shutdown ends both directions. The reader sees the end soon, whatever it is doing.
func (c *Conn) Shutdown() { c.Control(func(fd int) { unix.Shutdown(fd, unix.SHUT_RDWR) }) }

// Close ends the connection, when no other method is using it. It must be called once,
// by HandleEnd or without Start.
func (c *Conn) Close() {
	c.poller.remove(c)
	c.release()
}

// acquire reports whether fd may be used, until release.
func (c *Conn) acquire() bool {
	for {
		n := c.refs.Load()
		if n == 0 {
			return false
		}
		if c.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (c *Conn) release() {
	if c.refs.Add(-1) == 0 {
		unix.Close(c.fd)
	}
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
