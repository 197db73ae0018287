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

// Recorder records which users the devices of a cluster, and the members on foreign
// servers, have learned of: from the answers to joins and from events. It reports
// what contradicts that as problems.
type Recorder struct {
	mu       sync.Mutex
	problems []string
	foreign  map[string]map[string]int // joins less leaves announced to foreign servers, by room and user
	events   map[string]int            // by user
	lowLimit bool                      // a node has a low limit, so that foreign has gaps
}

// NewRecorder returns a Recorder without nodes.
func NewRecorder() *Recorder {
	return &Recorder{foreign: make(map[string]map[string]int), events: make(map[string]int)}
}

// Problems returns the problems since the last call.
func (r *Recorder) Problems() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.problems = nil }()
	return r.problems
}

// Events returns how many joins and leaves of the user devices have been sent so far.
func (r *Recorder) Events(user string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[user]
}

func (r *Recorder) errorf(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// CheckForeign compares the users that foreign servers have learned of with the
// wanted ones, by room. Announcements of several nodes may overtake each other, so
// only their sum is checked.
func (r *Recorder) CheckForeign(want map[string]map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rooms := maps.Clone(want)
	for room := range r.foreign {
		rooms[room] = want[room]
	}
	for _, room := range slices.Sorted(maps.Keys(rooms)) {
		known := make(map[string]bool)
		for u, n := range r.foreign[room] {
			known[u] = n == 1
			if n != 0 && n != 1 {
				r.errorf("foreign servers: %s has joined %s %d times more than left", u, room, n)
			}
			if n == 0 {
				delete(known, u)
			}
		}
		r.compare("foreign servers", room, known, rooms[room], "")
	}
}

func (r *Recorder) compare(observer, room string, known, want map[string]bool, self string) {
	for _, u := range slices.Sorted(maps.Keys(known)) {
		if !want[u] && u != self {
			r.errorf("%s: sees %s in %s, but it is not there", observer, u, room)
		}
	}
	for _, u := range slices.Sorted(maps.Keys(want)) {
		if !known[u] && u != self {
			r.errorf("%s: does not see %s in %s", observer, u, room)
		}
	}
}

// Node is a node whose devices are recorded.
type Node struct {
	presence.Presence
	Name string
	rec  *Recorder

	users   map[string]string                     // by device
	rooms   map[string]map[string]map[string]bool // by room and device: the users that the device has learned of
	ignored bool
}

// Watch starts recording a node and returns it. limit is [presence.Watch.Limit].
func (r *Recorder) Watch(name string, p presence.Presence, limit int) *Node {
	n := &Node{
		Presence: p, Name: name, rec: r,
		users: make(map[string]string), rooms: make(map[string]map[string]map[string]bool),
	}
	r.lowLimit = r.lowLimit || limit < 100
	p.Watch(presence.Watch{Event: n.event, Limit: limit, Shown: 1000})
	return n
}

// Ignore ends recording of the node: its events, devices and view no longer count.
func (n *Node) Ignore() {
	n.rec.mu.Lock()
	defer n.rec.mu.Unlock()
	n.ignored = true
}

func (n *Node) event(e presence.Event) {
	n.rec.mu.Lock()
	defer n.rec.mu.Unlock()
	if n.ignored {
		return
	}
	room, user := e.Room.Key(), e.User.Key()
	if e.Local {
		for device, known := range n.rooms[room] {
			if len(e.Only) > 0 && !slices.Contains(e.Only, device) || slices.Contains(e.Except, device) || n.users[device] == user {
				continue
			}
			n.rec.events[user]++
			n.rec.apply(n.Name+" "+device, e, known)
		}
	}
	if e.Foreign && !n.rec.lowLimit {
		if n.rec.foreign[room] == nil {
			n.rec.foreign[room] = make(map[string]int)
		}
		if e.Joined {
			n.rec.foreign[room][user]++
		} else {
			n.rec.foreign[room][user]--
		}
	}
}

func (r *Recorder) apply(observer string, e presence.Event, known map[string]bool) {
	user := e.User.Key()
	switch {
	case e.Joined && known[user]:
		r.errorf("%s: second join of %s to %s", observer, user, e.Room)
	case !e.Joined && !known[user]:
		r.errorf("%s: leave of %s from %s without a join", observer, user, e.Room)
	}
	if e.Joined {
		known[user] = true
	} else {
		delete(known, user)
	}
}

// Enter connects a device of the user, unless it is connected, and joins it to the
// room. It waits for the answer and reports whether the device is in the room.
func (n *Node) Enter(device, user, room string) bool {
	n.rec.mu.Lock()
	n.users[device] = user
	n.rec.mu.Unlock()
	n.Connect(device, id(user))
	placed := make(chan bool, 1)
	n.Join(device, id(room), func(p presence.Placement) {
		n.rec.mu.Lock()
		defer n.rec.mu.Unlock()
		if p.OK {
			known := make(map[string]bool)
			for _, u := range p.Users {
				known[u.Key()] = true
			}
			if !known[user] && len(p.Users) == p.Total {
				n.rec.errorf("%s %s: the answer to its join does not list its user", n.Name, device)
			}
			if n.rooms[room] == nil {
				n.rooms[room] = make(map[string]map[string]bool)
			}
			n.rooms[room][device] = known
		}
		placed <- p.OK
	})
	return <-placed
}

// Exit removes a device from a room and waits until the leave is ordered.
func (n *Node) Exit(device, room string) {
	n.rec.mu.Lock()
	delete(n.rooms[room], device)
	n.rec.mu.Unlock()
	left := make(chan struct{})
	n.Leave(device, id(room), func() { close(left) })
	<-left
}

// Remove disconnects a device.
func (n *Node) Remove(device string) {
	n.rec.mu.Lock()
	for _, devices := range n.rooms {
		delete(devices, device)
	}
	n.rec.mu.Unlock()
	n.Disconnect(device)
}

// AddMembers adds the users of this node's devices to members, by room.
func (n *Node) AddMembers(members map[string]map[string]bool) {
	n.rec.mu.Lock()
	defer n.rec.mu.Unlock()
	if n.ignored {
		return
	}
	for room, devices := range n.rooms {
		for device := range devices {
			if members[room] == nil {
				members[room] = make(map[string]bool)
			}
			members[room][n.users[device]] = true
		}
	}
}

// Check compares what the node's devices have learned, and its view, with the
// wanted users of all rooms.
func (n *Node) Check(want map[string]map[string]bool) {
	n.rec.mu.Lock()
	defer n.rec.mu.Unlock()
	for room := range n.rooms {
		if want[room] == nil && !n.ignored && len(n.rooms[room]) > 0 {
			n.rec.errorf("%s: devices in %s, which must be empty", n.Name, room)
		}
	}
	n.check(want)
}

// CheckRooms is Check of these rooms only.
func (n *Node) CheckRooms(want map[string]map[string]bool) {
	n.rec.mu.Lock()
	defer n.rec.mu.Unlock()
	n.check(want)
}

func (n *Node) check(want map[string]map[string]bool) {
	if n.ignored {
		return
	}
	for room, users := range want {
		for device, known := range n.rooms[room] {
			n.rec.compare(n.Name+" "+device, room, known, users, n.users[device])
		}
	}
	for room, users := range want {
		list, total := n.View().Members(room, len(users)+1)
		names := make([]string, len(list))
		for i, u := range list {
			names[i] = u.Key()
		}
		slices.Sort(names)
		if want := slices.Sorted(maps.Keys(users)); total != len(users) || !slices.Equal(names, want) {
			n.rec.errorf("%s: its view of %s has %s, want %s", n.Name, room, strings.Join(names, " "), strings.Join(want, " "))
		}
	}
}

func id(s string) ident.ID { return ident.Of(s) }
