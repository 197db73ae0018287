package presence

import (
	"slices"
	"strings"
	"sync"

	"github.com/puente-io/puente/server/ident"
)

// View is who is connected where, as far as one node knows. It is read by all
// and written, through its parts, by the Presence that it belongs to; its
// methods are safe for concurrent use and wait for memory only. Users and rooms
// are named by their keys, see [ident.ID.Key].
type View struct {
	mu        sync.RWMutex
	parts     map[string]*Part
	devices   map[string]*device
	users     map[string]*user
	rooms     map[string]*room
	connected int // users who have a device

	watch Watch
	feeds map[string]*feed // of rooms that have events, or devices of this node
	due   []*feed          // that have events and nobody who delivers them
}

type device struct {
	name  string
	part  *Part
	index int // in part.devices
	user  *user
	rooms []*room
	where map[*room]int // in rooms, if there are many
	gone  bool
}

// user is kept while it has a device, or counts as a member of a room.
type user struct {
	id      ident.ID
	devices []*device
	leaving int // of all its members
}

// room is the users in a room.
type room struct {
	id      ident.ID
	members []*member
	byUser  map[*user]*member
	shown   []ident.ID // the first members' users; nil if they have changed
}

// member is a user in a room, with the number of devices there. A device that is
// leaving is out of the room, but its user counts as in it.
type member struct {
	user             *user
	devices, leaving int
	index            int
}

// manyRooms is the number of rooms from which a device looks them up.
const manyRooms = 32

// room returns the index of the room among the device's, or -1.
func (d *device) room(r *room) int {
	if d.where == nil {
		return slices.Index(d.rooms, r)
	}
	if i, ok := d.where[r]; ok {
		return i
	}
	return -1
}

func (d *device) enter(r *room) {
	d.rooms = append(d.rooms, r)
	switch {
	case d.where != nil:
		d.where[r] = len(d.rooms) - 1
	case len(d.rooms) == manyRooms:
		d.where = make(map[*room]int, 2*manyRooms)
		for i, r := range d.rooms {
			d.where[r] = i
		}
	}
}

func (d *device) exit(i int) {
	last := len(d.rooms) - 1
	if d.where != nil {
		delete(d.where, d.rooms[i])
		if i != last {
			d.where[d.rooms[last]] = i
		}
	}
	d.rooms[i], d.rooms[last] = d.rooms[last], nil
	d.rooms = d.rooms[:last]
}

// NewView returns an empty view.
func NewView() *View {
	return &View{
		parts: make(map[string]*Part), devices: make(map[string]*device),
		users: make(map[string]*user), rooms: make(map[string]*room), feeds: make(map[string]*feed),
	}
}

// Watch sets what is done about changes of rooms, see [Presence.Watch].
func (v *View) Watch(w Watch) {
	v.mu.Lock()
	defer v.mu.Unlock()
	w.Limit = max(w.Limit, -1)
	v.watch = w
}

// Nodes is the number of nodes that have a part in the view.
func (v *View) Nodes() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.parts)
}

// Devices returns the names of the user's devices.
func (v *View) Devices(user string) []string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	u := v.users[user]
	if u == nil || len(u.devices) == 0 {
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
	u := v.users[user]
	return u != nil && len(u.devices) > 0
}

// In reports whether the user has a device in the room.
func (v *View) In(user, room string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	u, r := v.users[user], v.rooms[room]
	if u == nil || r == nil {
		return false
	}
	m := r.byUser[u]
	return m != nil && m.devices > 0
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
	return r.users(limit), len(r.members)
}

// users returns up to limit users of the room.
func (r *room) users(limit int) []ident.ID {
	users := make([]ident.ID, min(limit, len(r.members)))
	for i := range users {
		users[i] = r.members[i].user.id
	}
	return users
}

// MemberCount is the number of users in the room.
func (v *View) MemberCount(room string) int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if r := v.rooms[room]; r != nil {
		return len(r.members)
	}
	return 0
}

// RoomCount is the number of rooms that a device is in.
func (v *View) RoomCount(device string) int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if d := v.devices[device]; d != nil {
		return len(d.rooms)
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

// Counts is the number of users who have a device, and of rooms.
func (v *View) Counts() (users, rooms int) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.connected, len(v.rooms)
}

// Users returns all users who have a device, ordered by key.
func (v *View) Users() []ident.ID {
	v.mu.RLock()
	ids := make([]ident.ID, 0, len(v.users))
	for _, u := range v.users {
		if len(u.devices) > 0 {
			ids = append(ids, u.id)
		}
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
