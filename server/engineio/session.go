package engineio

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/puente-io/puente/server/engineio/internal/wsframe"
	"github.com/puente-io/puente/server/engineio/packet"
)

// Handler receives what happens to one session.
//
// HandleMessage and HandleReadEnd are called by one goroutine at a time, in the
// order in which the messages came. HandleClose is called once, possibly while
// a HandleMessage is under way or about to start. A panic of any of them, or of a
// Task, ends the session with [ReasonInternalError] and nothing else, over every
// transport; see [Hooks].
type Handler interface {
	// HandleMessage receives a message. data is valid until it returns. While it
	// blocks, the client is not read, and the heartbeat waits.
	HandleMessage(s *Session, data []byte, binary bool)
	// HandleReadEnd is called after all messages of one read were delivered. A
	// returned Task runs once, on a goroutine that may block without stopping reads.
	HandleReadEnd(s *Session) Task
	// HandleClose is called when the session has ended. err, if not nil, adds to the
	// reason. It should not block: it may run on a goroutine that serves others.
	HandleClose(s *Session, reason Reason, err error)
}

// HandlerFuncs makes a [Handler] of functions; those that are nil do nothing.
type HandlerFuncs struct {
	Message func(s *Session, data []byte, binary bool)
	Close   func(s *Session, reason Reason, err error)
}

// HandleMessage calls h.Message.
func (h HandlerFuncs) HandleMessage(s *Session, data []byte, binary bool) {
	if h.Message != nil {
		h.Message(s, data, binary)
	}
}

// HandleReadEnd does nothing.
func (h HandlerFuncs) HandleReadEnd(*Session) Task { return nil }

// HandleClose calls h.Close.
func (h HandlerFuncs) HandleClose(s *Session, reason Reason, err error) {
	if h.Close != nil {
		h.Close(s, reason, err)
	}
}

type state uint8

const (
	stateOpen    state = iota
	stateClosing       // closed for the handler; what is queued still goes out
	stateClosed
)

// Session is one client's connection, whatever transports carry it. Its methods
// are safe for concurrent use. Only Send and SendNow may wait: within bounds, while
// more is being sent than the client takes or the machine writes.
type Session struct {
	server  *Server
	id      string
	request requestBlock
	origin  *origin
	handler Handler  // set once, before anything is read
	from    *address // whose place it has; nil if addresses are not counted

	formBits atomic.Uint32 // the form in which it takes messages; see setForm

	maxMessage atomic.Int64 // 0: Options.MaxHTTPBufferSize

	reading sync.Mutex // held while packets are delivered to the handler

	// Owned by the flusher.
	nextFlush *Session

	mu         sync.Mutex // guards all below
	state      state
	inLine     bool // is in, or on its way into, the flusher's line
	pinged     bool // a ping is not answered yet
	prolonged  bool // the answer has been given more time
	crowded    bool // counts in flusher.crowded
	behind     bool // is one of backlog.behind
	stalls     uint8
	queue      queue
	tookAt     time.Duration  // while it is behind: when the client last took something, on the backlog's clock
	congestion *congestion    // while publishers wait for it
	polling    polling        // the transport until there is a WebSocket
	probe      *websocketConn // the WebSocket that an upgrade is trying
	ws         *websocketConn // the transport from then on
	waiting    waiting
	endedEarly *ending // set if the session ended before setHandler
}

// ending is why and how a session ends.
type ending struct {
	reason Reason
	err    error
	last   Frame             // answers a waiting poll; zero: the close packet
	event  connEvent         // of the WebSocket, if there is one
	code   wsframe.CloseCode // of its close frame
}

// setHandler sets the handler; if the session has already ended it calls HandleClose.
func (s *Session) setHandler(h Handler) {
	s.mu.Lock()
	s.handler = h
	early := s.endedEarly
	s.mu.Unlock()
	if early != nil {
		s.callHandleClose(h, *early)
	}
}

// handleClose calls HandleClose, or leaves that to setHandler. It is called once.
func (s *Session) handleClose(e ending) {
	s.mu.Lock()
	h := s.handler
	if h == nil {
		s.endedEarly = &e
	}
	s.mu.Unlock()
	if h != nil {
		s.callHandleClose(h, e)
	}
}

// earlyEnd returns how a session has ended that will not get a handler.
func (s *Session) earlyEnd() ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.endedEarly == nil { // another goroutine is about to set it
		return ending{reason: ReasonInternalError}
	}
	return *s.endedEarly
}

func (s *Session) callHandleClose(h Handler, e ending) {
	defer s.recovered()
	defer s.server.sessionClosed(s, e)
	h.HandleClose(s, e.reason, e.err)
}

// ID returns the session id, by default of 20 characters. It is a secret: everybody who
// knows it can send as the client.
func (s *Session) ID() string { return s.id }

// Transport returns the name of the current transport, "polling" or "websocket".
func (s *Session) Transport() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ws != nil {
		return "websocket"
	}
	return "polling"
}

// Open reports whether the session is open: false from the moment when either side
// starts to close it.
func (s *Session) Open() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == stateOpen
}

// Send queues frames, in order and with no other frame between them; another
// goroutine writes them soon. It returns ErrClosed on a session
// that is not open, and ErrSlowConsumer if more than MaxBacklogBytes were queued
// already, which closes the session. If more than MaxQueueBytes are queued it
// waits, for SlowTimeout at most, see the package documentation.
func (s *Session) Send(frames ...Frame) error { return s.send(s.formed(frames)) }

func (s *Session) send(frames []Frame) error {
	wait, err := s.put(frames)
	switch {
	case err == nil:
		s.server.flush()
		if wait {
			s.server.backlog.wait(context.Background(), Patient, []*Session{s})
		}
	case err == ErrSlowConsumer:
		s.overrun()
	}
	return err
}

// AwaitQueue waits until nothing is queued for the client, or at most n bytes are and the
// queues of all clients together are within [Options.MaxTotalQueueBytes], or until the
// session has ended. If n is 0 or less, or above [Options.MaxQueueBytes], MaxQueueBytes
// is used instead. Call it before an answer, so that a client that does not read its
// answers is not read either.
func (s *Session) AwaitQueue(n int) {
	b := s.server.backlog
	if n <= 0 || n > b.mark {
		n = b.mark
	}
	for {
		s.mu.Lock()
		queued := s.queued()
		full := queued > 0 && b.isFull()
		if s.state != stateOpen || queued <= n && !full {
			s.mu.Unlock()
			return
		}
		s.congest()
		if s.congestion.relief == nil {
			s.congestion.relief = make(chan struct{})
		}
		relief := s.congestion.relief
		s.mu.Unlock()
		if !full {
			<-relief
			continue
		}
		b.shed()
		select {
		case <-relief:
		case <-time.After(longestWait):
		}
	}
}

// put queues frames of the session's form and puts the session in the flusher's line if it must be
// there; flusher.wake must follow. wait says that the publisher has to wait for the
// session. After ErrSlowConsumer the caller must call overrun, without locks.
func (s *Session) put(frames []Frame) (wait bool, err error) {
	s.mu.Lock()
	push, wait, err := s.enqueue(frames)
	s.mu.Unlock()
	if push {
		s.server.flusher.push(s)
	}
	return wait, err
}

// overrun closes a session whose queue ran over.
func (s *Session) overrun() { s.close(ReasonSlowConsumer, errBacklog) }

// SendNow queues frames and writes what is queued on this goroutine, as far as the
// connection takes it. Use it for the last send of a burst.
func (s *Session) SendNow(frames ...Frame) error {
	formed := s.formed(frames)
	s.mu.Lock()
	if s.inLine || s.ws != nil && s.ws.writer != writerIdle {
		s.mu.Unlock()
		return s.send(formed)
	}
	_, wait, err := s.enqueue(formed)
	s.inLine = false
	s.mu.Unlock()
	switch {
	case err == nil:
		s.flush(false)
		if wait {
			s.server.backlog.wait(context.Background(), Patient, []*Session{s})
		}
	case err == ErrSlowConsumer:
		s.overrun()
	}
	return err
}

// putVolatile is put for frames that may be lost: if the transport cannot take them
// now it drops them and reports false.
func (s *Session) putVolatile(frames []Frame) bool {
	s.mu.Lock()
	ready := s.state == stateOpen
	if s.ws != nil {
		ready = ready && s.ws.writer != writerBlocked
	} else {
		ready = ready && s.polling.poll != nil
	}
	if !ready {
		s.mu.Unlock()
		return false
	}
	push, _, err := s.enqueue(frames)
	s.mu.Unlock()
	if push {
		s.server.flusher.push(s)
	}
	return err == nil
}

// enqueue reports whether the session has to be put in the flusher's line, and
// whether the publisher is to wait for it. Session.mu is held.
func (s *Session) enqueue(frames []Frame) (push, wait bool, err error) {
	b := s.server.backlog
	if s.state != stateOpen {
		return false, false, ErrClosed
	}
	if s.queued() > b.most {
		return false, false, ErrSlowConsumer
	}
	s.queue.push(frames...)
	if s.queue.bytes > countedFrom {
		wait = s.crowd()
	}
	if s.ws == nil && s.polling.poll == nil {
		s.fallBehind()
	}
	return s.needsFlush(), wait, nil
}

// crowd looks at a queue that is not short, and reports whether the publisher is
// to wait for the session.
func (s *Session) crowd() (wait bool) {
	b := s.server.backlog
	if s.queue.bytes > b.mark/4 && !s.crowded && s.ws != nil && s.ws.writer != writerBlocked && !s.behind {
		s.crowded = true
		s.server.flusher.crowd(1)
	}
	if s.queued() > b.mark {
		s.congest()
		wait = s.delay(b.now()) > 0
	}
	return wait || b.isFull()
}

// relieve removes the session from the count of the crowded.
func (s *Session) relieve() {
	if s.crowded {
		s.crowded = false
		s.server.flusher.crowd(-1)
	}
}

// needsFlush reports whether the session has to be put in line, and marks it as being
// there.
func (s *Session) needsFlush() bool {
	switch {
	case s.ws == nil:
		s.polling.wake() // the poll takes the frames, if there is one
		return false
	case s.inLine || s.ws.writer != writerIdle:
		return false
	}
	s.inLine = true
	return true
}

// flush writes queued frames to the WebSocket unless another goroutine does.
func (s *Session) flush(fromLine bool) {
	s.mu.Lock()
	if fromLine {
		s.inLine = false
	}
	ws := s.ws
	if ws == nil || ws.writer != writerIdle || !ws.pending() {
		s.mu.Unlock()
		return
	}
	ws.writer = writerBusy
	s.mu.Unlock()
	ws.startWrite()
}

// scheduleFlush puts the session in line if it must be there, and starts the flusher.
// The caller holds no lock.
func (s *Session) scheduleFlush() {
	s.mu.Lock()
	push := s.needsFlush()
	s.mu.Unlock()
	if push {
		s.server.flusher.push(s)
	}
	s.server.flusher.wake()
}

// Close ends the session with [ReasonForcedClose]. What is queued is still sent
// before the connection ends, within [Options.CloseTimeout].
func (s *Session) Close() { s.CloseWithReason(ReasonForcedClose, nil) }

// CloseWithReason is Close with a reason, and with an error for the handler and the hooks
// that the client does not get.
func (s *Session) CloseWithReason(reason Reason, err error) {
	s.mu.Lock()
	if s.state != stateOpen {
		s.mu.Unlock()
		return
	}
	s.state = stateClosing
	s.decongest()
	s.waitIn(s.server.lingers)
	if s.ws != nil {
		s.ws.on(eventCloseDue)
	}
	s.mu.Unlock()
	s.scheduleFlush()
	s.handleClose(ending{reason: reason, err: err})
}

// close ends the session at once; what is queued is lost.
func (s *Session) close(reason Reason, err error) { s.finish(ending{reason: reason, err: err}) }

// closedByClient ends the session because the client has closed it.
func (s *Session) closedByClient() { s.finish(ending{reason: ReasonTransportClose, last: noopFrame}) }

// finish ends the session at once; what is queued is lost. If the session has ended
// already, finish only passes the event to its WebSocket. It returns the result of that.
func (s *Session) finish(e ending) afterwards {
	s.mu.Lock()
	was, ws, probe := s.state, s.ws, s.probe
	if was != stateClosed {
		s.state = stateClosed
		s.countForm(-1)
		s.waitIn(nil)
		s.queue.recycle()
		s.relieve()
		s.catchUp()
		s.decongest()
		if e.last.wire == nil {
			e.last = closeFrame
		}
		s.polling.end(e.last)
		s.polling.abort()
	}
	left, write := doNothing, false
	if ws != nil {
		if was != stateClosed && ws.code == wsframe.CloseNormal {
			ws.code = e.code
		}
		if ws.writer == writerBlocked { // the close frame would not get through
			e.event = eventBroken
		}
		left = ws.on(e.event)
		if write = ws.owesClose() && ws.writer == writerIdle; write {
			ws.writer = writerBusy
		}
	}
	s.mu.Unlock()
	if was != stateClosed {
		s.server.remove(s)
		s.server.admission.leave(s.from)
	}
	if write {
		ws.startWrite()
	} else if ws != nil {
		ws.do(left)
	}
	if was == stateClosed {
		return left
	}
	if probe != nil {
		probe.giveUp()
	}
	if was == stateOpen {
		s.server.limits.ended(e.reason, e.err)
		s.handleClose(e)
	}
	return left
}

// receive handles one packet of the client and reports whether the next may
// follow. Session.reading is held.
func (s *Session) receive(p packet.Packet) bool {
	switch p.Type {
	case packet.Message:
		if !s.heard() {
			return false
		}
		s.handler.HandleMessage(s, p.Data, p.Binary)
	case packet.Ping, packet.Pong:
		switch three := s.Protocol() == 3; {
		case three != (p.Type == packet.Ping): // in protocol 4 the server pings, in protocol 3 the client
			s.close(ReasonTransportError, errDirection)
			return false
		case three:
			s.gotPing()
		default:
			s.gotPong()
		}
	case packet.Close:
		s.closedByClient()
		return false
	}
	return true
}
