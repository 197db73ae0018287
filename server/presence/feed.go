package presence

import "github.com/puente-io/puente/server/ident"

// feed queues the events of one room, in order. The goroutine that adds the first
// item to an idle feed puts the feed in View.due and delivers it after it has
// released the view's lock; meanwhile others only append. So events are handled
// without locks and one at a time.
//
// A feed exists while devices of this node are in the room or events are queued.
// Its length is bounded by the number of changes of the room during one call of
// Watch.Event, which only queues packets for the sockets of this node.
type feed struct {
	room    ident.ID
	devices int // of this node, in the room
	queue   []item
	busy    bool // a goroutine delivers it or is about to

	// Users that devices have learned of, in a room above the limit; see
	// recordAnswer.
	baseline  []ident.ID
	perDevice map[*device][]ident.ID
}

// item is an event, or a call that is ordered among the events.
type item struct {
	event Event
	call  func()
}

// feed returns the room's feed; it creates the feed if there is none.
func (v *View) feed(r *room) *feed {
	f := v.feeds[r.id.Key()]
	if f == nil {
		f = &feed{room: r.id}
		v.feeds[r.id.Key()] = f
	}
	return f
}

// push appends an item.
func (v *View) push(f *feed, i item) {
	f.queue = append(f.queue, i)
	if !f.busy {
		f.busy = true
		v.due = append(v.due, f)
	}
}

// dropFeed deletes the feed if no device of this node is in the room and nothing
// is queued.
func (v *View) dropFeed(f *feed) {
	if f.devices == 0 {
		f.baseline, f.perDevice = nil, nil
		if !f.busy {
			delete(v.feeds, f.room.Key())
		}
	}
}

// Deliver calls Watch.Event for all queued events, also those of other writers. It
// must be called without locks after each write.
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

// deliver handles the items of one feed until none are left.
func (v *View) deliver(f *feed, handle func(Event)) {
	for {
		v.mu.Lock()
		queue := f.queue
		f.queue = nil
		if len(queue) == 0 {
			f.busy = false
			v.dropFeed(f)
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

// pushChange adds the event for a user that has joined or left the room. foreign
// becomes Event.Foreign.
func (v *View) pushChange(r *room, u *user, joined, foreign bool) {
	f, users, limit := v.feeds[r.id.Key()], len(r.members), v.watch.Limit
	if v.watch.Event == nil || f == nil && !foreign {
		return
	}
	if f == nil {
		f = v.feed(r)
		defer v.dropFeed(f)
	}
	e := Event{Room: r.id, User: u.id, Joined: joined, Local: f.devices > 0, Foreign: foreign}
	switch {
	case joined && users == limit+1: // the room outgrows the limit
		if f.devices > 0 {
			f.baseline, f.perDevice = r.users(users-1), nil // all but the new user, which is the last
		}
		return
	case users > limit:
		return
	case !joined && users == limit: // the room shrinks to the limit
		v.pushMissed(f, r)
		e.Local = false // pushMissed has added it
	}
	if e.Local || e.Foreign {
		v.push(f, item{event: e})
	}
}
