package presence

import (
	"slices"
	"strings"
	"sync"

	"github.com/puente-io/puente/server/ident"
)

// View is who is connected where, as far as one node knows. It is read by all
// and written by the Presence that it belongs to; its methods are safe for
// concurrent use. Users and rooms are named by their keys, see [ident.ID.Key].
type View struct {
	mu      sync.RWMutex
	devices map[string]*device
	users   map[string]*user
	rooms   map[string]*room
}

type device struct {
	name, node string
	user       *user
	rooms      []*room
}

type user struct {
	id      ident.ID
	devices []*device
}

// room is the users in a room, each with the number of his devices there.
type room struct {
	id      ident.ID
	members []*member
	byUser  map[*user]*member
}

type member struct {
	user    *user
	devices int
	index   int
}

// NewView returns an empty view.
func NewView() *View {
	return &View{devices: make(map[string]*device), users: make(map[string]*user), rooms: make(map[string]*room)}
}

// Connect adds a device of a node. It reports false where there is one with the
// name.
func (v *View) Connect(node, name string, id ident.ID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.devices[name] != nil {
		return false
	}
	u := v.users[id.Key()]
	if u == nil {
		u = &user{id: id}
		v.users[id.Key()] = u
	}
	d := &device{name: name, node: node, user: u}
	u.devices = append(u.devices, d)
	v.devices[name] = d
	return true
}

// Disconnect removes a device from its rooms and from the view.
func (v *View) Disconnect(name string) []Departure {
	v.mu.Lock()
	defer v.mu.Unlock()
	d := v.devices[name]
	if d == nil {
		return nil
	}
	return v.remove(d, nil)
}

func (v *View) remove(d *device, gone []Departure) []Departure {
	for _, r := range d.rooms {
		gone = append(gone, Departure{Room: r.id, User: d.user.id, Last: v.leave(d, r)})
	}
	delete(v.devices, d.name)
	u := d.user
	u.devices = slices.DeleteFunc(u.devices, func(o *device) bool { return o == d })
	if len(u.devices) == 0 {
		delete(v.users, u.id.Key())
	}
	return gone
}

// Join adds a device to a room, see [Presence.Join].
func (v *View) Join(name string, id ident.ID) (joined, first bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	d := v.devices[name]
	if d == nil {
		return false, false
	}
	r := v.rooms[id.Key()]
	if r == nil {
		r = &room{id: id, byUser: make(map[*user]*member)}
		v.rooms[id.Key()] = r
	} else if slices.Contains(d.rooms, r) {
		return false, false
	}
	d.rooms = append(d.rooms, r)
	m := r.byUser[d.user]
	if m == nil {
		first = true
		m = &member{user: d.user, index: len(r.members)}
		r.members = append(r.members, m)
		r.byUser[d.user] = m
	}
	m.devices++
	return true, first
}

// Leave takes a device out of a room, see [Presence.Leave].
func (v *View) Leave(name string, id ident.ID) (left, last bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	d, r := v.devices[name], v.rooms[id.Key()]
	if d == nil || r == nil {
		return false, false
	}
	i := slices.Index(d.rooms, r)
	if i < 0 {
		return false, false
	}
	d.rooms = slices.Delete(d.rooms, i, i+1)
	return true, v.leave(d, r)
}

// leave takes one device out of the room's count.
func (v *View) leave(d *device, r *room) (last bool) {
	m := r.byUser[d.user]
	if m.devices--; m.devices > 0 {
		return false
	}
	end := r.members[len(r.members)-1]
	r.members[m.index] = end
	end.index = m.index
	r.members[len(r.members)-1] = nil
	r.members = r.members[:len(r.members)-1]
	delete(r.byUser, d.user)
	if len(r.members) == 0 {
		delete(v.rooms, r.id.Key())
	}
	return true
}

// DropNode removes all devices of a node. It returns the departures of users,
// not of devices: those that were the last.
func (v *View) DropNode(node string) []Departure {
	v.mu.Lock()
	defer v.mu.Unlock()
	var gone []Departure
	for _, d := range v.devices {
		if d.node == node {
			gone = v.remove(d, gone)
		}
	}
	return slices.DeleteFunc(gone, func(d Departure) bool { return !d.Last })
}

// Devices returns the names of the user's devices.
func (v *View) Devices(user string) []string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	u := v.users[user]
	if u == nil {
		return nil
	}
	names := make([]string, len(u.devices))
	for i, d := range u.devices {
		names[i] = d.name
	}
	return names
}

// User returns the user that a device belongs to.
func (v *View) User(device string) (ident.ID, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	d := v.devices[device]
	if d == nil {
		return ident.ID{}, false
	}
	return d.user.id, true
}

// Connected reports whether the user has a device.
func (v *View) Connected(user string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.users[user] != nil
}

// In reports whether the user is in the room.
func (v *View) In(user, room string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	u, r := v.users[user], v.rooms[room]
	return u != nil && r != nil && r.byUser[u] != nil
}

// Members returns up to limit users of the room, in the order in which they
// came as long as none has left, and how many there are.
func (v *View) Members(room string, limit int) (users []ident.ID, total int) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	r := v.rooms[room]
	if r == nil {
		return []ident.ID{}, 0
	}
	users = make([]ident.ID, min(limit, len(r.members)))
	for i := range users {
		users[i] = r.members[i].user.id
	}
	return users, len(r.members)
}

// MemberCount is how many users are in the room.
func (v *View) MemberCount(room string) int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if r := v.rooms[room]; r != nil {
		return len(r.members)
	}
	return 0
}

// RoomsOf returns the rooms that the user is in, in no order.
func (v *View) RoomsOf(user string) []ident.ID {
	v.mu.RLock()
	defer v.mu.RUnlock()
	u := v.users[user]
	if u == nil {
		return []ident.ID{}
	}
	ids := []ident.ID{}
	seen := make(map[*room]bool)
	for _, d := range u.devices {
		for _, r := range d.rooms {
			if !seen[r] {
				seen[r] = true
				ids = append(ids, r.id)
			}
		}
	}
	return ids
}

// Counts is how many users and rooms there are.
func (v *View) Counts() (users, rooms int) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.users), len(v.rooms)
}

// Users returns all users, ordered by key.
func (v *View) Users() []ident.ID {
	v.mu.RLock()
	ids := make([]ident.ID, 0, len(v.users))
	for _, u := range v.users {
		ids = append(ids, u.id)
	}
	v.mu.RUnlock()
	return sorted(ids)
}

// Rooms returns all rooms, ordered by key.
func (v *View) Rooms() []ident.ID {
	v.mu.RLock()
	ids := make([]ident.ID, 0, len(v.rooms))
	for _, r := range v.rooms {
		ids = append(ids, r.id)
	}
	v.mu.RUnlock()
	return sorted(ids)
}

func sorted(ids []ident.ID) []ident.ID {
	slices.SortFunc(ids, func(a, b ident.ID) int { return strings.Compare(a.Key(), b.Key()) })
	return ids
}
