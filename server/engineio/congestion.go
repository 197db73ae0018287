package engineio

import "time"

// congestion is the state of a session for which publishers wait: more is queued
// than the backlog's mark.
type congestion struct {
	room    float64       // bytes beyond the mark that may be queued before publishers wait
	grown   time.Duration // when room was last brought up to date
	renewed time.Duration // when the client last had taken enough within [backlog.window]
	from    time.Duration // when the counting of taken began
	taken   int           // bytes, since then
	relief  chan struct{} // closed when it ends; nil if no publisher waits
}

// queued returns how many bytes wait for the client. Session.mu is held, here and in
// the functions below.
func (s *Session) queued() int {
	n := s.queue.bytes
	if s.ws != nil {
		n += len(s.ws.rest)
	}
	return n
}

// fallBehind records that the client has not taken what is queued, and starts the time in
// which it must take something.
func (s *Session) fallBehind() {
	if s.behind || s.state == stateClosed {
		return
	}
	s.behind, s.tookAt = true, s.server.backlog.now()
	s.server.backlog.add(s)
}

// catchUp records that nothing waits for the client.
func (s *Session) catchUp() {
	if s.behind {
		s.behind = false
		s.server.backlog.remove(s)
	}
}

// took records that the client has taken n bytes, or has shown otherwise that it is about
// to.
func (s *Session) took(n int) {
	if !s.behind && s.congestion == nil {
		return
	}
	now := s.server.backlog.now()
	s.tookAt = now
	if c := s.congestion; c != nil {
		if now-c.from > s.server.backlog.window() {
			c.taken, c.from = 0, now
		}
		if c.taken += n; c.taken >= s.server.backlog.mark/2 {
			c.taken, c.from, c.renewed = 0, now, now
		}
	}
}

// congest begins a congestion, if there is none.
func (s *Session) congest() {
	if s.congestion == nil {
		now := s.server.backlog.now()
		s.congestion = &congestion{grown: now, renewed: now, from: now}
	}
}

// settle ends the congestion if enough has been taken, and lets publishers go on.
func (s *Session) settle() {
	if s.congestion != nil && s.queued() <= s.server.backlog.mark/2 {
		s.decongest()
	}
}

func (s *Session) decongest() {
	if c := s.congestion; c != nil {
		if c.relief != nil {
			close(c.relief)
		}
		s.congestion = nil
	}
}

// delay returns how long a publisher has to wait before it may queue more, or 0. The
// number of bytes that may be queued grows with time, so that a client that takes little
// or nothing slows its publishers down and does not stop them. At the backlog's pace it
// stops growing while the client takes enough: publishers wait for such a client, and
// for no other.
func (s *Session) delay(now time.Duration) time.Duration {
	c, b := s.congestion, s.server.backlog
	if c == nil || now-c.renewed > b.patience {
		return 0
	}
	most := float64(b.pace - b.mark)
	enough := now-c.renewed <= b.window()
	grown := c.room + most*float64(now-c.grown)/float64(b.patience)
	switch {
	case !enough:
		c.room = grown
	case c.room < most:
		c.room = min(grown, most)
	}
	c.grown = now
	over := float64(s.queued()-b.mark) - c.room
	switch {
	case over <= 0:
		return 0
	case most == 0 || enough && c.room >= most:
		return longestWait
	}
	return max(1, time.Duration(over/most*float64(b.patience)))
}

// hurry returns the delay of a publisher in haste that would wait for d if it were
// patient. If it does not wait, patient publishers do not wait for the same bytes.
func (s *Session) hurry(h Haste, d, now time.Duration) time.Duration {
	b := s.server.backlog
	switch {
	case h == Patient || d == 0:
		return d
	case h == Hurried && now-s.congestion.renewed <= b.window() && s.queued() > b.most-(b.most-b.mark)/8:
		return longestWait
	}
	s.congestion.room = float64(s.queued() - b.mark)
	return 0
}

// awaitRelief returns the delay, and what is closed if it ends early. It takes
// Session.mu, as do the two below.
func (s *Session) awaitRelief(h Haste) (time.Duration, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.server.backlog.now()
	d := s.hurry(h, s.delay(now), now)
	if d == 0 {
		return 0, nil
	}
	if s.congestion.relief == nil {
		s.congestion.relief = make(chan struct{})
	}
	return d, s.congestion.relief
}

// patienceLeft returns how long the client may still take nothing.
func (s *Session) patienceLeft() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.server.backlog
	if !s.behind || s.state != stateOpen { // one that is closing has CloseTimeout
		return b.patience
	}
	if s.takes() {
		s.tookAt = b.now()
	}
	return s.tookAt + b.patience - b.now()
}

// takes reports whether it is not the client that is waited for, but the flusher
// or the goroutine that answers a poll; or whether the client's kernel has taken
// something.
func (s *Session) takes() bool {
	if s.ws == nil {
		a := s.polling.answer
		return s.polling.poll != nil || a != nil && !a.begun
	}
	return s.ws.writer != writerBlocked || s.ws.drained()
}

// holding returns how many bytes a client that is behind keeps from being released: those
// that wait for it, and those that are being written.
func (s *Session) holding() int {
	n := s.queue.bytes
	if a := s.polling.answer; a != nil {
		n += a.size()
	}
	if s.ws != nil {
		n += max(len(s.ws.rest), s.ws.large.Len())
	}
	return n
}

// lagging returns how many bytes a client that is behind holds, and how long ago it last
// took some.
func (s *Session) lagging(now time.Duration) (held int, idle time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.behind {
		return 0, 0
	}
	if s.takes() {
		s.tookAt = now
	}
	return s.holding(), now - s.tookAt
}
