package socketio

import (
	"errors"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio/packet"
)

// publicError is what a client may read of an error.
func publicError(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, ErrDecode):
		return &Error{Code: "invalid", Message: "invalid argument"}
	}
	return errInternal
}

// errInternal stands for what a client need not know.
var errInternal = &Error{Code: "internal", Message: "internal error"}

// errNamespace refuses a CONNECT to a namespace that there is not, in Node's words.
var errNamespace = &ConnectError{Message: "Invalid namespace"}

// begin has the socket's connection decided about. Where nothing can block that
// is done here, so that a client that connects to several namespaces at once
// gets the answers in the order of its questions.
func (s *Socket) begin() {
	srv := s.client.server
	s.ns = srv.known(s)
	switch {
	case s.ns == nil && !srv.hasPatterns():
		s.refuse(errNamespace)
	case s.ns == nil || len(s.ns.Handlers.set.Load().middleware) > 0:
		srv.spawn(s.run)
	case !s.connect():
		srv.release(s.ns)
	default:
		srv.spawn(s.serveEvents)
	}
}

// run decides about a socket's connection, answers it, and goes on to serve its
// events.
func (s *Socket) run() {
	srv := s.client.server
	if s.ns == nil {
		s.ns = srv.matching(s)
	}
	ns := s.ns
	if ns == nil {
		s.refuse(errNamespace)
		return
	}
	for _, m := range ns.Handlers.set.Load().middleware {
		if err := Guard(func() error { return m(&s.ctx, s) }); err != nil {
			if errors.Is(err, ErrPanic) {
				srv.failed(s, "", err)
			}
			if f := srv.opts.Hooks.Refused; f != nil {
				f(s, err)
			}
			s.refuse(err)
			srv.release(ns)
			return
		}
	}
	if !s.connect() {
		srv.release(ns)
		return
	}
	s.serveEvents()
}

// serveEvents tells the program of a connected socket, and then of its events.
func (s *Socket) serveEvents() {
	for _, f := range s.ns.Handlers.set.Load().connect {
		if err := Guard(func() error { return f(&s.ctx, s) }); err != nil {
			s.client.server.failed(s, "", err)
			s.disconnect()
			break
		}
	}
	s.mu.Lock()
	s.greeted = true
	if s.forget {
		s.auth = noAuth
	}
	s.mu.Unlock()
	s.dispatch()
}

// connect answers CONNECT and makes the socket known, in one step for whoever
// broadcasts. It reports false where the client has gone.
func (s *Socket) connect() bool {
	s.mu.Lock()
	if s.state == disconnected {
		s.mu.Unlock()
		return false
	}
	s.state = connected
	s.mu.Unlock()
	s.client.join(s)
	answer := frames(&packet.Packet{Type: packet.Connect, Namespace: s.nsName, Data: []byte(`{"sid":"` + s.id + `"}`)}, false)
	queued := s.client.server.engine.Batch(func(b *engineio.Batch) {
		s.ns.sockets.Add(s, func() { b.Add(s.client.session, answer...) })
		if !s.Connected() {
			s.unlist() // it went before it was there to be forgotten
		}
	})
	queued.Settle()
	return true
}

// refuse answers CONNECT with an error.
func (s *Socket) refuse(err error) {
	message, data := err.Error(), any(nil)
	var ce *ConnectError
	if errors.As(err, &ce) {
		message, data = ce.Message, ce.Data
	}
	if errors.Is(err, ErrPanic) {
		message = "internal error"
	}
	text, _, _ := AppendArg([]byte(`{"message":`), nil, message)
	if data != nil {
		if with, _, err := AppendArg(append(text, `,"data":`...), nil, data); err == nil {
			text = with
		}
	}
	s.mu.Lock()
	gone := s.state == disconnected
	s.state = disconnected
	s.told = true
	s.ctx.cancel()
	s.mu.Unlock()
	if gone {
		return
	}
	s.client.remove(s, false)
	s.post([]engineio.Frame{frames(&packet.Packet{
		Type: packet.ConnectError, Namespace: s.nsName, Data: append(text, '}'),
	}, false)[0]})
	s.client.refused()
}
