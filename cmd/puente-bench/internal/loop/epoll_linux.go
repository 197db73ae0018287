package loop

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	readBuffer  = 256 << 10 // size of the read buffer, which all connections share
	batch       = 512       // epoll events per wait
	pollAtMost  = 50 * time.Millisecond
	readEvents  = unix.EPOLLIN | unix.EPOLLRDHUP
	writeEvents = readEvents | unix.EPOLLOUT
)

// epoll is a Loop on a single thread, without locks.
type epoll struct {
	fd    int
	addrs []unix.Sockaddr
	conns []*epollConn // by file descriptor
	dirty []*epollConn // have queued output since the last flush
	ticks map[int32]func()
	buf   []byte
	born  int32 // number of connections dialled
}

type epollConn struct {
	loop    *epoll
	handler Handler
	out     []byte
	fd      int
	born    int32 // distinguishes events of this connection from those of the descriptor's previous owner in the same batch
	open    bool  // OnOpen was called
	closed  bool
	dirty   bool // is in loop.dirty
	blocked bool // the socket's buffer is full; waits for EPOLLOUT
}

func newPlain(addrs []string) (Loop, error) {
	l := &epoll{ticks: map[int32]func(){}, buf: make([]byte, readBuffer)}
	for _, addr := range addrs {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			return nil, err
		}
		if ip := tcp.IP.To4(); ip != nil {
			l.addrs = append(l.addrs, &unix.SockaddrInet4{Port: tcp.Port, Addr: [4]byte(ip)})
		} else {
			l.addrs = append(l.addrs, &unix.SockaddrInet6{Port: tcp.Port, Addr: [16]byte(tcp.IP.To16())})
		}
	}
	var err error
	l.fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return l, err
}

func (l *epoll) Dial(addr int, h Handler) Conn {
	l.born++
	c := &epollConn{loop: l, handler: h, fd: -1, born: l.born}
	if err := l.connect(c, l.addrs[addr]); err != nil {
		c.drop()
		h.OnClose(err)
	}
	return c
}

func (l *epoll) connect(c *epollConn, addr unix.Sockaddr) (err error) {
	family := unix.AF_INET
	if _, six := addr.(*unix.SockaddrInet6); six {
		family = unix.AF_INET6
	}
	if c.fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	if err := unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return err
	}
	if err := unix.Connect(c.fd, addr); err != nil && err != unix.EINPROGRESS {
		return err
	}
	for len(l.conns) <= c.fd {
		l.conns = append(l.conns, nil)
	}
	l.conns[c.fd] = c
	return unix.EpollCtl(l.fd, unix.EPOLL_CTL_ADD, c.fd, c.event(writeEvents))
}

func (l *epoll) Tick(period time.Duration, f func(time.Time)) (stop func()) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		panic(fmt.Sprintf("loop: timerfd: %v", err)) // only without free descriptors or memory
	}
	spec := unix.NsecToTimespec(period.Nanoseconds())
	next := time.Now()
	err = unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: spec, Value: spec}, nil)
	if err == nil {
		err = unix.EpollCtl(l.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
	}
	if err != nil {
		panic(fmt.Sprintf("loop: timerfd: %v", err))
	}
	l.ticks[int32(fd)] = func() {
		var expired [8]byte
		if _, err := unix.Read(fd, expired[:]); err != nil {
			return
		}
		for range binary.NativeEndian.Uint64(expired[:]) {
			next = next.Add(period)
			f(next)
		}
	}
	return func() {
		if l.ticks[int32(fd)] != nil {
			delete(l.ticks, int32(fd))
			unix.Close(fd)
		}
	}
}

func (l *epoll) Run(ctx context.Context, limit time.Duration, done func() bool) error {
	// Without this, the blocking wait would move the goroutine between threads.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	deadline := time.Now().Add(limit)
	events := make([]unix.EpollEvent, batch)
	for {
		if done() {
			return nil
		}
		l.flush() // after done, which may have queued more
		left := time.Until(deadline)
		if left <= 0 {
			return ErrTimeout
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := rawEpollWait(l.fd, events, int(min(left, pollAtMost).Milliseconds())+1)
		if err != nil && err != unix.EINTR {
			return err
		}
		for _, e := range events[:max(n, 0)] {
			if tick := l.ticks[e.Fd]; tick != nil {
				tick()
			} else if int(e.Fd) < len(l.conns) {
				if c := l.conns[e.Fd]; c != nil && c.born == e.Pad {
					c.handle(e.Events)
				}
			}
		}
	}
}

func (l *epoll) flush() {
	for i := 0; i < len(l.dirty); i++ { // OnClose after a failed write may queue more
		c := l.dirty[i]
		c.dirty = false
		if !c.closed && c.open && !c.blocked {
			c.flush()
		}
	}
	l.dirty = l.dirty[:0]
}

func (l *epoll) Close() error {
	for _, c := range l.conns {
		if c != nil {
			c.drop()
		}
	}
	for fd := range l.ticks {
		unix.Close(int(fd))
	}
	return unix.Close(l.fd)
}

func (c *epollConn) handle(events uint32) {
	if !c.open {
		if errno, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || errno != 0 {
			c.fail(fmt.Errorf("loop: connect: %w", unix.Errno(errno)))
			return
		}
		c.open = true
		c.await(readEvents)
		c.handler.OnOpen()
	} else if events&unix.EPOLLOUT != 0 && c.blocked {
		c.blocked = false
		c.await(readEvents)
		c.flush()
	}
	if c.closed || events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) == 0 {
		return
	}
	n, err := rawRead(c.fd, c.loop.buf)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
	case err != nil:
		c.fail(err)
	case n == 0:
		c.fail(ErrEOF)
	default:
		c.handler.OnData(c.loop.buf[:n])
	}
}

func (c *epollConn) Write(b []byte) {
	if c.closed {
		return
	}
	c.out = append(c.out, b...)
	if !c.dirty {
		c.dirty = true
		c.loop.dirty = append(c.loop.dirty, c)
	}
}

func (c *epollConn) flush() {
	for len(c.out) > 0 {
		n, err := rawWrite(c.fd, c.out)
		if err == unix.EAGAIN {
			c.blocked = true
			c.await(writeEvents)
			return
		}
		if err != nil && err != unix.EINTR {
			c.fail(err)
			return
		}
		c.out = append(c.out[:0], c.out[max(n, 0):]...)
	}
	if cap(c.out) > 4096 {
		c.out = nil
	}
}

func (c *epollConn) await(events uint32) {
	if err := unix.EpollCtl(c.loop.fd, unix.EPOLL_CTL_MOD, c.fd, c.event(events)); err != nil {
		c.fail(err)
	}
}

func (c *epollConn) event(events uint32) *unix.EpollEvent {
	return &unix.EpollEvent{Events: events, Fd: int32(c.fd), Pad: c.born}
}

func (c *epollConn) fail(err error) {
	if !c.closed {
		c.drop()
		c.handler.OnClose(err)
	}
}

func (c *epollConn) Close() { c.drop() }

func (c *epollConn) drop() {
	if c.closed {
		return
	}
	c.closed = true
	c.out = nil
	if c.fd >= 0 {
		if c.fd < len(c.loop.conns) {
			c.loop.conns[c.fd] = nil
		}
		unix.Close(c.fd)
	}
}
