package presence

import "github.com/puente-io/puente/server/ident"

// In a room that is above the limit nobody is sent who comes and goes: of n
// users each would be sent n others. What the devices of this node have been
// sent is kept meanwhile, so that they can be sent the difference when the room
// falls to the limit. That is feed.base, the users of the room when it grew above
// the limit, for the devices that were there then, and feed.late for each device
// that has joined since: the users in its answer, a list that devices share as
// long as these users stay.

// catchUp notes what a device is sent by the answer to a join, of a room above
// the limit. A device that joins again is first sent who has left.
func (v *View) catchUp(f *feed, r *room, d *device, fresh bool, shown []ident.ID) {
	if f.late == nil {
		f.late = make(map[*device][]ident.ID)
	}
	if fresh {
		f.late[d] = shown
		return
	}
	known, late := f.late[d]
	if !late {
		known = f.base
	}
	if late && len(known) == len(shown) && len(shown) > 0 && &known[0] == &shown[0] {
		return
	}
	now := make([]ident.ID, 0, len(known)+len(shown))
	named := make(map[string]bool, len(shown))
	for _, id := range shown {
		named[id.Key()] = true
	}
	for _, id := range known {
		switch {
		case !v.isMember(r, id):
			v.push(f, item{event: Event{Room: r.id, User: id, Here: true, Only: []string{d.name}}})
		case !named[id.Key()]:
			now = append(now, id)
		}
	}
	f.late[d] = append(now, shown...)
}

// relieve adds what the devices of this node have missed, for a room that has
// fallen to the limit.
func (v *View) relieve(f *feed, r *room) {
	var names []string
	groups := make(map[*ident.ID][]string) // devices that know the same list
	lists := make(map[*ident.ID][]ident.ID)
	for d, known := range f.late {
		names = append(names, d.name)
		var first *ident.ID
		if len(known) > 0 {
			first = &known[0]
		}
		groups[first] = append(groups[first], d.name)
		lists[first] = known
	}
	if f.devices > len(names) {
		v.difference(f, r, f.base, Event{Except: names})
	}
	for first, only := range groups {
		v.difference(f, r, lists[first], Event{Only: only})
	}
	f.base, f.late = nil, nil
}

// difference adds who of the known users has left the room, and who is in it and
// not known, for the devices that e names.
func (v *View) difference(f *feed, r *room, known []ident.ID, e Event) {
	e.Room, e.Here = r.id, true
	named := make(map[string]bool, len(known))
	for _, id := range known {
		named[id.Key()] = true
		if !v.isMember(r, id) {
			e.User = id
			v.push(f, item{event: e})
		}
	}
	e.Joined = true
	for _, m := range r.members {
		if !named[m.user.id.Key()] {
			e.User = m.user.id
			v.push(f, item{event: e})
		}
	}
}

func (v *View) isMember(r *room, id ident.ID) bool {
	u := v.users[id.Key()]
	return u != nil && r.byUser[u] != nil
}
