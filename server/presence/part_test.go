package presence

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/waittest"
)

func id(s string) ident.ID { return ident.Of(s) }

func entry(device, user string, rooms ...string) Entry {
	e := Entry{Device: device, User: id(user)}
	for _, r := range rooms {
		e.Rooms = append(e.Rooms, id(r))
	}
	return e
}

func sortedEntries(p *Part) []Entry {
	entries := p.Entries()
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Device, b.Device) })
	for _, e := range entries {
		sorted(e.Rooms)
	}
	return entries
}

// changes returns the events since the last call.
func changes(v *View, events *[]Event) (out []string) {
	v.Deliver()
	for _, e := range *events {
		out = append(out, fmt.Sprint(e.User, " ", e.Joined, " ", e.Room))
	}
	*events = nil
	slices.Sort(out)
	return out
}

func TestReplace(t *testing.T) {
	v := NewView()
	var events []Event
	v.Watch(Watch{Limit: 100, Shown: 100, Event: func(e Event) { events = append(events, e) }})
	other := v.Part("other")
	other.Connect("o1", id("ann"))
	other.Join("o1", id("r"))
	p := v.Part("p")
	p.SetAnnouncer(true)
	p.Replace([]Entry{entry("a1", "ann", "r", "s"), entry("b1", "bob", "r"), entry("c1", "cat", "r"), entry("o1", "thief", "r")})
	if got, want := changes(v, &events), []string{"ann true s", "bob true r", "cat true r"}; !slices.Equal(got, want) {
		t.Errorf("first state: events %q, want %q", got, want)
	}
	if size := p.Size(); size != 7 {
		t.Errorf("Size() = %d, want 7", size)
	}
	p.Replace([]Entry{entry("b2", "bob", "r", "s"), entry("c1", "dan", "r"), entry("a1", "ann", "s")})
	if got, want := changes(v, &events), []string{"bob true s", "cat false r", "dan true r"}; !slices.Equal(got, want) {
		t.Errorf("second state: events %q, want %q", got, want)
	}
	if users, total := v.Members("r", 10); total != 3 {
		t.Errorf("room r has users %v, want 3", users)
	}
	p.Drop()
	if got, want := changes(v, &events), []string{"ann false s", "bob false r", "bob false s", "dan false r"}; !slices.Equal(got, want) {
		t.Errorf("after Drop: events %q, want %q", got, want)
	}
	if v.Nodes() != 1 || !v.In("ann", "r") {
		t.Errorf("after Drop: %d nodes, ann in r: %v; want 1, true", v.Nodes(), v.In("ann", "r"))
	}
	if len(v.feeds) != 0 {
		t.Errorf("%d feeds left, want none", len(v.feeds))
	}
}

// A part changed by Replace equals one changed by single operations, and so do
// their views.
func TestReplaceEqualsOperations(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	v, replica := NewView(), NewView()
	p, copied := v.Part("p"), replica.Part("p")
	for round := range 200 {
		for range rnd.IntN(60) {
			device, room := fmt.Sprint("d", rnd.IntN(5)), id(fmt.Sprint("r", rnd.IntN(3*manyRooms)))
			switch rnd.IntN(12) {
			case 0:
				p.Disconnect(device)
			case 1, 2:
				p.Connect(device, id(fmt.Sprint("u", rnd.IntN(3))))
			case 3, 4, 5:
				p.Leave(device, room)
			default:
				p.Join(device, room)
			}
		}
		copied.Replace(p.Entries())
		if a, b := sortedEntries(p), sortedEntries(copied); !reflect.DeepEqual(a, b) {
			t.Fatalf("round %d: %v, want %v", round, b, a)
		}
		if p.Size() != copied.Size() || !reflect.DeepEqual(v.Rooms(), replica.Rooms()) || !reflect.DeepEqual(v.Users(), replica.Users()) {
			t.Fatalf("round %d: the views differ in users or rooms", round)
		}
		for _, r := range v.Rooms() {
			if a, b := v.MemberCount(r.Key()), replica.MemberCount(r.Key()); a != b || a == 0 {
				t.Fatalf("round %d: room %s has %d and %d members", round, r, a, b)
			}
		}
	}
	p.Drop()
	if users, rooms := v.Counts(); users+rooms != 0 {
		t.Errorf("%d users and %d rooms left, want none", users, rooms)
	}
}

// The time to disconnect a device does not grow with the number of its user's devices.
// These take a fraction of a second; if each scanned the others, they would take
// minutes.
func TestManyDevicesOfOneUser(t *testing.T) {
	v := NewView()
	p := v.Part("p")
	const devices = 400_000
	for i := range devices {
		p.Connect(fmt.Sprint(i), id("ann"))
	}
	for _, i := range []int{0, devices / 2, devices - 1} { // the first, one between and the last
		p.Disconnect(fmt.Sprint(i))
	}
	if names := v.Devices("ann"); len(names) != devices-3 || slices.Contains(names, "0") || !slices.Contains(names, "1") {
		t.Errorf("%d devices after three have left", len(names))
	}
	dropped := make(chan struct{})
	go func() { defer close(dropped); p.Drop() }()
	waittest.Until(t, "the devices are disconnected", func() bool {
		select {
		case <-dropped:
			return true
		default:
			return false
		}
	})
	if users, _ := v.Counts(); users != 0 || v.Connected("ann") {
		t.Error("the user has a device")
	}
}
