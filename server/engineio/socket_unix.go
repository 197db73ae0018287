//go:build unix

package engineio

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// rawConn gives access to the descriptor of a plain socket. Other connections,
// and wrappers that count or limit, must be read and written through their
// methods.
func rawConn(conn net.Conn) syscall.RawConn {
	switch c := conn.(type) {
	case *net.TCPConn:
		raw, _ := c.SyscallConn()
		return raw
	case *net.UnixConn:
		raw, _ := c.SyscallConn()
		return raw
	}
	return nil
}

const readSize = 16 << 10

var readBuffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// readRaw reads until the connection ends. The goroutine waits for readability
// without a buffer; that is why it must not leave the callback between two
// reads: readiness that was reported in between would be lost.
func (c *websocketConn) readRaw() error {
	var end error
	err := c.raw.Read(func(fd uintptr) bool {
		for {
			buf := readBuffers.Get().(*[readSize]byte)
			n, err := syscall.Read(int(fd), buf[:])
			switch {
			case n > 0:
				more, task := c.feed(buf[:n])
				readBuffers.Put(buf)
				c.session.server.do(task)
				if !more {
					end = errEnded
					return true
				}
				continue
			case err == syscall.EINTR:
				readBuffers.Put(buf)
				continue
			case err == syscall.EAGAIN:
				readBuffers.Put(buf)
				return false
			case err == nil:
				err = io.EOF
			}
			readBuffers.Put(buf)
			end = err
			return true
		}
	})
	if err != nil {
		return err
	}
	return end
}

// writeCall is one attempt to write. Its function is made once, so that an
// attempt allocates nothing.
type writeCall struct {
	rest []byte
	err  error
	once func(fd uintptr) bool
}

func (w *writeCall) init() {
	w.once = func(fd uintptr) bool { w.attempt(fd); return true }
}

// attempt writes until all is written or the socket takes no more.
func (w *writeCall) attempt(fd uintptr) (done bool) {
	for len(w.rest) > 0 {
		n, err := syscall.Write(int(fd), w.rest)
		switch {
		case n > 0:
			w.rest = w.rest[n:]
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return false
		default:
			w.err = err
			return true
		}
	}
	return true
}

// writeSome writes without waiting and returns what the socket did not take.
func (c *websocketConn) writeSome(w *writeCall, b []byte) (rest []byte, err error) {
	if c.raw == nil {
		return nil, c.writeAll(b)
	}
	w.rest, w.err = b, nil
	err = c.raw.Write(w.once)
	if err == nil {
		err = w.err
	}
	rest, w.rest = w.rest, nil
	return rest, err
}

// writeAll writes and waits for the client where it must.
func (c *websocketConn) writeAll(b []byte) error {
	if c.raw == nil {
		return c.writeConn(b)
	}
	w := writeCall{rest: b}
	if err := c.raw.Write(w.attempt); err != nil {
		return err
	}
	return w.err
}

func shutdownRaw(raw syscall.RawConn) {
	raw.Control(func(fd uintptr) { syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
}
