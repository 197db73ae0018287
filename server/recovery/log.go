package recovery

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Log keeps the latest events of a namespace, and the sessions of its sockets, each with a
// V. It is safe for concurrent use; methods that say that the lock is held are called
// between Lock and Unlock.
type Log[V any] struct {
	// Expired, if not nil, is called for each session whose window has ended, without the
	// lock, on the goroutine of the node. It must be set before the log is used.
	Expired func(*Session[V])

	node   *Node
	prefix string
	// oldest is when the first of the kept events was sent, in nanoseconds since 1970, or 0.
	oldest atomic.Int64

	mu       sync.Mutex
	last     Position
	aged     Position // all events up to it are so old that nobody can miss them
	events   store
	rooms    map[string]*room[V]
	everyone room[V]                // events without rooms
	lost     Position               // as room.lost, of all rooms
	sessions map[string]*Session[V] // by PID
	waiting  int                    // number of stored and claimed sessions
	marks    int                    // number of rooms with a lost event
}

// room has what concerns one room: positions of kept events, and stored sessions.
type room[V any] struct {
	kept []Position
	// lost is the position of the last event that was dropped early, at lostAt.
	lost   Position
	lostAt int64
	// waiting are the stored and claimed sessions that are in the room.
	waiting map[*Session[V]]struct{}
	own     bool // the own room of a session that has not ended
}

// What things count besides what they carry.
const (
	placeBytes   = 32
	roomBytes    = 256
	sessionBytes = 1024
)

// NewLog returns an empty log. It is in use until Close.
func NewLog[V any](n *Node) *Log[V] {
	l := &Log[V]{node: n, prefix: newPrefix(), rooms: make(map[string]*room[V]), sessions: make(map[string]*Session[V])}
	n.add(l)
	return l
}

// Close drops all events and sessions.
func (l *Log[V]) Close() {
	l.node.remove(l)
	l.Lock()
	defer l.Unlock()
	for _, s := range l.sessions {
		l.End(s)
	}
	for l.events.len() > 0 {
		l.drop(false)
	}
	l.forgetMarks()
}

// Lock takes the log's lock.
func (l *Log[V]) Lock() { l.mu.Lock() }

// Unlock releases it, and drops events if the node has too many bytes.
func (l *Log[V]) Unlock() {
	l.mu.Unlock()
	l.node.trim()
}

// Last returns the position of the last event. The lock is held.
func (l *Log[V]) Last() Position { return l.last }

// Awaited reports whether an event to these rooms can concern a session that is stored.
// The lock is held.
func (l *Log[V]) Awaited(rooms []string) bool {
	if l.waiting == 0 {
		return false
	}
	return len(rooms) == 0 || slices.ContainsFunc(rooms, func(name string) bool {
		r := l.rooms[name]
		return r != nil && len(r.waiting) > 0
	})
}

// Append keeps a copy of an event. Its position is one more than Last was. The lock is held,
// since before the event was made until it has been queued to all recipients.
func (l *Log[V]) Append(e Event) {
	l.append(&e)
	if len(e.Rooms) == 0 {
		l.everyone.kept = append(l.everyone.kept, l.last)
	}
	for _, name := range e.Rooms {
		r := l.room(name)
		r.kept = append(r.kept, l.last)
	}
}

// AppendTo is Append of an event to one session, which it sets in the event. It is faster.
func (l *Log[V]) AppendTo(s *Session[V], e Event) {
	e.Selection = Selection{Rooms: s.self[:]}
	l.append(&e)
	s.own.kept = append(s.own.kept, l.last)
}

func (l *Log[V]) append(e *Event) {
	l.last++
	now := l.node.now.Load()
	if l.events.len() == 0 {
		l.oldest.Store(now)
	}
	l.node.bytes.Add(int64(l.events.add(e, now) + placeBytes*(1+len(e.Rooms))))
}

func (l *Log[V]) room(name string) *room[V] {
	r := l.rooms[name]
	if r == nil {
		r = new(room[V])
		l.rooms[name] = r
		l.node.bytes.Add(roomBytes)
	}
	return r
}

// prune forgets a room that has nothing to say.
func (l *Log[V]) prune(name string, r *room[V]) {
	if len(r.kept) == 0 && r.lost == 0 && len(r.waiting) == 0 && !r.own && l.rooms[name] == r {
		delete(l.rooms, name)
		l.node.bytes.Add(-roomBytes)
	}
}

// first returns the position of the oldest event that is kept, or the next position.
func (l *Log[V]) first() Position { return l.last + 1 - Position(l.events.len()) }

// drop drops the oldest event. early says that a session may miss it. The lock is held.
func (l *Log[V]) drop(early bool) {
	p := l.first()
	rooms := 0
	for name := range l.events.roomsOf(0) {
		rooms++
		r := l.rooms[string(name)]
		r.dropped(p)
		if early {
			l.mark(r, p)
		}
		if len(r.kept) == 0 {
			l.prune(string(name), r)
		}
	}
	if rooms == 0 {
		l.everyone.dropped(p)
		if early {
			l.lost = p
		}
	}
	l.node.bytes.Add(-int64(l.events.drop() + placeBytes*(1+rooms)))
	l.oldest.Store(l.events.oldest())
}

// dropped removes an event, the oldest of the room.
func (r *room[V]) dropped(p Position) {
	if len(r.kept) > 0 && r.kept[0] == p { // an event that names the room twice is there twice
		r.kept = r.kept[1:]
	}
}
