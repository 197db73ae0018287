package presencetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
)

// Cast is what the devices of a cluster, and the members on servers without
// presence, know of rooms: by the answers to their joins and by events. It notes
// what contradicts what they know.
type Cast struct {
	mu        sync.Mutex
	wrong     []string
	elsewhere map[string]map[string]int // how often users have joined, less how often they have left, by room
	events    int
	crowds    bool // a node has a low limit: what is announced elsewhere has gaps
}

// NewCast returns a cast without members.
func NewCast() *Cast { return &Cast{elsewhere: make(map[string]map[string]int)} }

// Wrong returns what was wrong so far, and forgets it.
func (c *Cast) Wrong() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { c.wrong = nil }()
	return c.wrong
}

// Events is the number of events that this node's devices were sent so far.
func (c *Cast) Events() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.events
}

func (c *Cast) errorf(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

// Elsewhere compares what members on servers without presence know with the users
// by room. They are sent it by several nodes, so only the end counts.
func (c *Cast) Elsewhere(truth map[string]map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	rooms := maps.Clone(truth)
	for room := range c.elsewhere {
		rooms[room] = truth[room]
	}
	for _, room := range slices.Sorted(maps.Keys(rooms)) {
		known := make(map[string]bool)
		for u, n := range c.elsewhere[room] {
			known[u] = n == 1
			if n != 0 && n != 1 {
				c.errorf("elsewhere: %s has joined %s %d times more than left", u, room, n)
			}
			if n == 0 {
				delete(known, u)
			}
		}
		c.compare("elsewhere", room, known, rooms[room], "")
	}
}

func (c *Cast) compare(who, room string, known, truth map[string]bool, self string) {
	for _, u := range slices.Sorted(maps.Keys(known)) {
		if !truth[u] && u != self {
			c.errorf("%s: ghost of %s in %s", who, u, room)
		}
	}
	for _, u := range slices.Sorted(maps.Keys(truth)) {
		if !known[u] && u != self {
			c.errorf("%s: does not know %s in %s", who, u, room)
		}
	}
}

// Audience is the devices of one node of a cast.
type Audience struct {
	presence.Presence
	Name string
	cast *Cast

	users map[string]string                     // of devices
	rooms map[string]map[string]map[string]bool // by room and device: the users it knows
	dead  bool
}

// Watch makes a node's audience. limit is as of [presence.Watch].
func (c *Cast) Watch(name string, n presence.Presence, limit int) *Audience {
	a := &Audience{
		Presence: n, Name: name, cast: c,
		users: make(map[string]string), rooms: make(map[string]map[string]map[string]bool),
	}
	c.crowds = c.crowds || limit < 100
	n.Watch(presence.Watch{Event: a.event, Limit: limit, Shown: 1000})
	return a
}

// Die makes the node's devices and what it says count for nothing.
func (a *Audience) Die() {
	a.cast.mu.Lock()
	defer a.cast.mu.Unlock()
	a.dead = true
}

func (a *Audience) event(e presence.Event) {
	a.cast.mu.Lock()
	defer a.cast.mu.Unlock()
	if a.dead {
		return
	}
	room, user := e.Room.Key(), e.User.Key()
	if e.Here {
		for device, known := range a.rooms[room] {
			if len(e.Only) > 0 && !slices.Contains(e.Only, device) || slices.Contains(e.Except, device) || a.users[device] == user {
				continue
			}
			a.cast.events++
			a.cast.apply(a.Name+" "+device, e, known)
		}
	}
	if e.Elsewhere && !a.cast.crowds {
		if a.cast.elsewhere[room] == nil {
			a.cast.elsewhere[room] = make(map[string]int)
		}
		if e.Joined {
			a.cast.elsewhere[room][user]++
		} else {
			a.cast.elsewhere[room][user]--
		}
	}
}

func (c *Cast) apply(who string, e presence.Event, known map[string]bool) {
	user := e.User.Key()
	switch {
	case e.Joined && known[user]:
		c.errorf("%s: %s has joined %s, again", who, user, e.Room)
	case !e.Joined && !known[user]:
		c.errorf("%s: %s has left %s, and was not there", who, user, e.Room)
	}
	if e.Joined {
		known[user] = true
	} else {
		delete(known, user)
	}
}

// Enter connects a device of the user, if it is not connected, and lets it join
// the room. It returns when it has joined, and reports whether it could.
func (a *Audience) Enter(device, user, room string) bool {
	a.cast.mu.Lock()
	a.users[device] = user
	a.cast.mu.Unlock()
	a.Connect(device, id(user))
	placed := make(chan bool, 1)
	a.Join(device, id(room), func(p presence.Placement) {
		a.cast.mu.Lock()
		defer a.cast.mu.Unlock()
		if p.OK {
			known := make(map[string]bool)
			for _, u := range p.Users {
				known[u.Key()] = true
			}
			if !known[user] && len(p.Users) == p.Total {
				a.cast.errorf("%s %s: is not in the answer to its own join", a.Name, device)
			}
			if a.rooms[room] == nil {
				a.rooms[room] = make(map[string]map[string]bool)
			}
			a.rooms[room][device] = known
		}
		placed <- p.OK
	})
	return <-placed
}

// Exit takes a device out of a room.
func (a *Audience) Exit(device, room string) {
	a.cast.mu.Lock()
	delete(a.rooms[room], device)
	a.cast.mu.Unlock()
	left := make(chan struct{})
	a.Leave(device, id(room), func() { close(left) })
	<-left
}

// Gone disconnects a device.
func (a *Audience) Gone(device string) {
	a.cast.mu.Lock()
	for _, devices := range a.rooms {
		delete(devices, device)
	}
	a.cast.mu.Unlock()
	a.Disconnect(device)
}

// Truth adds the users in rooms, by their devices on this node.
func (a *Audience) Truth(truth map[string]map[string]bool) {
	a.cast.mu.Lock()
	defer a.cast.mu.Unlock()
	if a.dead {
		return
	}
	for room, devices := range a.rooms {
		for device := range devices {
			if truth[room] == nil {
				truth[room] = make(map[string]bool)
			}
			truth[room][a.users[device]] = true
		}
	}
}

// Check compares what the devices know with the users by room, which those that
// are in rooms must know; and the view.
func (a *Audience) Check(truth map[string]map[string]bool) {
	a.cast.mu.Lock()
	defer a.cast.mu.Unlock()
	for room := range a.rooms {
		if truth[room] == nil && !a.dead && len(a.rooms[room]) > 0 {
			a.cast.errorf("%s: devices in %s, where nobody is", a.Name, room)
		}
	}
	a.check(truth)
}

// CheckRooms is Check of these rooms alone.
func (a *Audience) CheckRooms(truth map[string]map[string]bool) {
	a.cast.mu.Lock()
	defer a.cast.mu.Unlock()
	a.check(truth)
}

func (a *Audience) check(truth map[string]map[string]bool) {
	if a.dead {
		return
	}
	for room, users := range truth {
		for device, known := range a.rooms[room] {
			a.cast.compare(a.Name+" "+device, room, known, users, a.users[device])
		}
	}
	for room, users := range truth {
		list, total := a.View().Members(room, len(users)+1)
		names := make([]string, len(list))
		for i, u := range list {
			names[i] = u.Key()
		}
		slices.Sort(names)
		if want := slices.Sorted(maps.Keys(users)); total != len(users) || !slices.Equal(names, want) {
			a.cast.errorf("%s: its view of %s has %s, want %s", a.Name, room, strings.Join(names, " "), strings.Join(want, " "))
		}
	}
}

func id(s string) ident.ID { return ident.Must(ident.String(s)) }
