package recovery

import (
	"errors"
	"slices"
	"time"
)

// Errors of Claim and Missed: why a session is not recovered.
var (
	// ErrUnknown: no session has this secret, or it has ended.
	ErrUnknown = errors.New("recovery: unknown session")
	// ErrConnected: the session's socket is connected, and may be taken over.
	ErrConnected = errors.New("recovery: the session is connected")
	// ErrBusy: the session was connected a moment ago, or is just being recovered.
	ErrBusy = errors.New("recovery: the session is in use")
	// ErrOffset: the offset is not one that a log has made.
	ErrOffset = errors.New("recovery: invalid offset")
	// ErrIncomplete: something that the session has missed is not kept.
	ErrIncomplete = errors.New("recovery: events are missing")
)

// takeoverAfter is how long a session must have been connected until a CONNECT with its
// secret takes it over. A client that sends two CONNECTs at once recovers with one of them.
const takeoverAfter = time.Second

// Begin adds the session of a socket that connects. The lock is held.
func (l *Log[V]) Begin(s *Session[V]) {
	s.state, s.since, s.began = connected, time.Now(), l.last
	s.stays = append(s.stays[:0], stay{s.ID, l.last, always})
	l.sessions[s.PID] = s
	s.self[0], s.own = s.ID, l.room(s.ID)
	s.own.own = true
}

// Store keeps a connected session, whose connection is lost, for the window. It reports
// false, and ends the session, if there is no room for it. Sessions of anonymous clients,
// which may be anybody's, are stored while half of that room is free. The lock is held.
func (l *Log[V]) Store(s *Session[V], anonymous bool) bool {
	most := l.node.maxBytes / 2
	if anonymous {
		most /= 2
	}
	switch {
	case s.state != connected:
		return false
	case l.node.full() && l.events.len() == 0, l.node.away.Load()+int64(sessionBytes+s.Bytes) > most:
		l.End(s)
		return false
	}
	s.until = time.Now().Add(l.node.window)
	l.wait(s, stored)
	return true
}

// Claim prepares the recovery of the session with a secret. Then Resume, Return or End must
// follow. Errors: ErrUnknown, ErrConnected, ErrBusy. The lock is held.
func (l *Log[V]) Claim(pid string) (*Session[V], error) {
	s := l.sessions[pid]
	switch {
	case s == nil:
		return nil, ErrUnknown
	case s.state == stored && time.Now().After(s.until):
		return nil, ErrUnknown // the sweep will end it
	case s.state == stored:
		s.state = claimed
		return s, nil
	case s.state == connected && time.Since(s.since) > takeoverAfter:
		return s, ErrConnected
	}
	return nil, ErrBusy
}

// Return undoes Claim. The lock is held.
func (l *Log[V]) Return(s *Session[V]) {
	if s.state == claimed {
		s.state = stored
	}
}

// Resume makes a claimed session a connected one. It reports false if the session has
// ended meanwhile. The lock is held.
func (l *Log[V]) Resume(s *Session[V]) bool {
	if s.state != claimed {
		return false
	}
	l.wait(s, connected)
	s.since = time.Now()
	return true
}

// End ends a session for good. The lock is held.
func (l *Log[V]) End(s *Session[V]) {
	if s.state == ended {
		return
	}
	l.wait(s, ended)
	delete(l.sessions, s.PID)
	s.own.own = false
	l.prune(s.ID, s.own)
}

// wait changes the state of a session, and counts it if it is waiting for its client.
func (l *Log[V]) wait(s *Session[V], to state) {
	was, is := s.Waits(), to == stored
	s.state = to
	if was == is {
		return
	}
	n := 1
	if was {
		n = -1
	}
	l.waiting += n
	l.node.bytes.Add(int64(n * (sessionBytes + s.Bytes)))
	l.node.away.Add(int64(n * (sessionBytes + s.Bytes)))
	for i := range s.stays {
		if s.stays[i].to == always {
			l.away(s, s.stays[i].room, n)
		}
	}
}

// away adds a waiting session to those of a room that it is in (n is 1), or removes it (-1).
func (l *Log[V]) away(s *Session[V], name string, n int) {
	if n < 0 {
		if r := l.rooms[name]; r != nil {
			delete(r.waiting, s)
			l.prune(name, r)
		}
		return
	}
	r := l.room(name)
	if r.waiting == nil {
		r.waiting = make(map[*Session[V]]struct{})
	}
	r.waiting[s] = struct{}{}
}

// Gap records that events that concern stored sessions may not have reached the log: these
// sessions are not recovered. The lock is held.
func (l *Log[V]) Gap() {
	if l.waiting == 0 {
		return
	}
	for _, s := range l.sessions {
		if s.Waits() {
			s.forgotten = always
		}
	}
}

// Waiting returns the stored and claimed sessions of a selection. The lock is held.
func (l *Log[V]) Waiting(sel Selection) (list []*Session[V]) {
	if l.waiting == 0 {
		return nil
	}
	excepted := func(s *Session[V]) bool {
		return slices.ContainsFunc(sel.Except, func(room string) bool { return s.in(room, always) })
	}
	if len(sel.Rooms) == 0 {
		for _, s := range l.sessions {
			if s.Waits() && !excepted(s) {
				list = append(list, s)
			}
		}
		return list
	}
	for _, name := range sel.Rooms {
		r := l.rooms[name]
		if r == nil {
			continue
		}
		for s := range r.waiting {
			if !excepted(s) && !slices.Contains(list, s) {
				list = append(list, s)
			}
		}
	}
	return list
}

// Missed returns the events that were sent to a session after the offset that its client
// has sent, oldest first. They are valid while the lock is held. An empty offset is that of a
// client that has received no event yet. Events that are more than most bytes are refused as
// incomplete. Errors: ErrOffset, ErrIncomplete. The lock is held.
func (l *Log[V]) Missed(s *Session[V], offset string, most int) (missed []Event, err error) {
	after := s.began
	if offset != "" {
		p, ours, ok := l.position(offset)
		switch {
		case !ok, ours && p > l.last:
			return nil, ErrOffset
		case ours:
			after = max(after, p)
		}
	}
	positions := slices.Clone(l.everyone.after(after))
	if l.lost > after || s.forgotten > after {
		return nil, ErrIncomplete
	}
	been := make(map[string]bool, len(s.stays)) // most exceptions are of others
	for _, st := range s.stays {
		been[st.room] = true
		r := l.rooms[st.room]
		if r == nil {
			continue
		}
		if from := max(after, st.from); r.lost > from && st.to > from {
			return nil, ErrIncomplete
		}
		for _, p := range r.after(max(after, st.from)) {
			if p > st.to {
				break
			}
			positions = append(positions, p)
		}
	}
	slices.Sort(positions)
	first, bytes := l.first(), 0
	for _, p := range slices.Compact(positions) {
		e := l.events.event(int(p - first))
		if slices.ContainsFunc(e.Except, func(room string) bool { return been[room] && s.in(room, p) }) {
			continue
		}
		missed = append(missed, e)
		if bytes += e.size(); bytes > most {
			return nil, ErrIncomplete
		}
	}
	return missed, nil
}

// after returns the positions of the room's events after p.
func (r *room[V]) after(p Position) []Position {
	i, _ := slices.BinarySearch(r.kept, p+1)
	return r.kept[i:]
}
