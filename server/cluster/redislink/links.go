package redislink

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// Dial makes a connection, as the Dialer of a client's options.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// Links are the open connections of a client, so that all of them can be given up
// together when they lead to the wrong server. Its methods are safe for concurrent
// use.
type Links struct {
	epoch atomic.Uint64

	mu   sync.Mutex
	open map[*link]struct{}
}

// Epoch changes whenever connections are cut. What was sent in one epoch and
// answered in the same went to the server that was believed to be right throughout.
func (l *Links) Epoch() uint64 { return l.epoch.Load() }

// managed is the key of contexts in which connections are dialed that Cut spares.
type managed struct{}

// Managed returns a context for connections that Cut leaves to their owner.
func Managed(ctx context.Context) context.Context { return context.WithValue(ctx, managed{}, true) }

// once is the key of contexts in which one connection is dialed.
type once struct{}

// Once returns a context of which one connection is dialed. go-redis makes a
// subscription's connection again by itself when it breaks, whether its owner goes on
// with it or not; Redis would count the owner twice for a while.
func Once(ctx context.Context) context.Context {
	return context.WithValue(ctx, once{}, new(atomic.Bool))
}

// heard is the key of contexts whose connections report what they read.
type heard struct{}

// Heard returns a context whose connections call f whenever something has been read:
// a large message is a sign of life long before it is complete. f is called by the
// goroutine that reads, and must return at once.
func Heard(ctx context.Context, f func()) context.Context { return context.WithValue(ctx, heard{}, f) }

// errEnded is the error of a connection that is not made again.
const errEnded = Problem("Redis has closed the connection")

// Track returns a dial function whose connections Cut knows.
func (l *Links) Track(dial Dial) Dial {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dialed, ok := ctx.Value(once{}).(*atomic.Bool); ok && dialed.Swap(true) {
			return nil, errEnded
		}
		epoch := l.epoch.Load()
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		k := &link{Conn: conn, links: l, managed: ctx.Value(managed{}) != nil}
		k.heard, _ = ctx.Value(heard{}).(func())
		l.mu.Lock()
		defer l.mu.Unlock()
		if epoch != l.epoch.Load() { // it may lead to where the others were
			conn.Close()
			return nil, ErrMoving
		}
		if l.open == nil {
			l.open = make(map[*link]struct{})
		}
		l.open[k] = struct{}{}
		return k, nil
	}
}

// ErrMoving is the error of a connection that was being made when the others were
// cut.
const ErrMoving = Problem("Redis has another master")

// Cut closes all connections but the managed ones, and begins another epoch. What
// is under way on a connection fails with why.
func (l *Links) Cut(why error) {
	l.mu.Lock()
	l.epoch.Add(1)
	var cut []*link
	for k := range l.open {
		if !k.managed {
			cut = append(cut, k)
		}
	}
	l.mu.Unlock()
	for _, k := range cut {
		k.why.Store(&why)
		k.Close()
	}
}

// link is one connection.
type link struct {
	net.Conn
	links   *Links
	managed bool
	heard   func()                // may be nil
	why     atomic.Pointer[error] // it was cut
}

func (k *link) Read(b []byte) (int, error) {
	n, err := k.Conn.Read(b)
	if n > 0 && k.heard != nil {
		k.heard()
	}
	return n, k.explain(err)
}

func (k *link) Write(b []byte) (int, error) {
	n, err := k.Conn.Write(b)
	return n, k.explain(err)
}

func (k *link) explain(err error) error {
	if err != nil {
		if why := k.why.Load(); why != nil {
			return *why
		}
	}
	return err
}

func (k *link) Close() error {
	k.links.mu.Lock()
	delete(k.links.open, k)
	k.links.mu.Unlock()
	return k.Conn.Close()
}

// SyscallConn lets the client find out whether the server has closed a connection
// that it kept.
func (k *link) SyscallConn() (syscall.RawConn, error) {
	if c, ok := k.Conn.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return nil, errNoSocket
}

const errNoSocket = Problem("no socket")
