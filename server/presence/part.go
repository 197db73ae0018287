package presence

import "github.com/puente-io/puente/server/ident"

// Part holds the devices of one node in a [View]. It has one writer at a time,
// which calls [View.Deliver] after each write, without locks.
type Part struct {
	view        *View
	node        string
	devices     []*device
	memberships int  // of the devices in rooms
	own         bool // the devices are this node's
	announcer   bool // see SetAnnouncer
}

// Entry describes a device: its user and its rooms.
type Entry struct {
	Device string
	User   ident.ID
	Rooms  []ident.ID
}

// Device refers to a device until it is disconnected. A device that connects later
// under the same name is a different Device. The zero Device refers to none.
type Device struct{ device *device }

// Departure is the leave of a device from a room whose user counts as a member
// until [Part.Finish].
type Departure struct {
	room   *room
	member *member
}

// Part returns the part of the node. It creates the part if there is none.
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

// OwnPart is [View.Part] for the node that the view belongs to, which announces the
// part's changes, see [Part.SetAnnouncer].
func (v *View) OwnPart(node string) *Part {
	p := v.Part(node)
	p.own, p.announcer = true, true
	return p
}

// SetAnnouncer sets whether this node announces the part's changes to foreign
// servers, which is Event.Foreign of the events from now on.
func (p *Part) SetAnnouncer(on bool) {
	p.view.mu.Lock()
	defer p.view.mu.Unlock()
	p.announcer = on
}

// Size returns the number of devices plus the number of their memberships in rooms.
func (p *Part) Size() int {
	p.view.mu.RLock()
	defer p.view.mu.RUnlock()
	return len(p.devices) + p.memberships
}

// Device returns the part's device with the name, and whether there is one.
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

// Connect adds a device. It reports false if any node has a device with the name.
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
	d := &device{name: name, part: p, index: len(p.devices), user: u, at: len(u.devices)}
	if len(u.devices) == 0 {
		v.connected++
	}
	u.devices = append(u.devices, d)
	p.devices = append(p.devices, d)
	v.devices[name] = d
	return true
}

// Disconnect removes a device from its rooms and from the view, and returns the
// rooms.
func (p *Part) Disconnect(name string) (rooms []ident.ID) {
	for _, d := range p.BeginDisconnect(name) {
		rooms = append(rooms, d.room.id)
		p.Finish(d)
	}
	return rooms
}

// BeginDisconnect is Disconnect, but the user counts as a member of each room until
// the departure is finished.
func (p *Part) BeginDisconnect(name string) (departures []Departure) {
	v := p.view
	v.mu.Lock()
	defer v.mu.Unlock()
	d := p.device(name)
	if d == nil {
		return nil
	}
	for _, r := range d.rooms {
		departures = append(departures, v.beginLeave(d, r))
	}
	p.memberships -= len(d.rooms)
	d.disconnected = true
	d.rooms, d.roomIndex = nil, nil
	delete(v.devices, d.name)
	end := p.devices[len(p.devices)-1]
	p.devices[d.index], end.index = end, d.index
	p.devices[len(p.devices)-1] = nil
	p.devices = p.devices[:len(p.devices)-1]
	u := d.user
	end = u.devices[len(u.devices)-1]
	u.devices[d.at], end.at = end, d.at
	u.devices[len(u.devices)-1] = nil
	u.devices = u.devices[:len(u.devices)-1]
	if len(u.devices) == 0 {
		v.connected--
	}
	v.dropUser(u)
	return departures
}

// Room returns the room that the device leaves.
func (d Departure) Room() ident.ID { return d.room.id }

// Join adds a device to a room. It reports false if the device is not connected or
// is already in the room.
func (p *Part) Join(name string, id ident.ID) bool {
	v := p.view
	v.mu.Lock()
	defer v.mu.Unlock()
	d := p.device(name)
	return d != nil && v.join(d, v.room(id))
}

// Place adds a device of this node to a room and calls placed in the room's order,
// as [Presence.Join] does. If the device is disconnected, Place reports false and
// does not call placed.
func (p *Part) Place(h Device, id ident.ID, placed func(Placement)) bool {
	v := p.view
	v.mu.Lock()
	defer v.mu.Unlock()
	d := h.device
	if d == nil || d.disconnected {
		return false
	}
	r := v.room(id)
	fresh := v.join(d, r)
	f := v.feed(r)
	at := Placement{OK: true, Users: r.first(v.watch.Shown), Total: len(r.members)}
	if at.Total > v.watch.Limit && v.watch.Limit >= 0 && v.watch.Event != nil {
		v.recordAnswer(f, r, d, fresh, at.Users)
	}
	v.push(f, item{call: func() { placed(at) }})
	return true
}

// Leave removes a device from a room. It reports false if the device was not in it.
func (p *Part) Leave(name string, id ident.ID) bool {
	d, left := p.BeginLeave(name, id)
	if left {
		p.Finish(d)
	}
	return left
}

// BeginLeave is Leave, but the user counts as a member of the room until the
// departure is finished.
func (p *Part) BeginLeave(name string, id ident.ID) (_ Departure, left bool) {
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
	return v.beginLeave(d, r), true
}

// Finish completes a departure: the user is no longer a member unless another
// device of it is in the room. It must be called once for each departure.
func (p *Part) Finish(d Departure) {
	p.view.mu.Lock()
	defer p.view.mu.Unlock()
	m := d.member
	m.departing--
	m.user.departing--
	p.view.dropMember(d.room, m, p.announcer)
	p.view.dropUser(m.user)
}

// Entries returns all devices of the part. Only the part's writer may call it: it
// takes no lock, so that readers do not wait.
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

// Replace changes the part step by step until it equals the entries. Devices and
// memberships in both are never absent in between, and readers may run between the
// steps. Replace skips entries whose device belongs to another node.
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
		if user, ok := wanted[e.Device]; ok && !user.Equal(e.User) { // the device is now another user's
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

// Drop removes the part and all its devices from the view.
func (p *Part) Drop() {
	p.Replace(nil)
	p.view.mu.Lock()
	defer p.view.mu.Unlock()
	delete(p.view.parts, p.node)
}

// The functions below must be called with View.mu held.

// device returns the part's device with the name, or nil.
func (p *Part) device(name string) *device {
	if d := p.view.devices[name]; d != nil && d.part == p {
		return d
	}
	return nil
}

// room returns the room; it creates the room if there is none.
func (v *View) room(id ident.ID) *room {
	r := v.rooms[id.Key()]
	if r == nil {
		r = &room{id: id, byUser: make(map[*user]*member)}
		v.rooms[id.Key()] = r
	}
	return r
}

// join adds a device to a room. It reports false if the device is already in it.
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
		v.pushChange(r, d.user, true, d.part.announcer)
	}
	m.devices++
	if d.part.own {
		v.feed(r).devices++
	}
	return true
}

// beginLeave moves a device from the member's devices to its departing ones.
func (v *View) beginLeave(d *device, r *room) Departure {
	m := r.byUser[d.user]
	m.devices--
	m.departing++
	d.user.departing++
	if d.part.own {
		f := v.feed(r)
		f.devices--
		delete(f.perDevice, d)
		v.dropFeed(f)
	}
	return Departure{r, m}
}

// dropMember removes a member that has no device in the room, present or
// departing, and the room if it was the last.
func (v *View) dropMember(r *room, m *member, foreign bool) {
	if m.devices+m.departing > 0 {
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
	v.pushChange(r, m.user, false, foreign)
}

// dropUser removes a user that has no device and is in no room.
func (v *View) dropUser(u *user) {
	if len(u.devices) == 0 && u.departing == 0 {
		delete(v.users, u.id.Key())
	}
}

// first returns the first users of the room, at most limit. All callers share the
// list until it changes; limit must always be Watch.Shown.
func (r *room) first(limit int) []ident.ID {
	if r.shown == nil {
		r.shown = r.users(limit)
	}
	return r.shown
}
