// Package loop drives many TCP connections from one goroutine at a time, so that a load generator costs far less than the
// server it measures and its workloads need no locks.
//
// On Linux, plain connections are driven by one thread over epoll: one read per ready connection into one shared buffer, and one write
// per connection and batch, however many messages the batch brought. Elsewhere, and for TLS, a portable twin runs
// one reading goroutine per connection and serialises the handlers with a mutex.
package loop

import (
	"context"
	"crypto/tls"
	"errors"
	"time"
)

// Errors that a Handler's OnClose or Loop.Run may report.
var (
	ErrClosed  = errors.New("loop: closed by this side")
	ErrEOF     = errors.New("loop: closed by the server")
	ErrTimeout = errors.New("loop: not done in time")
)

// Handler receives what happens to one connection. Its methods are never called concurrently with those of any other
// Handler of the same Loop, and must not block.
type Handler interface {
	// OnOpen is called once, when the connection is established.
	OnOpen()
	// OnData is called with the bytes of one read. They are valid until it returns.
	OnData(b []byte)
	// OnClose is called once, last, unless the connection was closed through Conn.Close. A connection that could not be
	// established gets OnClose alone.
	OnClose(err error)
}

// Conn is one connection. Its methods may be called only from within handlers, ticks, and between calls of Loop.Run.
type Conn interface {
	// Write queues a copy of b. Everything queued while a batch is handled leaves in one write.
	Write(b []byte)
	// Close drops the connection with a reset, which leaves no TIME_WAIT entry to use up the ports of the next run.
	Close()
}

// Loop owns connections and time. It is driven by Run; Dial and Tick follow the rule of Conn's methods.
type Loop interface {
	// Dial starts a connection to the loop's address of an index. The outcome arrives at h, a failure possibly before Dial
	// returns.
	Dial(addr int, h Handler) Conn
	// Tick calls f every period with the nominal time of the tick, once for each period that passed, so that lateness of
	// this process counts as latency and is not hidden. It returns what stops it.
	Tick(period time.Duration, f func(nominal time.Time)) (stop func())
	// Run handles events until done reports true (nil), the time is up (ErrTimeout) or ctx ends (its error). done is
	// called after every batch.
	Run(ctx context.Context, limit time.Duration, done func() bool) error
	// Close drops every connection and joins every goroutine.
	Close() error
}

// New returns a loop whose connections go to addrs (host:port each): over TLS where config is not nil.
func New(addrs []string, config *tls.Config) (Loop, error) {
	if config != nil {
		return newPortable(addrs, config), nil
	}
	return newPlain(addrs)
}
