package redislink

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// Dial makes a connection, like the Dialer of a client's options.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// Links tracks the open connections of a client, so that all can be closed together when
// they lead to the wrong server. Its methods are safe for concurrent use.
type Links struct {
	epoch atomic.Uint64

	mu   sync.Mutex
	open map[*link]struct{}
}

// Epoch returns a number that changes whenever connections are cut. A command that was
// sent and answered in one epoch went to the server that was assumed to be right all the
// time.
func (l *Links) Epoch() uint64 { return l.epoch.Load() }

// managed is the context key for connections that Cut does not close.
type managed struct{}

// Managed returns a context whose connections Cut does not close: their owner does.
func Managed(ctx context.Context) context.Context { return context.WithValue(ctx, managed{}, true) }

// once is the context key for one connection.
type once struct{}

// Once returns a context for dialing one connection: a second dial fails. Otherwise
// go-redis would replace the broken connection of a subscription by itself, and Redis
// would count the subscriber twice for a while.
func Once(ctx context.Context) context.Context {
	return context.WithValue(ctx, once{}, new(atomic.Bool))
}

// heard is the context key for connections that report reads.
type heard struct{}

// Heard returns a context whose connections call f after each read: a large message is a
// sign of life long before it is complete. f is called by the goroutine that reads, and
// must return at once.
func Heard(ctx context.Context, f func()) context.Context { return context.WithValue(ctx, heard{}, f) }

// errEnded is the error of the second connection in a context of Once.
const errEnded = Problem("Redis has closed the connection")

// Track returns a dial function whose connections are tracked.
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
		if epoch != l.epoch.Load() { // it may lead to the same wrong server
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

// ErrMoving is the error of a connection that was being dialed when the others were cut.
const ErrMoving = Problem("Redis has another master")

// Cut closes all connections except managed ones, and begins a new epoch. Commands that
// wait for a reply fail with why.
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
	why     atomic.Pointer[error] // of Cut
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

// SyscallConn lets go-redis check whether the server has closed an idle connection.
func (k *link) SyscallConn() (syscall.RawConn, error) { return rawConn(k.Conn) }

func rawConn(conn net.Conn) (syscall.RawConn, error) {
	if c, ok := conn.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return nil, errNoSocket
}

const errNoSocket = Problem("no socket")
