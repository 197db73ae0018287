package engineio

// The heartbeat of protocol 4 (section "Heartbeat"): the server pings, the
// client answers. A session waits in Server.pings until its next ping is due,
// then in Server.pongs for the answer.

// maxStalls is how many ping timeouts a session survives while its handler
// keeps the answer from being read.
const maxStalls = 3

func (s *Session) ping() {
	s.mu.Lock()
	if s.state != stateOpen {
		s.mu.Unlock()
		return
	}
	s.pinged, s.prolonged = true, false
	s.waitIn(s.server.pongs)
	s.queue.push(pingFrame)
	s.mu.Unlock()
	s.scheduleFlush()
}

// heard records a packet that is not a pong and reports whether the session is open. The
// first such packet restarts the time for the pong, which may follow it.
func (s *Session) heard() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateOpen {
		return false
	}
	if s.pinged && !s.prolonged {
		s.prolonged = true
		s.waitIn(s.server.pongs)
	}
	return true
}

// gotPong handles a pong. It ignores one that answers no ping, so that a flood of them
// costs nothing and postpones nothing.
func (s *Session) gotPong() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateOpen || !s.pinged {
		return
	}
	s.pinged, s.stalls = false, 0
	s.waitIn(s.server.pings)
}

// pingTimedOut closes the session, unless the answer may be waiting behind a
// handler that is busy with what came before it.
func (s *Session) pingTimedOut() {
	if s.reading.TryLock() {
		s.reading.Unlock()
	} else {
		s.mu.Lock()
		s.stalls++
		wait := s.state == stateOpen && s.pinged && s.stalls < maxStalls
		if wait {
			s.waitIn(s.server.pongs)
		}
		s.mu.Unlock()
		if wait {
			return
		}
	}
	s.mu.Lock()
	late := s.pinged && s.state == stateOpen
	s.mu.Unlock()
	if late {
		s.close(ReasonPingTimeout, nil)
	}
}
