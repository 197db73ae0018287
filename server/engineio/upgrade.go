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
	c, early, err := srv.acceptWebSocket(w, r)
	if err != nil {
		return
	}
	c.session = s
	s.mu.Lock()
	c.probing = true
	ok := s.state == stateOpen && s.probe == nil && s.ws == nil
	if ok {
		s.took(0)
		s.probe = c
		c.timer = time.AfterFunc(srv.opts.UpgradeTimeout, c.timedOut)
	} else {
		c.deaf = true
		srv.linger(c)
	}
	s.mu.Unlock()
	if !ok { // says so, and waits for the client to have read it
		c.writeDirect(wsframe.AppendClose(nil, wsframe.CloseNormal))
		c.link.CloseWrite()
	}
	if !srv.serve(c, early) {
		c.writeDirect(wsframe.AppendClose(nil, wsframe.CloseNormal))
		c.close()
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
	c.probing, c.timer = false, nil
	s.probe, s.ws = nil, c
	s.took(0)
	s.polling.retire()
	if s.state == stateClosing {
		c.sayGoodbye(wsframe.CloseNormal)
	}
	s.mu.Unlock()
	s.scheduleFlush()
	return true
}

// abandon ends an upgrade that did not succeed; the session stays with polling.
// It reports false if that had happened already.
func (c *websocketConn) abandon(code wsframe.CloseCode) (mine bool) {
	s := c.session
	s.mu.Lock()
	mine = s.probe == c
	if mine {
		s.probe = nil
		c.timer.Stop()
		s.took(0) // it goes on polling
	}
	s.mu.Unlock()
	if mine {
		c.writeDirect(wsframe.AppendClose(nil, code))
	}
	return mine
}

// retreat is abandon by the goroutine that reads, which goes on if that reports
// true, as after lastWords.
func (c *websocketConn) retreat(code wsframe.CloseCode) (more bool) {
	if !c.abandon(code) {
		return false
	}
	s := c.session
	s.mu.Lock()
	c.deaf = true
	s.server.linger(c)
	s.mu.Unlock()
	c.link.CloseWrite()
	return true
}

// timedOut ends an upgrade that takes too long.
func (c *websocketConn) timedOut() {
	c.session.server.limits.upgrades.Add(1)
	c.giveUp()
}

// giveUp is abandon from outside of the reading goroutine.
func (c *websocketConn) giveUp() {
	c.abandon(wsframe.CloseNormal)
	c.link.Shutdown()
}
