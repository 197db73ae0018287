package netpoll

import (
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Poller waits on behalf of its connections. Its methods are safe for concurrent
// use.
//
// It has an epoll instance of its own, which the runtime's in turn watches.
type Poller struct {
	epfd  int
	file  *os.File // the epoll instance
	run   func(...Task)
	ended sync.WaitGroup // watch

	mu     sync.Mutex
	slots  []*Conn // by the number that epoll reports
	free   []int32
	closed bool
}

// New returns a poller. run must run each task soon, on a goroutine that may block,
// and must neither block nor keep the slice. The tasks are connections that have
// something to read, and what [Handler.HandleRead] returns.
func New(run func(...Task)) (*Poller, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(epfd, true); err != nil { // or os would not wait for it
		unix.Close(epfd)
		return nil, err
	}
	p := &Poller{epfd: epfd, file: os.NewFile(uintptr(epfd), "epoll"), run: run}
	raw, err := p.file.SyscallConn()
	if err != nil {
		p.file.Close()
		return nil, err
	}
	p.ended.Go(func() { p.watch(raw) })
	return p, nil
}

// Pollable reports whether conn is a plain socket. Other connections, such as TLS and
// wrappers that count or limit, must be read and written through their methods.
func Pollable(conn net.Conn) bool {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

// Take moves a pollable connection from conn to c, which must be zero. conn must not be
// used afterwards. If no descriptor is left, Take reports false and changes nothing.
func (p *Poller) Take(c *Conn, conn net.Conn, h Handler) bool {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return false
	}
	var fd int
	var dupErr error
	if err := raw.Control(func(old uintptr) {
		fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil || dupErr != nil {
		return false
	}
	conn.Close() // the copy keeps the connection
	c.poller, c.handler, c.fd = p, h, fd
	c.refs.Store(1)
	return true
}

// Count returns the number of connections that the poller waits for.
func (p *Poller) Count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.slots) - len(p.free)
}

// Close ends the poller's goroutine and waits for it. No connection may be left.
func (p *Poller) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.file.Close()
	p.ended.Wait()
}

// watch handles events until the poller is closed.
func (p *Poller) watch(raw syscall.RawConn) {
	events := make([]unix.EpollEvent, 256)
	var r reactions
	// The callback stays between two waits: the runtime reports readiness once, and
	// what it reported in between would be lost.
	raw.Read(func(fd uintptr) bool {
		for {
			n, err := unix.EpollWait(int(fd), events, 0)
			if err != nil && err != unix.EINTR {
				return true
			}
			if n > 0 {
				p.handle(events[:n], &r)
			}
			if n < len(events) && err == nil {
				return false
			}
		}
	})
}

// reactions are what to do about events.
type reactions struct {
	ready    []Task // connections to be read
	writable []*Conn
}

// handle reacts to events, in r, which is empty before and after.
func (p *Poller) handle(events []unix.EpollEvent, r *reactions) {
	p.sort(events, r)
	if len(r.ready) > 0 {
		p.run(r.ready...)
	}
	for _, c := range r.writable {
		c.handler.HandleWritable()
	}
	clear(r.ready)
	clear(r.writable)
	r.ready, r.writable = r.ready[:0], r.writable[:0]
}

// sort finds the connections of events and adds them to r.
func (p *Poller) sort(events []unix.EpollEvent, r *reactions) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ev := range events {
		c := p.slots[ev.Fd]
		if c == nil {
			continue
		}
		if ev.Events&unix.EPOLLOUT != 0 {
			r.writable = append(r.writable, c)
		}
		bits := uint32(busy | again)
		if ev.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			bits |= hup
		}
		if c.reading.Or(bits)&busy == 0 {
			r.ready = append(r.ready, c)
		}
	}
}

// add begins to wait for a connection.
func (p *Poller) add(c *Conn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	if n := len(p.free); n > 0 {
		c.slot, p.free = p.free[n-1], p.free[:n-1]
	} else {
		c.slot = int32(len(p.slots))
		p.slots = append(p.slots, nil)
	}
	p.slots[c.slot], c.added = c, true
	if err := p.control(unix.EPOLL_CTL_ADD, c); err != nil {
		p.release(c)
		return err
	}
	return nil
}

// await begins or ends the waiting until a connection takes bytes.
func (p *Poller) await(c *Conn, writable bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.writable = writable
	if !c.added { // add will see writable
		return nil
	}
	return p.control(unix.EPOLL_CTL_MOD, c)
}

// control gives epoll the events that a connection waits for. p.mu is held.
func (p *Poller) control(op int, c *Conn) error {
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET)
	if c.writable {
		events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(p.epfd, op, c.fd, &unix.EpollEvent{Events: events, Fd: c.slot})
}

// remove ends the waiting for a connection that is about to be closed. An event
// that epoll has already reported may reach the slot's next owner, which then finds
// nothing to read.
func (p *Poller) remove(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.added {
		p.control(unix.EPOLL_CTL_DEL, c)
		p.release(c)
	}
}

func (p *Poller) release(c *Conn) {
	p.slots[c.slot], c.added = nil, false
	p.free = append(p.free, c.slot)
}
