package loop

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// portable is the Loop for TLS and for systems without epoll. Each connection has a reading goroutine. mu serialises
// handlers and ticks; Run releases it only while it waits, and it stays held between calls of Run.
type portable struct {
	addrs  []string
	config *tls.Config
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wake   chan struct{} // a batch was handled
	wg     sync.WaitGroup

	mu    sync.Mutex
	conns map[*portableConn]struct{}
}

type portableConn struct {
	loop    *portable
	handler Handler
	ready   chan struct{} // out is not empty, or the connection is closed; capacity 1

	// Guarded by loop.mu.
	nc     net.Conn // nil until established
	out    []byte
	closed bool
}

func newPortable(addrs []string, config *tls.Config) *portable {
	ctx, cancel := context.WithCancel(context.Background())
	l := &portable{addrs: addrs, config: config, ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1),
		conns: map[*portableConn]struct{}{}}
	l.mu.Lock()
	return l
}

func (l *portable) Dial(addr int, h Handler) Conn {
	c := &portableConn{loop: l, handler: h, ready: make(chan struct{}, 1)}
	l.conns[c] = struct{}{}
	l.wg.Go(func() { c.run(l.addrs[addr]) })
	return c
}

// do calls f with mu held, and wakes Run, which then calls done.
func (l *portable) do(f func()) {
	l.mu.Lock()
	f()
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *portable) Tick(period time.Duration, f func(time.Time)) (stop func()) {
	ctx, cancel := context.WithCancel(l.ctx)
	next := time.Now()
	l.wg.Go(func() {
		ticker := time.NewTicker(period)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C: // a Ticker drops missed ticks; f is called for each of them here
				l.do(func() {
					for ctx.Err() == nil && !next.Add(period).After(now) {
						next = next.Add(period)
						f(next)
					}
				})
			}
		}
	})
	return cancel
}

func (l *portable) Run(ctx context.Context, limit time.Duration, done func() bool) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		if done() {
			return nil
		}
		l.mu.Unlock()
		var err error
		select {
		case <-l.wake:
		case <-timer.C:
			err = ErrTimeout
		case <-ctx.Done():
			err = ctx.Err()
		}
		l.mu.Lock()
		if err != nil {
			return err
		}
	}
}

func (l *portable) Close() error {
	l.cancel()
	for c := range l.conns {
		c.Close()
	}
	l.mu.Unlock()
	l.wg.Wait()
	l.mu.Lock()
	return nil
}

func (c *portableConn) run(addr string) {
	nc, err := c.loop.dial(addr)
	opened := false
	c.loop.do(func() {
		switch {
		case c.closed:
			if nc != nil {
				nc.Close()
			}
		case err != nil:
			c.fail(err)
		default:
			c.nc, opened = nc, true
			c.handler.OnOpen()
		}
	})
	if !opened {
		return
	}
	c.loop.wg.Go(c.write)
	c.read(nc)
}

func (l *portable) dial(addr string) (net.Conn, error) {
	nc, err := (&net.Dialer{}).DialContext(l.ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	_ = nc.(*net.TCPConn).SetLinger(0) // if it fails, ports remain in TIME_WAIT
	if l.config == nil {
		return nc, nil
	}
	tc := tls.Client(nc, l.config)
	if err := tc.HandshakeContext(l.ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return tc, nil
}

func (c *portableConn) read(nc net.Conn) {
	buf := make([]byte, 16<<10)
	for {
		n, err := nc.Read(buf)
		if errors.Is(err, io.EOF) {
			err = ErrEOF
		}
		stop := false
		c.loop.do(func() {
			if n > 0 && !c.closed {
				c.handler.OnData(buf[:n])
			}
			if err != nil {
				c.fail(err)
			}
			stop = c.closed
		})
		if stop {
			return
		}
	}
}

func (c *portableConn) write() {
	var spare []byte
	for range c.ready {
		c.loop.mu.Lock()
		b, nc, closed := c.out, c.nc, c.closed
		c.out = spare[:0]
		c.loop.mu.Unlock()
		if closed {
			return
		}
		if _, err := nc.Write(b); err != nil {
			c.loop.do(func() { c.fail(err) })
			return
		}
		spare = b
	}
}

func (c *portableConn) signal() {
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

func (c *portableConn) Write(b []byte) {
	if !c.closed {
		c.out = append(c.out, b...)
		c.signal()
	}
}

func (c *portableConn) fail(err error) {
	if !c.closed {
		c.Close()
		c.handler.OnClose(err)
	}
}

func (c *portableConn) Close() {
	if c.closed {
		return
	}
	c.closed = true
	delete(c.loop.conns, c)
	if c.nc != nil {
		if tc, ok := c.nc.(*tls.Conn); ok {
			tc.NetConn().Close() // without close_notify, which could block on a full send buffer
		} else {
			c.nc.Close()
		}
	}
	c.signal()
}
