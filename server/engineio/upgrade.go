package engineio

import (
	"net/http"
	"time"

	"github.com/puente-io/puente/server/engineio/internal/wsframe"
	"github.com/puente-io/puente/server/engineio/packet"
)

// An upgrade moves a session from polling to a WebSocket (section "Upgrade"):
//
//	client                         server
//	  │── WebSocket with the sid ──►│  serveUpgrade
//	  │── 2probe ─────────────────►│  handleProbe
//	  │◄───────────────── 3probe ──│  (and a waiting poll is released by a noop)
//	  │   finishes its poll         │
//	  │── 5 ──────────────────────►│  bind: the session writes here from now on

// noopAfter is how long a poll may wait that comes while a WebSocket is probed:
// the client has to finish it before it can go on.
const noopAfter = 100 * time.Millisecond

func (srv *Server) serveUpgrade(w http.ResponseWriter, r *http.Request, s *Session) {
	c, early, err := srv.acceptWebSocket(w, r, connProbing)
	if err != nil {
		return
	}
	c.session = s
	s.mu.Lock()
	first := s.state == stateOpen && s.probe == nil && s.ws == nil
	if first {
		s.took(0)
		s.probe = c
		c.timer = time.AfterFunc(srv.opts.UpgradeTimeout, c.timedOut)
	}
	s.mu.Unlock()
	if !first {
		c.refuse(wsframe.CloseNormal)
	}
	if !srv.serve(c, early) {
		c.writeDirect(wsframe.AppendClose(nil, wsframe.CloseNormal))
		c.free()
	}
}

// handleProbe handles a packet of a connection that is not the transport yet.
func (c *websocketConn) handleProbe(p packet.Packet) bool {
	s := c.session
	switch {
	case p.Type == packet.Ping && string(p.Data) == packet.Probe:
		s.mu.Lock()
		waiting := s.polling.poll
		s.took(0)
		s.mu.Unlock()
		c.writeDirect(probeFrame.wire)
		s.mu.Lock()
		if s.polling.poll == waiting { // not one that comes behind the client's answer
			s.polling.release()
		}
		s.mu.Unlock()
		return true
	case p.Type == packet.Upgrade && c.bind():
		return true
	}
	return c.retreat(wsframe.CloseNormal)
}

// bind makes the connection the session's transport.
func (c *websocketConn) bind() bool {
	s := c.session
	s.mu.Lock()
	if s.probe != c || !c.timer.Stop() {
		s.mu.Unlock()
		return false
	}
	c.timer = nil
	s.probe, s.ws = nil, c
	s.setForm(s.form() | c.form())
	c.on(eventUpgraded)
	s.took(0)
	s.polling.retire()
	if s.state == stateClosing {
		c.on(eventCloseDue)
	}
	s.mu.Unlock()
	s.server.sessionUpgraded(s)
	s.scheduleFlush()
	return true
}

// endProbe ends an upgrade that did not succeed; the session stays with polling. It
// reports false if it had ended already. Session.mu is held.
func (c *websocketConn) endProbe() bool {
	s := c.session
	if s.probe != c {
		return false
	}
	s.probe = nil
	c.timer.Stop()
	s.took(0) // it goes on polling
	return true
}

// retreat ends the upgrade with a close frame, and reports whether to go on reading
// until the client has ended the connection. The reader calls it.
func (c *websocketConn) retreat(code wsframe.CloseCode) (more bool) {
	c.session.mu.Lock()
	more = c.endProbe()
	c.session.mu.Unlock()
	if more {
		c.refuse(code)
	}
	return more
}

// refuse sends a close frame on a connection that will not be the session's transport.
func (c *websocketConn) refuse(code wsframe.CloseCode) {
	s := c.session
	s.mu.Lock()
	c.on(eventClientDone)
	s.mu.Unlock()
	c.writeDirect(wsframe.AppendClose(nil, code))
	s.mu.Lock()
	left := c.on(eventCloseWritten)
	s.mu.Unlock()
	c.do(left)
}

// timedOut ends an upgrade that takes too long.
func (c *websocketConn) timedOut() {
	c.session.server.limits.upgrades.Add(1)
	c.giveUp()
}

// giveUp ends the upgrade and the connection at once, from any goroutine.
func (c *websocketConn) giveUp() {
	s := c.session
	s.mu.Lock()
	mine := c.endProbe()
	left := c.on(eventBroken)
	s.mu.Unlock()
	if mine {
		c.writeDirect(wsframe.AppendClose(nil, wsframe.CloseNormal))
	}
	c.do(left)
}
