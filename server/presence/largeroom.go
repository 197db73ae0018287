package presence

import "github.com/puente-io/puente/server/ident"

// A room with more users than Watch.Limit has no events, since a join or leave of
// each of n users would be sent to the n-1 others. Meanwhile the feed remembers
// what this node's devices have learned of the room, so that they can be sent the
// difference when the room shrinks to the limit: feed.baseline holds the users at
// the moment when the room outgrew the limit, for the devices that were in it;
// feed.perDevice holds the users in the join answer of each device that has joined
// since. Devices share one list as long as it is the same.

// recordAnswer remembers the users that the answer to a join shows to d, in a room
// above the limit. fresh is false if d was in the room before; d is then sent first
// which users have left.
func (v *View) recordAnswer(f *feed, r *room, d *device, fresh bool, shown []ident.ID) {
	if f.perDevice == nil {
		f.perDevice = make(map[*device][]ident.ID)
	}
	if fresh {
		f.perDevice[d] = shown
		return
	}
	known, own := f.perDevice[d]
	if !own {
		known = f.baseline
	}
	if own && len(known) == len(shown) && len(shown) > 0 && &known[0] == &shown[0] {
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
			v.push(f, item{event: Event{Room: r.id, User: id, Local: true, Only: []string{d.name}}})
		case !named[id.Key()]:
			now = append(now, id)
		}
	}
	f.perDevice[d] = append(now, shown...)
}

// pushMissed adds the events that this node's devices missed, when the room has
// shrunk to the limit.
func (v *View) pushMissed(f *feed, r *room) {
	var names []string
	groups := make(map[*ident.ID][]string) // devices that share a list
	lists := make(map[*ident.ID][]ident.ID)
	for d, known := range f.perDevice {
		names = append(names, d.name)
		var first *ident.ID
		if len(known) > 0 {
			first = &known[0]
		}
		groups[first] = append(groups[first], d.name)
		lists[first] = known
	}
	if f.devices > len(names) {
		v.pushDifference(f, r, f.baseline, Event{Except: names})
	}
	for first, only := range groups {
		v.pushDifference(f, r, lists[first], Event{Only: only})
	}
	f.baseline, f.perDevice = nil, nil
}

// pushDifference adds an event for each known user that has left the room and for
// each member that is not known. e selects the devices.
func (v *View) pushDifference(f *feed, r *room, known []ident.ID, e Event) {
	e.Room, e.Local = r.id, true
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
