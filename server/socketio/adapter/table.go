package adapter

import (
	"slices"
	"sync"
)

// Member is what a [Table] holds.
type Member[M comparable] interface {
	comparable
	// ID is the name of the room that the member alone is always in.
	ID() string
	// Membership returns the same value each time, the table's own.
	Membership() *Membership[M]
}

// Membership is a member's place in a table. Its zero value is in none.
type Membership[M comparable] struct {
	in    bool
	index int // in Table.all
	rooms []*room[M]
}

// Table knows which members are in which rooms. It is safe for concurrent use.
//
// A member's own room is not stored: it follows from the member's id. Lists are
// plain slices, since what the table is for is walking through them.
type Table[M Member[M]] struct {
	// Created and Deleted are called, if not nil, when a room gets its first
	// member or Hold, and when it has neither any more, under the lock: they must
	// not block or call the table.
	Created, Deleted func(room string)

	mu    sync.RWMutex
	all   []M
	byID  map[string]M
	rooms map[string]*room[M]
}

// room is a room's members. Those of a large room are also found by map.
type room[M comparable] struct {
	name    string
	held    int // by callers of Hold
	members []M
	index   map[M]int
}

// smallRoom is up to how many members a search is faster than a map is.
const smallRoom = 8

// NewTable returns an empty table.
func NewTable[M Member[M]]() *Table[M] {
	return &Table[M]{byID: make(map[string]M), rooms: make(map[string]*room[M])}
}

// Add adds a member that is in no table. then, where not nil, is called under
// the lock: what it does comes before all that selections do with the member.
func (t *Table[M]) Add(m M, then func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ms := m.Membership()
	ms.in, ms.index = true, len(t.all)
	t.all = append(t.all, m)
	t.byID[m.ID()] = m
	if t.Created != nil && t.rooms[m.ID()] == nil {
		t.Created(m.ID())
	}
	if then != nil {
		then()
	}
}

// Remove takes a member out of all rooms and of the table, and returns the
// names of the rooms that it was in, without its own.
func (t *Table[M]) Remove(m M) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	ms := m.Membership()
	if !ms.in {
		return nil
	}
	names := make([]string, len(ms.rooms))
	for i, r := range ms.rooms {
		names[i] = r.name
		t.drop(r, m)
	}
	last := t.all[len(t.all)-1]
	t.all[ms.index] = last
	last.Membership().index = ms.index
	var none M
	t.all[len(t.all)-1] = none
	t.all = t.all[:len(t.all)-1]
	delete(t.byID, m.ID())
	if t.Deleted != nil && t.rooms[m.ID()] == nil {
		t.Deleted(m.ID())
	}
	*ms = Membership[M]{}
	return names
}

// Join adds a member to rooms. It reports false, and does nothing, where the
// member is not in the table.
func (t *Table[M]) Join(m M, rooms ...string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	ms := m.Membership()
	if !ms.in {
		return false
	}
	for _, name := range rooms {
		if name == m.ID() {
			continue
		}
		r := t.room(name)
		if r.has(m) {
			continue
		}
		r.add(m)
		ms.rooms = append(ms.rooms, r)
	}
	return true
}

// Leave takes a member out of rooms. No broadcast that starts after it has
// returned reaches the member through them.
func (t *Table[M]) Leave(m M, rooms ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ms := m.Membership()
	for _, name := range rooms {
		r := t.rooms[name]
		if r == nil || !r.has(m) {
			continue
		}
		t.drop(r, m)
		i := slices.Index(ms.rooms, r)
		ms.rooms = slices.Delete(ms.rooms, i, i+1)
	}
}

func (t *Table[M]) drop(r *room[M], m M) {
	r.remove(m)
	t.prune(r)
}

// prune forgets a room that is of no use any more.
func (t *Table[M]) prune(r *room[M]) {
	if len(r.members) > 0 || r.held > 0 {
		return
	}
	delete(t.rooms, r.name)
	if _, own := t.byID[r.name]; t.Deleted != nil && !own {
		t.Deleted(r.name)
	}
}

// room returns the room, and makes it if there is none.
func (t *Table[M]) room(name string) *room[M] {
	r := t.rooms[name]
	if r == nil {
		r = &room[M]{name: name}
		t.rooms[name] = r
		if _, own := t.byID[name]; t.Created != nil && !own {
			t.Created(name)
		}
	}
	return r
}

// Hold makes the table call Created for a room as if it had a member, until as
// many calls of Unhold.
func (t *Table[M]) Hold(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.room(name).held++
}

// Unhold ends a Hold.
func (t *Table[M]) Unhold(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.rooms[name]
	r.held--
	t.prune(r)
}

func (r *room[M]) find(m M) int {
	if r.index == nil {
		return slices.Index(r.members, m)
	}
	if i, ok := r.index[m]; ok {
		return i
	}
	return -1
}

func (r *room[M]) has(m M) bool { return r.find(m) >= 0 }

func (r *room[M]) add(m M) {
	r.members = append(r.members, m)
	switch n := len(r.members); {
	case r.index != nil:
		r.index[m] = n - 1
	case n > smallRoom:
		r.index = make(map[M]int, 2*n)
		for i, m := range r.members {
			r.index[m] = i
		}
	}
}

func (r *room[M]) remove(m M) {
	i, last := r.find(m), len(r.members)-1
	moved := r.members[last]
	r.members[i] = moved
	if r.index != nil {
		r.index[moved] = i
		delete(r.index, m)
	}
	var none M
	r.members[last] = none
	r.members = r.members[:last]
}

// Each calls f for each selected member, once, and holds up all changes of the
// table meanwhile: f must not block or call the table.
func (t *Table[M]) Each(sel Selection, f func(M)) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var one [2]target[M] // most selections name one room and one exception
	except := t.targets(one[1:1], sel.Except)
	if len(sel.Rooms) == 0 {
		for _, m := range t.all {
			if !anyHas(except, m) {
				f(m)
			}
		}
		return
	}
	rooms := t.targets(one[:0:1], sel.Rooms)
	for i, r := range rooms {
		earlier := rooms[:i]
		visit := func(m M) {
			if !anyHas(earlier, m) && !anyHas(except, m) {
				f(m)
			}
		}
		if r.room != nil {
			for _, m := range r.room.members {
				visit(m)
			}
		}
		if r.alone && (r.room == nil || !r.room.has(r.self)) {
			visit(r.self)
		}
	}
}

// target is what a room's name means: the members of the room, and the member
// whose id it is.
type target[M comparable] struct {
	room  *room[M]
	self  M
	alone bool
}

func (t *Table[M]) targets(dst []target[M], names []string) []target[M] {
	for _, name := range names {
		var x target[M]
		x.room = t.rooms[name]
		x.self, x.alone = t.byID[name]
		if x.room != nil || x.alone {
			dst = append(dst, x)
		}
	}
	return dst
}

func anyHas[M comparable](targets []target[M], m M) bool {
	for _, x := range targets {
		if x.alone && x.self == m || x.room != nil && x.room.has(m) {
			return true
		}
	}
	return false
}

// Get returns the member with the id.
func (t *Table[M]) Get(id string) (m M, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	m, ok = t.byID[id]
	return m, ok
}

// Len is the number of members.
func (t *Table[M]) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.all)
}

// Has reports whether the room has a member.
func (t *Table[M]) Has(name string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, own := t.byID[name]
	r := t.rooms[name]
	return own || r != nil && len(r.members) > 0
}

// In reports whether the member is in the room.
func (t *Table[M]) In(m M, name string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if !m.Membership().in {
		return false
	}
	r := t.rooms[name]
	return name == m.ID() || r != nil && r.has(m)
}

// Rooms returns the names of all rooms, without members' own.
func (t *Table[M]) Rooms() []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	names := make([]string, 0, len(t.rooms))
	for name, r := range t.rooms {
		if len(r.members) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// RoomsOf returns the names of the rooms that the member is in, its own first;
// nil where it is not in the table.
func (t *Table[M]) RoomsOf(m M) []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	ms := m.Membership()
	if !ms.in {
		return nil
	}
	names := make([]string, 1, len(ms.rooms)+1)
	names[0] = m.ID()
	for _, r := range ms.rooms {
		names = append(names, r.name)
	}
	return names
}
