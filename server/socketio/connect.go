package socketio

import (
	"context"
	"errors"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio/packet"
)

// errNamespace refuses a CONNECT to a namespace that does not exist, with Node's text.
var errNamespace = &ConnectError{Message: "Invalid namespace"}

// begin accepts or refuses the socket's CONNECT. If nothing can block it does
// so on the caller's goroutine, so that a client gets the answers for several
// namespaces in the order of its CONNECTs.
func (s *Socket) begin() {
	srv := s.client.server
	s.ns = srv.lookup(s)
	switch {
	case s.ns == nil && !srv.hasPatterns():
		s.refuse(errNamespace)
	case s.ns == nil || len(s.ns.Handlers.set.Load().middleware) > 0 || s.rec != nil && s.rec.pid != "":
		srv.spawn(s.run)
	case !s.connect():
		srv.release(s.ns)
	default:
		srv.spawn(s.serveEvents)
	}
}

// run accepts or refuses the socket's CONNECT and then serves its events. It
// may block.
func (s *Socket) run() {
	srv := s.client.server
	if s.ns == nil {
		var err error
		if s.ns, err = srv.lookupOrCreate(s); err != nil {
			srv.failed(s, "", err)
			s.refuse(err)
			return
		}
	}
	ns := s.ns
	if ns == nil {
		s.refuse(errNamespace)
		return
	}
	s.claimSession()
	middleware := ns.Handlers.set.Load().middleware
	if s.recovered && !s.checksRecovered() {
		middleware = nil
	}
	for _, m := range middleware {
		if err := Guard(func() error { return m(&s.ctx, s) }); err != nil {
			if errors.Is(err, ErrPanic) {
				srv.failed(s, "", err)
			}
			if f := srv.opts.Hooks.Refused; f != nil {
				srv.observe(func() { f(s, err) })
			}
			s.unclaim()
			s.refuse(err)
			srv.release(ns)
			return
		}
	}
	s.allowRecovery()
	if !s.connect() {
		srv.release(ns)
		return
	}
	s.serveEvents()
}

// serveEvents runs the OnConnect functions and then the handlers of queued
// events.
func (s *Socket) serveEvents() {
	s.awaitPrevious()
	for _, f := range s.ns.Handlers.set.Load().connect {
		if err := Guard(func() error { return f(&s.ctx, s) }); err != nil {
			s.client.server.failed(s, "", err)
			if s.Connected() || !errors.Is(err, ErrDisconnected) && !errors.Is(err, context.Canceled) {
				s.disconnect()
			} // else it failed because the connection was lost, after which the client may come back
			break
		}
	}
	s.mu.Lock()
	s.greeted = true
	if s.forget {
		s.auth = noAuth
	}
	if s.rec != nil {
		s.rec.before = nil
	}
	s.mu.Unlock()
	s.dispatch()
}

// connect answers CONNECT and adds the socket to the room table, in one step as
// broadcasts see it. It reports false if the socket has disconnected.
func (s *Socket) connect() bool {
	s.mu.Lock()
	if s.state == disconnected {
		s.mu.Unlock()
		s.unclaim()
		return false
	}
	s.state = connected
	s.mu.Unlock()
	s.client.join(s)
	var queued engineio.Queued
	var err error
	var rooms []string
	if rooms, queued, err = s.list(); err != nil {
		s.client.server.recoveries.failed(err)
		s.startAfresh()
		_, queued, _ = s.list()
	}
	if s.recovered {
		s.client.server.recoveries.recovered.Add(1)
		s.ns.let(s.id, rooms)
		s.roomsJoined(rooms)
	}
	if !s.Connected() {
		s.unlist() // it disconnected before Add, so close could not remove it
	}
	queued.Settle()
	return true
}

// list answers CONNECT, after the events that the client has missed, and adds the socket
// to the room table and to its rooms. err says why it could not recover the socket.
func (s *Socket) list() (rooms []string, queued engineio.Queued, err error) {
	accepted := packet.Packet{Type: packet.Connect, Namespace: s.nsName}
	queued = s.client.server.engine.Batch(func(b *engineio.Batch) {
		s.ns.locked(func() {
			var missed []*engineio.Message
			if s.rec != nil {
				if missed, rooms, err = s.resume(); err != nil {
					return
				}
			}
			accepted.Data = s.ids()
			answer, _ := s.client.message(&accepted, false)
			s.ns.sockets.Add(s, func() {
				for _, m := range missed {
					b.Add(s.client.session, m)
				}
				b.Add(s.client.session, answer)
			})
			s.ns.sockets.Join(s, rooms...)
		})
	})
	return rooms, queued, err
}

// ids returns what the client learns with the answer to CONNECT.
func (s *Socket) ids() []byte {
	switch {
	case s.client.session.Protocol() == 3:
		return nil
	case s.rec == nil:
		return []byte(`{"sid":"` + s.id + `"}`)
	}
	return []byte(`{"sid":"` + s.id + `","pid":"` + s.rec.session.PID + `"}`)
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
	s.mu.Lock()
	gone := s.state == disconnected
	s.state = disconnected
	s.ended = true
	s.ctx.cancel()
	s.mu.Unlock()
	if gone {
		return
	}
	s.client.remove(s, false)
	s.post(s.connectError(err, message, data))
	s.client.refused()
}

// connectError returns a CONNECT_ERROR, without the data if it cannot be encoded.
func (s *Socket) connectError(err error, message string, data any) *engineio.Message {
	p := packet.Packet{Type: packet.ConnectError, Namespace: s.nsName}
	if s.client.session.Protocol() == 3 {
		p.Data = refusal4(err, message, data)
		return textMessage(&p, nil, false)
	}
	text, _, _ := AppendArg([]byte(`{"message":`), nil, message)
	if data != nil {
		if with, _, err := AppendArg(append(text, `,"data":`...), nil, data); err == nil {
			p.Data = append(with, '}')
			if m, err := s.client.message(&p, false); err == nil {
				return m
			}
		}
	}
	p.Data = append(text, '}')
	m, _ := s.client.message(&p, false) // a string can be encoded
	return m
}
