package presence

import (
	"slices"

	"github.com/puente-io/puente/server/ident"
)

// Part is the devices of one node in a [View]: what that node writes, and
// nothing that belongs to others. A part has one writer at a time, who calls
// [View.Deliver] afterwards, without locks.
type Part struct {
	view        *View
	node        string
	devices     []*device
	memberships int  // of the devices, in rooms
	own         bool // its devices are this node's
	elsewhere   bool // see Event.Elsewhere
}

// Entry is a device as a whole.
type Entry struct {
	Device string
	User   ident.ID
	Rooms  []ident.ID
}

// Device is a device of this node, as long as it is connected. The zero Device
// is none.
type Device struct{ device *device }

// Departure is a device that has left a room, whose user counts as in it until
// [Part.Release].
type Departure struct {
	room   *room
	member *member
}

// Part returns the part of another node. It makes it if there is none.
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

// OwnPart is Part for the node that the view belongs to.
func (v *View) OwnPart(node string) *Part {
	p := v.Part(node)
	p.own, p.elsewhere = true, true
	return p
}

// Speak sets whether the part's events have Elsewhere from now on: this node
// answers for the part's. Its own part is its own to answer for.
func (p *Part) Speak(elsewhere bool) {
	p.view.mu.Lock()
	defer p.view.mu.Unlock()
	p.elsewhere = elsewhere
}

// Size is the number of devices and of their memberships in rooms together.
func (p *Part) Size() int {
	p.view.mu.RLock()
	defer p.view.mu.RUnlock()
	return len(p.devices) + p.memberships
}

// Device returns the device with the name.
func (p *Part) Device(name string) (Device, bool) {
	p.view.mu.RLock()
	defer p.view.mu.RUnlock()
	d := p.device(name)
	return Device{d}, d != nil
}

// In reports whether the device is in the room.
func (p *Part) In(d Device, room ident.ID) bool {
	p.view.mu.RLock()
	defer p.view.mu.RUnlock()
	r := p.view.rooms[room.Key()]
	return r != nil && d.device != nil && d.device.room(r) >= 0
}

// Connect adds a device. It reports false if there is one with the name, of
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
	if len(u.devices) == 0 {
		v.connected++
	}
	u.devices = append(u.devices, d)
	p.devices = append(p.devices, d)
	v.devices[name] = d
	return true
}

// Disconnect removes a device from its rooms and from the view. It returns the
// rooms.
func (p *Part) Disconnect(name string) (rooms []ident.ID) {
	for _, d := range p.Withdraw(name) {
		rooms = append(rooms, d.room.id)
		p.Release(d)
	}
	return rooms
}

// Withdraw is Disconnect of a device whose user counts as in the rooms until
// they are released.
func (p *Part) Withdraw(name string) (gone []Departure) {
	v := p.view
	v.mu.Lock()
	defer v.mu.Unlock()
	d := p.device(name)
	if d == nil {
		return nil
	}
	for _, r := range d.rooms {
		gone = append(gone, v.depart(d, r))
	}
	p.memberships -= len(d.rooms)
	d.gone = true
	d.rooms, d.where = nil, nil
	delete(v.devices, d.name)
	end := p.devices[len(p.devices)-1]
	p.devices[d.index], end.index = end, d.index
	p.devices[len(p.devices)-1] = nil
	p.devices = p.devices[:len(p.devices)-1]
	u := d.user
	u.devices = slices.DeleteFunc(u.devices, func(o *device) bool { return o == d })
	if len(u.devices) == 0 {
		v.connected--
	}
	v.forget(u)
	return gone
}

// Room is the departure's room.
func (d Departure) Room() ident.ID { return d.room.id }

// Join adds a device to a room. It reports false if it was there, or is not
// connected.
func (p *Part) Join(name string, id ident.ID) bool {
	v := p.view
	v.mu.Lock()
	defer v.mu.Unlock()
	d := p.device(name)
	return d != nil && v.join(d, v.room(id))
}

// Place adds a device of this node to a room, as [Presence.Join] does, and calls
// placed in the room's order. It reports false, and does not call it, if the
// device is gone.
func (p *Part) Place(h Device, id ident.ID, placed func(Placement)) bool {
	v := p.view
	v.mu.Lock()
	defer v.mu.Unlock()
	d := h.device
	if d == nil || d.gone {
		return false
	}
	r := v.room(id)
	fresh := v.join(d, r)
	f := v.feed(r)
	at := Placement{OK: true, Users: r.first(v.watch.Shown), Total: len(r.members)}
	if at.Total > v.watch.Limit && v.watch.Limit >= 0 && v.watch.Event != nil {
		v.catchUp(f, r, d, fresh, at.Users)
	}
	v.push(f, item{call: func() { placed(at) }})
	return true
}

// Leave takes a device out of a room. It reports false if it was not there.
func (p *Part) Leave(name string, id ident.ID) bool {
	d, left := p.Depart(name, id)
	if left {
		p.Release(d)
	}
	return left
}

// Depart is Leave of a device whose user counts as in the room until it is
// released.
func (p *Part) Depart(name string, id ident.ID) (_ Departure, left bool) {
	v := p.view
	v.mu.Lock()
	defer v.mu.Unlock()
	d, r := p.device(name), v.rooms[id.Key()]
	if d == nil || r == nil {
		return Departure{}, false
	}
	i := d.room(r)
	if i < 0 {
		return Departure{}, false
	}
	d.exit(i)
	p.memberships--
	return v.depart(d, r), true
}

// Release ends a departure.
func (p *Part) Release(d Departure) {
	p.view.mu.Lock()
	defer p.view.mu.Unlock()
	m := d.member
	m.leaving--
	m.user.leaving--
	p.view.settle(d.room, m, p.elsewhere)
	p.view.forget(m.user)
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

// Replace makes the part what the entries say. What stays is there all the
// while; others are not kept waiting until all is done. Devices of other nodes
// are left alone.
func (p *Part) Replace(entries []Entry) {
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
			p.Disconnect(e.Device)
		}
	}
	for _, e := range entries {
		p.Connect(e.Device, e.User)
		for _, r := range e.Rooms {
			p.Join(e.Device, r)
		}
	}
	for _, e := range before {
		if _, ok := wanted[e.Device]; !ok {
			p.Disconnect(e.Device)
			continue
		}
		for _, r := range e.Rooms {
			if !in[place{e.Device, r.Key()}] {
				p.Leave(e.Device, r)
			}
		}
	}
}

// Drop takes the part out of the view, with all its devices.
func (p *Part) Drop() {
	p.Replace(nil)
	p.view.mu.Lock()
	defer p.view.mu.Unlock()
	delete(p.view.parts, p.node)
}

// The functions below change the view. They are called with its lock held.

// device returns the part's device with the name, or nil.
func (p *Part) device(name string) *device {
	if d := p.view.devices[name]; d != nil && d.part == p {
		return d
	}
	return nil
}

// room returns the room, and makes it if there is none.
func (v *View) room(id ident.ID) *room {
	r := v.rooms[id.Key()]
	if r == nil {
		r = &room{id: id, byUser: make(map[*user]*member)}
		v.rooms[id.Key()] = r
	}
	return r
}

// join adds a device to a room. It reports false if it was there.
func (v *View) join(d *device, r *room) bool {
	if d.room(r) >= 0 {
		return false
	}
	d.enter(r)
	d.part.memberships++
	m := r.byUser[d.user]
	if m == nil {
		m = &member{user: d.user, index: len(r.members)}
		r.members = append(r.members, m)
		r.byUser[d.user] = m
		if m.index < len(r.shown) || m.index < v.watch.Shown {
			r.shown = nil
		}
		v.changed(r, d.user, true, d.part.elsewhere)
	}
	m.devices++
	if d.part.own {
		v.feed(r).devices++
	}
	return true
}

// depart takes a device out of the room's count.
func (v *View) depart(d *device, r *room) Departure {
	m := r.byUser[d.user]
	m.devices--
	m.leaving++
	d.user.leaving++
	if d.part.own {
		f := v.feed(r)
		f.devices--
		delete(f.late, d)
		v.drop(f)
	}
	return Departure{r, m}
}

// settle takes a user out of the room that nothing holds there any more.
func (v *View) settle(r *room, m *member, elsewhere bool) {
	if m.devices+m.leaving > 0 {
		return
	}
	end := r.members[len(r.members)-1]
	r.members[m.index] = end
	end.index = m.index
	r.members[len(r.members)-1] = nil
	r.members = r.members[:len(r.members)-1]
	delete(r.byUser, m.user)
	if m.index < len(r.shown) {
		r.shown = nil
	}
	if len(r.members) == 0 {
		delete(v.rooms, r.id.Key())
	}
	v.changed(r, m.user, false, elsewhere)
}

// forget drops a user who has no device and is in no room.
func (v *View) forget(u *user) {
	if len(u.devices) == 0 && u.leaving == 0 {
		delete(v.users, u.id.Key())
	}
}

// first returns up to limit users of the room. They are shared by all who ask
// until they change.
func (r *room) first(limit int) []ident.ID {
	if r.shown == nil {
		r.shown = r.users(limit)
	}
	return r.shown
}
