package presence

import (
	"slices"
	"strings"
	"sync"

	"github.com/puente-io/puente/server/ident"
)

// View is one node's replica of the presence: the devices of all nodes, their users
// and their rooms. Only the Presence that it belongs to writes to it, through its
// parts. Its methods are safe for concurrent use and do no I/O. Parameters that name
// a user or a room are keys, see [ident.ID.Key].
type View struct {
	mu        sync.RWMutex
	parts     map[string]*Part
	devices   map[string]*device
	users     map[string]*user
	rooms     map[string]*room
	connected int // users with a device

	watch Watch
	feeds map[string]*feed // by room, see feed
	due   []*feed          // feeds with items that no goroutine delivers yet
}

type device struct {
	name  string
	part  *Part
	index int // in part.devices
	user  *user
	at    int // in user.devices
	rooms []*room

	roomIndex    map[*room]int // index in rooms; nil if there are few
	disconnected bool
}

// user is kept while it has a device or counts as a member of a room.
type user struct {
	id        ident.ID
	devices   []*device
	departing int // sum over its memberships
}

// room holds the members of a room.
type room struct {
	id      ident.ID
	members []*member
	byUser  map[*user]*member
	shown   []ident.ID // cache for first; nil if the first members have changed
}

// member is a user in a room. It remains one while it has a device in the room or a
// departure that is not finished.
type member struct {
	user      *user
	devices   int // in the room
	departing int // departures that are not finished
	index     int // in room.members
}

// manyRooms is the number of rooms from which a device keeps an index of them.
const manyRooms = 32

// room returns the index of r in d.rooms, or -1.
func (d *device) room(r *room) int {
	if d.roomIndex == nil {
		return slices.Index(d.rooms, r)
	}
	if i, ok := d.roomIndex[r]; ok {
		return i
	}
	return -1
}

func (d *device) enter(r *room) {
	d.rooms = append(d.rooms, r)
	switch {
	case d.roomIndex != nil:
		d.roomIndex[r] = len(d.rooms) - 1
	case len(d.rooms) == manyRooms:
		d.roomIndex = make(map[*room]int, 2*manyRooms)
		for i, r := range d.rooms {
			d.roomIndex[r] = i
		}
	}
}

func (d *device) exit(i int) {
	last := len(d.rooms) - 1
	if d.roomIndex != nil {
		delete(d.roomIndex, d.rooms[i])
		if i != last {
			d.roomIndex[d.rooms[last]] = i
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

// Watch sets the receiver of room events, for [Presence.Watch].
func (v *View) Watch(w Watch) {
	v.mu.Lock()
	defer v.mu.Unlock()
	w.Limit = max(w.Limit, -1)
	v.watch = w
}

// Nodes returns the number of nodes that have a part in the view.
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

// User returns the device's user. It reports false if the device is not connected.
func (v *View) User(device string) (ident.ID, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	d := v.devices[device]
	if d == nil {
		return ident.ID{}, false
	}
	return d.user.id, true
}

// Connected reports whether the user has a connected device.
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

// Members returns up to limit users of the room and the number of all. They are in
// the order in which they joined, as long as none has left.
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

// MemberCount returns the number of users in the room.
func (v *View) MemberCount(room string) int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if r := v.rooms[room]; r != nil {
		return len(r.members)
	}
	return 0
}

// RoomCount returns the number of rooms that the device is in.
func (v *View) RoomCount(device string) int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if d := v.devices[device]; d != nil {
		return len(d.rooms)
	}
	return 0
}

// RoomsOf returns the rooms that the user is in, in no particular order.
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

// Counts returns the number of connected users and of rooms.
func (v *View) Counts() (users, rooms int) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.connected, len(v.rooms)
}

// Users returns all connected users, ordered by key.
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
