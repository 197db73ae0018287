package engineio

import (
	"maps"
	"slices"
	"time"

	"github.com/puente-io/puente/server/engineio/internal/wsframe"
)

// connState is a stage in the life of a WebSocket, which only goes forward. The package
// documentation has the diagram.
type connState uint32

// The states.
const (
	_             connState = iota
	connProbing             // an upgrade tries it; it is not the session's transport yet
	connOpen                // it is the session's transport
	connClosing             // our close frame follows what is queued
	connAnswering           // the client is done and what it sends is discarded; our close frame follows
	connCloseSent           // our close frame is written, or being written; the client's is awaited
	connLingering           // both are done; the client has to end the connection
	connDead                // nothing can be written any more, and what the client sends is discarded
)

// connEvent is what moves a WebSocket on.
type connEvent uint8

// The events.
const (
	eventCloseDue     connEvent = iota // the session is closed by the server
	eventUpgraded                      // the upgrade is complete
	eventClientDone                    // the client sent a close frame or violated the protocol
	eventCloseWritten                  // our close frame was handed to the writer
	eventBroken                        // the connection failed, or a timeout gave it up
	numEvents
)

// transitions has the next state for each event. One that is not listed changes
// nothing.
var transitions = [...][numEvents]connState{
	connProbing:   {eventUpgraded: connOpen, eventClientDone: connAnswering, eventBroken: connDead},
	connOpen:      {eventCloseDue: connClosing, eventClientDone: connAnswering, eventBroken: connDead},
	connClosing:   {eventClientDone: connAnswering, eventCloseWritten: connCloseSent, eventBroken: connDead},
	connAnswering: {eventCloseWritten: connLingering, eventBroken: connDead},
	connCloseSent: {eventClientDone: connLingering, eventBroken: connDead},
	connLingering: {eventBroken: connDead},
	connDead:      {},
}

// afterwards is what is left to do about a transition when no lock is held.
type afterwards uint8

const (
	doNothing afterwards = iota
	doCloseWrite
	doShutdown
)

// in returns the state. A goroutine that does not hold Session.mu sees the state of a
// moment ago.
func (c *websocketConn) in() connState { return connState(c.state.Load()) }

// on makes a transition, and all that belongs to it; the caller passes what it returns
// to do. Nothing else changes the state. Session.mu is held.
func (c *websocketConn) on(e connEvent) afterwards {
	was := c.in()
	next := transitions[was][e]
	if next == 0 {
		return doNothing
	}
	c.state.Store(uint32(next))
	switch next {
	case connCloseSent, connLingering:
		if was != connCloseSent {
			c.session.server.linger(c)
		}
		if next == connLingering && c.writer == writerIdle { // or the writer does it
			return doCloseWrite
		}
	case connDead:
		c.rest = nil
		c.release()
		return doShutdown
	}
	return doNothing
}

// do does what on has left. No lock is held.
func (c *websocketConn) do(a afterwards) {
	switch a {
	case doCloseWrite:
		c.link.CloseWrite()
	case doShutdown:
		c.link.Shutdown()
	}
}

// abort ends the connection, whatever is still to be written.
func (c *websocketConn) abort() {
	c.session.mu.Lock()
	a := c.on(eventBroken)
	c.session.mu.Unlock()
	c.do(a)
}

// clientDone ends the session because of what the client has sent; our close frame
// answers it. The connection is read on, for lingerTime or maxDiscarded bytes, until
// the client ends it. It reports whether our close frame had been written before.
func (c *websocketConn) clientDone(reason Reason, err error, code wsframe.CloseCode) (complete bool) {
	return c.session.finish(ending{reason: reason, err: err, event: eventClientDone, code: code}) == doCloseWrite
}

// HandleEnd implements [netpoll.Handler]: nothing more will be read. It is the end of
// every connection that serve has started.
func (c *websocketConn) HandleEnd(err error) {
	reason := ReasonTransportError
	if err == nil {
		reason = ReasonTransportClose
	}
	s := c.session
	s.mu.Lock()
	transport := s.ws == c
	s.mu.Unlock()
	if transport {
		s.finish(ending{reason: reason, err: err, event: eventBroken})
	} else {
		c.giveUp()
	}
	c.free()
	s.server.goroutines.Done()
}

// free closes a connection that is not read any more. It is called once.
func (c *websocketConn) free() {
	s := c.session
	s.mu.Lock()
	c.on(eventBroken) // so that a concurrent writer does not start the linger timer
	if c.timer != nil {
		c.timer.Stop()
	}
	s.mu.Unlock()
	s.server.forget(c)
	c.link.Close()
}

// linger starts the time after which a connection is ended that has nothing more to
// say: lingerTime, or hurriedLinger on a server that is being closed. Session.mu is
// held.
func (srv *Server) linger(c *websocketConn) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	d := lingerTime
	if srv.closing {
		d = hurriedLinger
	}
	c.timer = time.AfterFunc(d, c.abort)
	srv.lingering[c] = struct{}{}
}

// hurryLingering shortens the time of the connections that linger.
func (srv *Server) hurryLingering() {
	srv.mu.RLock()
	conns := slices.Collect(maps.Keys(srv.lingering))
	srv.mu.RUnlock()
	for _, c := range conns {
		c.session.mu.Lock()
		if c.timer.Stop() {
			c.timer.Reset(hurriedLinger)
		}
		c.session.mu.Unlock()
	}
}

// forget takes a connection out of those that linger.
func (srv *Server) forget(c *websocketConn) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.lingering, c)
}
