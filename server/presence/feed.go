package presence

import "github.com/puente-io/puente/server/ident"

// feed is the events of one room, in their order. Whoever adds the first one
// to an idle feed puts it in View.due, and delivers it after it has let go of the
// view's lock; while it does, others only add to it. So events are handled
// without locks, and one at a time.
//
// A feed exists while devices of this node are in the room, or it has events. Its
// length is bounded by what changes in the room while one event is handled, which
// only queues to the sockets of this node.
type feed struct {
	room    ident.ID
	devices int // of this node, in the room
	queue   []item
	busy    bool // somebody delivers, or is about to

	// What devices have been sent of a room that is above the limit, see catchUp.
	base []ident.ID
	late map[*device][]ident.ID
}

// item is an event, or a call that has its place among events.
type item struct {
	event Event
	call  func()
}

// feed returns the room's feed, and makes it if there is none.
func (v *View) feed(r *room) *feed {
	f := v.feeds[r.id.Key()]
	if f == nil {
		f = &feed{room: r.id}
		v.feeds[r.id.Key()] = f
	}
	return f
}

// push adds an item.
func (v *View) push(f *feed, i item) {
	f.queue = append(f.queue, i)
	if !f.busy {
		f.busy = true
		v.due = append(v.due, f)
	}
}

// drop forgets a feed that is of no use any more.
func (v *View) drop(f *feed) {
	if f.devices == 0 {
		f.base, f.late = nil, nil
		if !f.busy {
			delete(v.feeds, f.room.Key())
		}
	}
}

// Deliver handles the events that writing has brought about, those of other
// writers included. It must be called without locks, after each writing.
func (v *View) Deliver() {
	for {
		v.mu.Lock()
		if len(v.due) == 0 {
			v.mu.Unlock()
			return
		}
		due := v.due
		v.due = nil
		handle := v.watch.Event
		v.mu.Unlock()
		for _, f := range due {
			v.deliver(f, handle)
		}
	}
}

// deliver handles the events of one feed until there are none.
func (v *View) deliver(f *feed, handle func(Event)) {
	for {
		v.mu.Lock()
		queue := f.queue
		f.queue = nil
		if len(queue) == 0 {
			f.busy = false
			v.drop(f)
			v.mu.Unlock()
			return
		}
		v.mu.Unlock()
		for _, i := range queue {
			if i.call != nil {
				i.call()
			} else {
				handle(i.event)
			}
		}
	}
}

// changed adds what the members of the room have to be sent about a user who has
// come into it, or has left it.
func (v *View) changed(r *room, u *user, joined, elsewhere bool) {
	f, users, limit := v.feeds[r.id.Key()], len(r.members), v.watch.Limit
	if v.watch.Event == nil || f == nil && !elsewhere {
		return
	}
	if f == nil {
		f = v.feed(r)
		defer v.drop(f)
	}
	e := Event{Room: r.id, User: u.id, Joined: joined, Here: f.devices > 0, Elsewhere: elsewhere}
	switch {
	case joined && users == limit+1: // the room grows above it
		if f.devices > 0 {
			f.base, f.late = r.users(users-1), nil // the new one is the last
		}
		return
	case users > limit:
		return
	case !joined && users == limit: // the room falls to it
		v.relieve(f, r)
		e.Here = false // it is among what they have missed
	}
	if e.Here || e.Elsewhere {
		v.push(f, item{event: e})
	}
}
