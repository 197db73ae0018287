package recovery

import (
	"slices"
	"time"
)

// Session is what a socket is recovered from. The lock of its log guards all but ID and
// PID, which do not change.
type Session[V any] struct {
	// ID is the id of the socket, which is also the name of its own room.
	ID string
	// PID is the secret that names the session in a CONNECT. It must not reach anybody
	// but the client.
	PID string
	// Value is what the log's user keeps with the session, and Bytes its size. Bytes must
	// not change while the session is stored.
	Value V
	Bytes int

	state state
	began Position  // nothing up to it was sent to the session
	since time.Time // when it was connected last
	until time.Time // when it ends, if it is stored
	stays []stay
	self  [1]string // ID
	own   *room[V]  // the room of this name
	// forgotten is the highest end of a stay that is not in stays any more though events
	// of it may be missing.
	forgotten Position
}

type state uint8

const (
	connected state = iota
	stored
	claimed // by a CONNECT that is not decided
	ended
)

// stay says that a session was in a room when the events after from were sent, up to and
// including to.
type stay struct {
	room     string
	from, to Position
}

// maxLeft bounds the rooms that a session has left and that are remembered.
const maxLeft = 1000

// Join records that the session is in a room from now on. The lock is held.
func (l *Log[V]) Join(s *Session[V], name string) {
	s.stays = append(s.stays, stay{name, l.last, always})
	if s.Waits() {
		l.away(s, name, 1)
	}
}

// Leave records that the session is not in a room any more. What was sent to the room
// before may still be missing. The lock is held.
func (l *Log[V]) Leave(s *Session[V], name string) {
	i := slices.IndexFunc(s.stays, func(st stay) bool { return st.room == name && st.to == always })
	if i < 0 {
		return
	}
	s.stays[i].to = l.last
	if s.Waits() {
		l.away(s, name, -1)
	}
	left := 0
	s.stays = slices.DeleteFunc(s.stays, func(st stay) bool {
		if st.to == always {
			return false
		}
		left++
		return st.from == st.to || st.to <= l.aged
	})
	if left > maxLeft { // the oldest come first
		i := slices.IndexFunc(s.stays, func(st stay) bool { return st.to != always })
		s.forgotten = max(s.forgotten, s.stays[i].to)
		s.stays = slices.Delete(s.stays, i, i+1)
	}
}

// Exclude makes a claimed session one that has never been in a room. The lock is held.
func (l *Log[V]) Exclude(s *Session[V], name string) {
	l.away(s, name, -1)
	s.stays = slices.DeleteFunc(s.stays, func(st stay) bool { return st.room == name })
}

// Rooms returns the rooms that the session is in, without its own. The lock is held.
func (s *Session[V]) Rooms() (rooms []string) {
	for _, st := range s.stays {
		if st.to == always && st.room != s.ID {
			rooms = append(rooms, st.room)
		}
	}
	return rooms
}

// Waits reports whether the session is stored, or claimed by a CONNECT that is not decided.
// The lock is held.
func (s *Session[V]) Waits() bool { return s.state == stored || s.state == claimed }

// in reports whether the session was in a room when the event at p was sent; if p is always,
// whether it is in the room now.
func (s *Session[V]) in(name string, p Position) bool {
	return slices.ContainsFunc(s.stays, func(st stay) bool { return st.room == name && st.from < p && p <= st.to })
}

// Ended reports whether the session has ended for good. The lock is held.
func (s *Session[V]) Ended() bool { return s.state == ended }
