package adapter

import (
	"slices"
	"sync"
)

// Member is an element of a [Table].
type Member interface {
	comparable
	// ID returns the name of the room that only this member is in, always.
	ID() string
}

// Membership is a member's position in a table. The zero value is in no table.
type Membership[M comparable] struct {
	in    bool
	index int // in Table.all
	rooms []*room[M]
}

// Table holds members and the rooms that they are in. It is safe for concurrent
// use.
//
// A member's own room is not stored: it follows from the member's id. Members
// are in plain slices, because a table is mostly iterated.
type Table[M Member] struct {
	// Created and Deleted, if not nil, are called when a room gets its first
	// member or Hold, and when it has lost its last one. They are called under
	// the lock and must not block or call the table.
	Created, Deleted func(room string)
	// Alias, if not nil, returns another name of a member's own room, the same each
	// time, or "". It is called under the lock.
	Alias func(M) string

	membership func(M) *Membership[M]

	mu    sync.RWMutex
	all   []M
	byID  map[string]M
	rooms map[string]*room[M]
}

// room is a room and its members. A large room also has an index.
type room[M comparable] struct {
	name    string
	held    int // number of Holds
	members []M
	index   map[M]int
}

// smallRoom is the size up to which a linear search is faster than a map.
const smallRoom = 8

// NewTable returns an empty table. membership returns where a member keeps its
// position in the table, the same pointer each time.
func NewTable[M Member](membership func(M) *Membership[M]) *Table[M] {
	return &Table[M]{membership: membership, byID: make(map[string]M), rooms: make(map[string]*room[M])}
}

// Add adds a member that is not in any table. then, if not nil, is called under
// the lock: no selection sees the member before then has returned.
func (t *Table[M]) Add(m M, then func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ms := t.membership(m)
	ms.in, ms.index = true, len(t.all)
	t.all = append(t.all, m)
	t.own(m, func(name string) {
		t.byID[name] = m
		if t.Created != nil && t.rooms[name] == nil {
			t.Created(name)
		}
	})
	if then != nil {
		then()
	}
}

// Remove removes a member from all rooms and from the table. It returns the
// names of its rooms, without its own; nil if it was not in the table.
func (t *Table[M]) Remove(m M) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	ms := t.membership(m)
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
	t.membership(last).index = ms.index
	var none M
	t.all[len(t.all)-1] = none
	t.all = t.all[:len(t.all)-1]
	t.own(m, func(name string) {
		delete(t.byID, name)
		if t.Deleted != nil && t.rooms[name] == nil {
			t.Deleted(name)
		}
	})
	*ms = Membership[M]{}
	return names
}

// own calls f with the names of the member's own room.
func (t *Table[M]) own(m M, f func(name string)) {
	f(m.ID())
	if t.Alias != nil {
		if name := t.Alias(m); name != "" {
			f(name)
		}
	}
}

// isOwn reports whether the name is one of the member's own room.
func (t *Table[M]) isOwn(m M, name string) bool {
	owner, ok := t.byID[name]
	return ok && owner == m
}

// Join adds a member to rooms and returns those in which it was not before. If
// the member is not in the table Join does nothing and reports false.
func (t *Table[M]) Join(m M, rooms ...string) (joined []string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ms := t.membership(m)
	if !ms.in {
		return nil, false
	}
	before := len(ms.rooms)
	for _, name := range rooms {
		if t.isOwn(m, name) {
			continue
		}
		r := t.room(name)
		if r.has(m) {
			continue
		}
		r.add(m)
		ms.rooms = append(ms.rooms, r)
	}
	return changed(rooms, ms.rooms[before:]), true
}

// changed returns the names of the rooms, which are some of those that were
// asked for, in their order. Usually they are all, and need no list of their own.
func changed[M comparable](asked []string, rooms []*room[M]) []string {
	if len(rooms) == len(asked) {
		return asked
	}
	names := make([]string, len(rooms))
	for i, r := range rooms {
		names[i] = r.name
	}
	return names
}

// Leave removes a member from rooms and returns those that it was in. A broadcast
// to them that starts after Leave has returned does not reach the member.
func (t *Table[M]) Leave(m M, rooms ...string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	ms := t.membership(m)
	var few [4]*room[M]
	left := few[:0]
	for _, name := range rooms {
		r := t.rooms[name]
		if r == nil || !r.has(m) {
			continue
		}
		t.drop(r, m)
		i := slices.Index(ms.rooms, r)
		ms.rooms = slices.Delete(ms.rooms, i, i+1)
		left = append(left, r)
	}
	return changed(rooms, left)
}

func (t *Table[M]) drop(r *room[M], m M) {
	r.remove(m)
	t.prune(r)
}

// prune deletes a room that has no members and no Holds.
func (t *Table[M]) prune(r *room[M]) {
	if len(r.members) > 0 || r.held > 0 {
		return
	}
	delete(t.rooms, r.name)
	if _, own := t.byID[r.name]; t.Deleted != nil && !own {
		t.Deleted(r.name)
	}
}

// room returns the room and creates it if necessary.
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

// Hold keeps a room as if it had a member, and calls Created if it is new,
// until Unhold is called as many times.
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

// Each calls f once for each selected member. The table cannot change
// meanwhile: f must not block or call the table.
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

// target is what a room name selects: the members of the room, and the member
// with that id.
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

// Get returns the member with the id or alias, and false if there is none.
func (t *Table[M]) Get(id string) (m M, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	m, ok = t.byID[id]
	return m, ok
}

// Len returns the number of members.
func (t *Table[M]) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.all)
}

// Has reports whether the room has a member.
func (t *Table[M]) Has(name string) bool { return t.Size(name) > 0 }

// Size returns the number of members of the room, without listing them.
func (t *Table[M]) Size(name string) (n int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if r := t.rooms[name]; r != nil {
		n = len(r.members)
	}
	if _, own := t.byID[name]; own { // never among the members: Join skips it
		n++
	}
	return n
}

// In reports whether the member is in the room.
func (t *Table[M]) In(m M, name string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if !t.membership(m).in {
		return false
	}
	r := t.rooms[name]
	return t.isOwn(m, name) || r != nil && r.has(m)
}

// Rooms returns the names of all rooms with members, without the members' own.
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

// RoomsOf returns the names of the member's rooms, its own first; nil if it is
// not in the table.
func (t *Table[M]) RoomsOf(m M) []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	ms := t.membership(m)
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
