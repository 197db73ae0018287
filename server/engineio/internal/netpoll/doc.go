// Package netpoll reads and writes plain sockets without a goroutine for each: a
// silent connection costs its state, and the stack of a parked goroutine would be
// as large as everything else together.
//
//	epoll ──► watch (one goroutine) ──► ready connections ──► run ──► Conn.Run
//
// The owner hands a net.Conn over with [Poller.Take] and begins with [Conn.Start].
// From then on the poller waits, for all connections, until there is something to
// read, and for those that [Conn.AwaitWritable] names, until they take bytes again.
// Whoever runs a ready connection reads what there is and gives it to the
// connection's [Handler]; two goroutines never read one connection at a time.
//
// Only Linux has a poller. Elsewhere [New] returns [errors.ErrUnsupported].
package netpoll

import "errors"

// ErrClosed is returned by a poller that is closed.
var ErrClosed = errors.New("netpoll: closed")

// Handler is the owner of a [Conn].
type Handler interface {
	// HandleRead receives what was read. b is valid until it returns. It may block,
	// which stops the reading of this connection. then, if not nil, is run once, by
	// a goroutine that does not hold up the reading.
	HandleRead(b []byte) (next Next, then Task)
	// HandleWritable is called when the peer takes bytes again, after AwaitWritable
	// or, now and then, without it. It must not block: the poller's goroutine calls it.
	HandleWritable()
	// HandleEnd is called once, when nothing more will be read. err is nil if the peer
	// has closed its side or HandleRead returned Stop. The owner must call Close.
	HandleEnd(err error)
}

// Task is work that a read has made necessary.
type Task = interface{ Run() }

// Next says how to go on after a read.
type Next uint8

// How to go on.
const (
	More  Next = iota
	Pause      // reads nothing more; the connection ends when the peer or Shutdown ends it
	Stop       // ends the connection
)
