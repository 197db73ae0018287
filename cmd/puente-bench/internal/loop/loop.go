// Package loop handles many TCP connections on one goroutine at a time, so that the load generator needs far less CPU than the
// server it measures, and workloads need no locks.
//
// On Linux, one thread handles plain connections with epoll: one read per ready connection into a shared buffer, and one write
// per connection and batch, however many messages the batch had. On other systems, and for TLS, a portable implementation
// has a reading goroutine per connection and serialises the handlers with a mutex.
package loop

import (
	"context"
	"crypto/tls"
	"errors"
	"time"
)

// Errors of Handler.OnClose and Loop.Run.
var (
	ErrClosed  = errors.New("loop: closed by this side")
	ErrEOF     = errors.New("loop: closed by the server")
	ErrTimeout = errors.New("loop: timed out")
)

// Handler handles the events of a connection. Its methods are never called concurrently with those of any other Handler of
// the same Loop, and must not block.
type Handler interface {
	// OnOpen is called once, when the connection is established.
	OnOpen()
	// OnData is called with the bytes of a read. They are valid until it returns.
	OnData(b []byte)
	// OnClose is called once, as the last method, unless the connection was closed with Conn.Close. If the connection cannot
	// be established, only OnClose is called.
	OnClose(err error)
}

// Conn is a connection. Its methods may only be called from handlers and ticks, and between calls of Loop.Run.
type Conn interface {
	// Write queues a copy of b. Everything queued during a batch is sent with one write.
	Write(b []byte)
	// Close closes the connection with a reset, which leaves no port in TIME_WAIT.
	Close()
}

// Loop owns connections and ticks. Run calls their handlers; Dial and Tick may be called when methods of Conn may be.
type Loop interface {
	// Dial starts a connection to the loop's address with index addr. h receives the result; a failure may be reported
	// before Dial returns.
	Dial(addr int, h Handler) Conn
	// Tick calls f every period with the nominal time of the tick. It calls f for each period that has passed, so that
	// delays of this process count as latency. stop stops the ticks.
	Tick(period time.Duration, f func(nominal time.Time)) (stop func())
	// Run handles events until done returns true (then it returns nil), limit has passed (ErrTimeout), or ctx ends (its
	// error). It calls done after every batch.
	Run(ctx context.Context, limit time.Duration, done func() bool) error
	// Close closes every connection and waits for every goroutine.
	Close() error
}

// New returns a loop for connections to addrs, each host:port, with TLS if config is not nil.
func New(addrs []string, config *tls.Config) (Loop, error) {
	if config != nil {
		return newPortable(addrs, config), nil
	}
	return newPlain(addrs)
}
