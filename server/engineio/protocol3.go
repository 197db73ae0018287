package engineio

import (
	"unsafe"

	"github.com/gobwas/ws"

	"github.com/puente-io/puente/server/engineio/packet"
)

// This file has what differs in protocol 3, which clients of Socket.IO 1.x and 2.x speak:
// the client pings, and packets are encoded as package packet says for revision 3.

// protocolOf returns the protocol that a request speaks, or 0 if the server does not
// speak it. As on Node, every value of EIO that is not 4 means 3.
func (srv *Server) protocolOf(eio string) int {
	switch {
	case eio == "4":
		return 4
	case srv.opts.AllowProtocol3:
		return 3
	}
	return 0
}

// Protocol returns the protocol of the session: 4, or 3 if [Options.AllowProtocol3] is
// set.
func (s *Session) Protocol() int {
	if s.form()&formProtocol3 != 0 {
		return 3
	}
	return 4
}

// Protocol3 returns how many sessions of protocol 3 are open, and how many there have been
// since the server was made.
func (srv *Server) Protocol3() (open, total int64) {
	return srv.protocol3.Load(), srv.protocol3Total.Load()
}

// heartbeat returns the queue in which a new session waits.
func (s *Session) heartbeat() *deadlines {
	if s.Protocol() == 3 {
		return s.server.silences
	}
	return s.server.pings
}

// maxPongs is how many frames may be queued for a client whose last one is a pong, before
// further pings get no pong of their own: a client that floods the server with pings and
// reads nothing must not make a queue grow.
const maxPongs = 256

// gotPing answers a ping of protocol 3, and restarts the time until the next. It is for
// the client, not for us, to notice that a pong is missing.
func (s *Session) gotPing() {
	s.mu.Lock()
	if s.state != stateOpen {
		s.mu.Unlock()
		return
	}
	s.stalls = 0
	s.waitIn(s.server.silences)
	if all := s.queue.all(); len(all) >= maxPongs && all[len(all)-1].is(pongFrame) {
		s.mu.Unlock()
		return
	}
	push, _, err := s.enqueue([]Frame{pongFrame})
	s.mu.Unlock()
	if err == ErrSlowConsumer {
		s.overrun()
		return
	}
	if push {
		s.server.flusher.push(s)
	}
	s.server.flusher.wake()
}

// is reports whether both are copies of one frame.
func (f Frame) is(g Frame) bool { return unsafe.SliceData(f.wire) == unsafe.SliceData(g.wire) }

// silent closes a session of protocol 3 whose client has not pinged in time, unless the
// ping may be waiting behind a handler that is busy with what came before it.
func (s *Session) silent() {
	busy := !s.reading.TryLock()
	if !busy {
		s.reading.Unlock()
	}
	q := s.server.silences
	s.mu.Lock()
	late := s.state == stateOpen && s.waiting.in == q && !q.has(s) // otherwise a ping has just come
	if late && busy && s.stalls+1 < maxStalls {
		late = false
		s.stalls++
		s.waitIn(q)
	}
	s.mu.Unlock()
	if late {
		s.close(ReasonPingTimeout, nil)
	}
}

// decode decodes a packet that came in one WebSocket message.
func (s *Session) decode(op ws.OpCode, p []byte) (packet.Packet, error) {
	switch three := s.Protocol() == 3; {
	case op == ws.OpText && three:
		return packet.DecodeText3(p)
	case op == ws.OpText:
		return packet.DecodeText(p)
	case three:
		return packet.DecodeBinary3(p)
	}
	return packet.Packet{Type: packet.Message, Binary: true, Data: p}, nil
}

// decodePayload decodes the body of a POST. bytes says that it is not text.
func (s *Session) decodePayload(body []byte, bytes bool, yield func(packet.Packet) bool) error {
	switch {
	case s.Protocol() == 4:
		return packet.DecodePayload(repaired(body), yield)
	case !bytes:
		return packet.DecodePayload3(repaired(body), yield)
	}
	return packet.DecodeBinaryPayload3(body, func(p packet.Packet) bool {
		if !p.Binary {
			p.Data = repaired(p.Data)
		}
		return yield(p)
	})
}
