package engineio

import (
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// poller waits on behalf of all WebSockets that are plain sockets: until there is
// something to read, and, of those that do not take what is written, until they
// do. So a silent one costs its state and no goroutine: a parked goroutine's
// stack would be as large as everything else together.
//
//	epoll ──► watch (one goroutine) ──► ready connections ──► workers
//
// The poller has an epoll instance of its own, which the runtime's in turn
// watches. A worker reads what there is, lets go of the connection, and then
// does the work that reading has brought, which may block.
type poller struct {
	epfd    int
	file    *os.File // the epoll instance
	workers *workers
	ended   sync.WaitGroup // watch

	mu     sync.Mutex
	slots  []*websocketConn // by the number that epoll tells
	free   []int32
	closed bool
}

// The bits of socket.state. Who sets busy owns the reading until he clears
// it, which he can only do while again is not set.
const (
	pollBusy  = 1 << iota // a worker's, or being read
	pollAgain             // something has come since
	pollHup               // the client has closed its side: what comes last is EOF
)

func newPoller(w *workers) (*poller, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(epfd, true); err != nil { // or os would not wait for it
		unix.Close(epfd)
		return nil, err
	}
	p := &poller{epfd: epfd, file: os.NewFile(uintptr(epfd), "epoll"), workers: w}
	raw, err := p.file.SyscallConn()
	if err != nil {
		p.file.Close()
		return nil, err
	}
	p.ended.Go(func() { p.watch(raw) })
	return p, nil
}

// watch gives ready connections to workers until the poller is closed.
func (p *poller) watch(raw syscall.RawConn) {
	events := make([]unix.EpollEvent, 256)
	var b batch
	// The callback is not left between two waits: readiness that the runtime
	// was told of in between would be lost.
	raw.Read(func(fd uintptr) bool {
		for {
			n, err := unix.EpollWait(int(fd), events, 0)
			if err != nil && err != unix.EINTR {
				return true
			}
			if n > 0 {
				p.handle(events[:n], &b)
			}
			if n < len(events) && err == nil {
				return false
			}
		}
	})
}

// batch is what to do about events.
type batch struct {
	ready    []Task           // connections to be read
	relieved []*websocketConn // and those that take what is written again
}

// handle does what is to be done about events, with an empty batch to use.
func (p *poller) handle(events []unix.EpollEvent, b *batch) {
	p.sort(events, b)
	if len(b.ready) > 0 {
		p.workers.do(b.ready...)
	}
	for _, c := range b.relieved {
		c.unblock()
	}
	clear(b.ready)
	clear(b.relieved)
	b.ready, b.relieved = b.ready[:0], b.relieved[:0]
}

// sort finds out whose the events are and what they mean.
func (p *poller) sort(events []unix.EpollEvent, b *batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ev := range events {
		c := p.slots[ev.Fd]
		if c == nil {
			continue
		}
		if ev.Events&unix.EPOLLOUT != 0 {
			b.relieved = append(b.relieved, c)
		}
		bits := uint32(pollBusy | pollAgain)
		if ev.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			bits |= pollHup
		}
		if c.socket.state.Or(bits)&pollBusy == 0 {
			b.ready = append(b.ready, c)
		}
	}
}

// add has the connection read from now on.
func (p *poller) add(c *websocketConn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	if n := len(p.free); n > 0 {
		c.socket.slot, p.free = p.free[n-1], p.free[:n-1]
	} else {
		c.socket.slot = int32(len(p.slots))
		p.slots = append(p.slots, nil)
	}
	p.slots[c.socket.slot], c.socket.known = c, true
	if err := p.control(unix.EPOLL_CTL_ADD, c); err != nil {
		p.release(c)
		return err
	}
	return nil
}

// await has the connection's unblock called as soon as the client takes what is
// written, or, where writable is false, no longer.
func (p *poller) await(c *websocketConn, writable bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.socket.writable = writable
	if !c.socket.known { // it may be soon
		return nil
	}
	return p.control(unix.EPOLL_CTL_MOD, c)
}

// control tells epoll what is awaited of a connection. p.mu is held.
func (p *poller) control(op int, c *websocketConn) error {
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET)
	if c.socket.writable {
		events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(p.epfd, op, c.socket.fd, &unix.EpollEvent{Events: events, Fd: c.socket.slot})
}

// remove forgets a connection that is about to be closed. An event of it that
// has been fetched already may reach the slot's next owner, who then looks in
// vain for something to read.
func (p *poller) remove(c *websocketConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.socket.known {
		p.control(unix.EPOLL_CTL_DEL, c)
		p.release(c)
	}
}

func (p *poller) release(c *websocketConn) {
	p.slots[c.socket.slot], c.socket.known = nil, false
	p.free = append(p.free, c.socket.slot)
}

// close ends watch. No connection may be left.
func (p *poller) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.file.Close()
	p.ended.Wait()
}

// Run implements [Task]: it reads what there is, by the goroutine that owns the
// reading, and then does the work that it brings.
func (c *websocketConn) Run() {
	for {
		c.socket.state.And(^uint32(pollAgain))
		task, err := c.drain()
		if err != nil {
			if task != nil {
				defer task.Run()
			}
			c.ended(err)
			return
		}
		state := c.socket.state.Load()
		if state&pollAgain == 0 && c.socket.state.CompareAndSwap(state, state&^pollBusy) {
			if task != nil {
				task.Run()
			}
			return
		}
		c.session.server.do(task)
	}
}
