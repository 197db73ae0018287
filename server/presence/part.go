package presence

import (
	"slices"

	"github.com/puente-io/puente/server/ident"
)

// Part is the devices of one node in a [View]: what that node writes, and
// nothing that belongs to others. A part has one writer at a time.
type Part struct {
	view        *View
	node        string
	devices     []*device
	memberships int // of the devices, in rooms
}

// Entry is a device as a whole.
type Entry struct {
	Device string
	User   ident.ID
	Rooms  []ident.ID
}

// Part returns the part of a node, which it makes where there is none.
func (v *View) Part(node string) *Part {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := v.parts[node]
	if p == nil {
		p = &Part{view: v, node: node}
		v.parts[node] = p
	}
	return p
}

// Size is the number of devices and of their memberships in rooms together.
func (p *Part) Size() int {
	p.view.mu.RLock()
	defer p.view.mu.RUnlock()
	return len(p.devices) + p.memberships
}

// Has reports whether the device is in the part.
func (p *Part) Has(name string) bool {
	p.view.mu.RLock()
	defer p.view.mu.RUnlock()
	return p.device(name) != nil
}

// Connect adds a device. It reports false where there is one with the name, of
// this node or another.
func (p *Part) Connect(name string, id ident.ID) bool {
	v := p.view
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
	d := &device{name: name, part: p, index: len(p.devices), user: u}
	u.devices = append(u.devices, d)
	p.devices = append(p.devices, d)
	v.devices[name] = d
	return true
}

// Disconnect removes a device from its rooms and from the view.
func (p *Part) Disconnect(name string) (gone []Departure) {
	v := p.view
	v.mu.Lock()
	defer v.mu.Unlock()
	d := p.device(name)
	if d == nil {
		return nil
	}
	for _, r := range d.rooms {
		gone = append(gone, Departure{Room: r.id, User: d.user.id, Last: v.leave(d, r)})
	}
	p.memberships -= len(d.rooms)
	delete(v.devices, d.name)
	end := p.devices[len(p.devices)-1]
	p.devices[d.index], end.index = end, d.index
	p.devices[len(p.devices)-1] = nil
	p.devices = p.devices[:len(p.devices)-1]
	u := d.user
	u.devices = slices.DeleteFunc(u.devices, func(o *device) bool { return o == d })
	if len(u.devices) == 0 {
		delete(v.users, u.id.Key())
	}
	return gone
}

// Join adds a device to a room, see [Presence.Join].
func (p *Part) Join(name string, id ident.ID) (joined, first bool) {
	v := p.view
	v.mu.Lock()
	defer v.mu.Unlock()
	d := p.device(name)
	if d == nil {
		return false, false
	}
	r := v.rooms[id.Key()]
	if r == nil {
		r = &room{id: id, byUser: make(map[*user]*member)}
		v.rooms[id.Key()] = r
	} else if d.room(r) >= 0 {
		return false, false
	}
	d.enter(r)
	p.memberships++
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
func (p *Part) Leave(name string, id ident.ID) (left, last bool) {
	v := p.view
	v.mu.Lock()
	defer v.mu.Unlock()
	d, r := p.device(name), v.rooms[id.Key()]
	if d == nil || r == nil {
		return false, false
	}
	i := d.room(r)
	if i < 0 {
		return false, false
	}
	d.exit(i)
	p.memberships--
	return true, v.leave(d, r)
}

// device returns the part's device with the name, or nil.
func (p *Part) device(name string) *device {
	if d := p.view.devices[name]; d != nil && d.part == p {
		return d
	}
	return nil
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

// Entries returns the devices. It is the writer's to call: it takes no lock, so
// that readers do not wait for it.
func (p *Part) Entries() []Entry {
	entries := make([]Entry, len(p.devices))
	for i, d := range p.devices {
		e := Entry{Device: d.name, User: d.user.id}
		if len(d.rooms) > 0 {
			e.Rooms = make([]ident.ID, len(d.rooms))
			for j, r := range d.rooms {
				e.Rooms[j] = r.id
			}
		}
		entries[i] = e
	}
	return entries
}

// Replace makes the part what the entries say and returns which users have come
// into rooms and left them with that. What stays is there all the while; others
// are not kept waiting until all is done. Devices of other nodes are left alone.
func (p *Part) Replace(entries []Entry) (changes []Change) {
	type place struct{ device, room string }
	wanted := make(map[string]ident.ID)
	in := make(map[place]bool)
	before := p.Entries()
	if len(before) > 0 {
		for _, e := range entries {
			wanted[e.Device] = e.User
			for _, r := range e.Rooms {
				in[place{e.Device, r.Key()}] = true
			}
		}
	}
	for _, e := range before {
		if user, ok := wanted[e.Device]; ok && !user.Equal(e.User) { // a device has one user at a time
			changes = appendLeft(changes, p.Disconnect(e.Device))
		}
	}
	for _, e := range entries {
		p.Connect(e.Device, e.User)
		for _, r := range e.Rooms {
			if _, first := p.Join(e.Device, r); first {
				changes = append(changes, Change{Room: r, User: e.User, Joined: true})
			}
		}
	}
	for _, e := range before {
		if _, ok := wanted[e.Device]; !ok {
			changes = appendLeft(changes, p.Disconnect(e.Device))
			continue
		}
		for _, r := range e.Rooms {
			if in[place{e.Device, r.Key()}] {
				continue
			}
			if _, last := p.Leave(e.Device, r); last {
				changes = append(changes, Change{Room: r, User: e.User})
			}
		}
	}
	return changes
}

// Drop takes the part out of the view, with all its devices, and returns which
// users have left rooms with them.
func (p *Part) Drop() []Change {
	changes := p.Replace(nil)
	p.view.mu.Lock()
	defer p.view.mu.Unlock()
	delete(p.view.parts, p.node)
	return changes
}

func appendLeft(changes []Change, gone []Departure) []Change {
	for _, d := range gone {
		if d.Last {
			changes = append(changes, Change{Room: d.Room, User: d.User})
		}
	}
	return changes
}
