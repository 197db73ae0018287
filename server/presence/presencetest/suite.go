// Package presencetest is the suite that every implementation of
// presence.Presence passes.
package presencetest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
)

// Cluster makes the nodes of one cluster for a test. Their views may need a
// moment to agree.
type Cluster interface {
	// Node adds a node, which the test closes.
	Node(t *testing.T) presence.Presence
}

// Run runs the suite; start makes an empty cluster for each test.
func Run(t *testing.T, start func(t *testing.T) Cluster) {
	for name, test := range map[string]func(*testing.T, Cluster){
		"devices of one user":                testDevices,
		"rooms count users":                  testRooms,
		"ids keep their form":                testForms,
		"what is not there":                  testAbsent,
		"disconnect leaves rooms":            testDisconnect,
		"nodes see each other":               testNodes,
		"a new node learns what there is":    testLateNode,
		"a node that goes takes its devices": testNodeGone,
		"many at once":                       testConcurrency,
	} {
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

func id(s string) ident.ID { return ident.Must(ident.String(s)) }

// eventually waits until the views agree with cond.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func testDevices(t *testing.T, c Cluster) {
	n := c.Node(t)
	defer n.Close()
	n.Connect("d1", id("ann"))
	n.Connect("d2", id("ann"))
	n.Connect("d2", id("eve")) // is connected already
	v := n.View()
	if got := v.Devices("ann"); !slices.Equal(got, []string{"d1", "d2"}) {
		t.Errorf("ann's devices are %v", got)
	}
	if u, ok := v.User("d2"); !ok || u.Key() != "ann" {
		t.Errorf("d2 belongs to %v, %v", u, ok)
	}
	n.Disconnect("d1")
	if !v.Connected("ann") {
		t.Error("ann is gone with one of two devices")
	}
	n.Disconnect("d2")
	if users, _ := v.Counts(); users != 0 || v.Connected("ann") || v.Connected("eve") {
		t.Errorf("%d users are left", users)
	}
}

func testRooms(t *testing.T, c Cluster) {
	n := c.Node(t)
	defer n.Close()
	n.Connect("a1", id("ann"))
	n.Connect("a2", id("ann"))
	n.Connect("b1", id("bob"))
	check := func(what string, got1, got2, want1, want2 bool) {
		t.Helper()
		if got1 != want1 || got2 != want2 {
			t.Errorf("%s: got %v, %v, want %v, %v", what, got1, got2, want1, want2)
		}
	}
	join := func(d string) (bool, bool) { return n.Join(d, id("r")) }
	leave := func(d string) (bool, bool) { return n.Leave(d, id("r")) }
	j, f := join("a1")
	check("ann's first device", j, f, true, true)
	j, f = join("a1")
	check("the same again", j, f, false, false)
	j, f = join("a2")
	check("ann's second device", j, f, true, false)
	j, f = join("b1")
	check("bob", j, f, true, true)
	if users, total := n.View().Members("r", 1); total != 2 || len(users) != 1 {
		t.Errorf("%v of %d, want one of two", users, total)
	}
	l, last := leave("a1")
	check("one of ann's leaves", l, last, true, false)
	l, last = leave("a1")
	check("leaves again", l, last, false, false)
	if !n.View().In("ann", "r") {
		t.Error("ann is not in the room with her other device")
	}
	l, last = leave("a2")
	check("ann's last leaves", l, last, true, true)
	l, last = leave("b1")
	check("bob leaves", l, last, true, true)
	if _, rooms := n.View().Counts(); rooms != 0 {
		t.Error("the empty room is still there")
	}
}

func testForms(t *testing.T, c Cluster) {
	n := c.Node(t)
	defer n.Close()
	n.Connect("d", ident.Must(ident.Int(42)))
	n.Join("d", ident.Must(ident.Int(7)))
	if !n.View().In("42", "7") {
		t.Error("42 is not in 7")
	}
	users, _ := n.View().Members("7", 10)
	if b, _ := users[0].MarshalJSON(); string(b) != "42" {
		t.Errorf("the user is %s, want the number 42", b)
	}
	if joined, _ := n.Join("d", id("7")); joined {
		t.Error(`7 and "7" are two rooms`)
	}
}

func testAbsent(t *testing.T, c Cluster) {
	n := c.Node(t)
	defer n.Close()
	if joined, first := n.Join("nobody", id("r")); joined || first {
		t.Error("a device that is not connected could join")
	}
	if left, last := n.Leave("nobody", id("r")); left || last {
		t.Error("a device that is not connected could leave")
	}
	if gone := n.Disconnect("nobody"); len(gone) != 0 {
		t.Errorf("departures of nobody: %v", gone)
	}
	v := n.View()
	if users, total := v.Members("r", 10); total != 0 || users == nil || len(v.RoomsOf("ann")) != 0 || len(v.Devices("ann")) != 0 {
		t.Error("there is something where nothing is")
	}
}

func testDisconnect(t *testing.T, c Cluster) {
	n := c.Node(t)
	defer n.Close()
	n.Connect("a1", id("ann"))
	n.Connect("a2", id("ann"))
	n.Join("a1", id("r"))
	n.Join("a1", id("s"))
	n.Join("a2", id("r"))
	got := n.Disconnect("a1")
	slices.SortFunc(got, func(a, b presence.Departure) int { return strings.Compare(a.Room.Key(), b.Room.Key()) })
	want := []presence.Departure{{Room: id("r"), User: id("ann")}, {Room: id("s"), User: id("ann"), Last: true}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if rooms := n.View().RoomsOf("ann"); len(rooms) != 1 || rooms[0].Key() != "r" {
		t.Errorf("ann is in %v, want r", rooms)
	}
}

func testNodes(t *testing.T, c Cluster) {
	a, b := c.Node(t), c.Node(t)
	defer a.Close()
	defer b.Close()
	a.Connect("a1", id("ann"))
	a.Join("a1", id("r"))
	eventually(t, "b sees ann in r", func() bool { return b.View().In("ann", "r") })
	b.Connect("a2", id("ann"))
	if joined, first := b.Join("a2", id("r")); !joined || first {
		t.Errorf("ann's device on the other node: joined %v, first %v", joined, first)
	}
	eventually(t, "a sees two devices", func() bool { return len(a.View().Devices("ann")) == 2 })
	eventually(t, "a sees the second in r", func() bool {
		_, total := a.View().Members("r", 10)
		return total == 1
	})
	if left, last := a.Leave("a1", id("r")); !left || last {
		t.Errorf("the first leaves: %v, last %v", left, last)
	}
	eventually(t, "b sees it", func() bool { return b.View().In("ann", "r") })
	b.Disconnect("a2")
	eventually(t, "a sees the room empty", func() bool { return !a.View().In("ann", "r") && a.View().Connected("ann") })
}

func testLateNode(t *testing.T, c Cluster) {
	a := c.Node(t)
	defer a.Close()
	a.Connect("a1", id("ann"))
	a.Join("a1", id("r"))
	b := c.Node(t)
	defer b.Close()
	eventually(t, "the new node sees ann in r", func() bool { return b.View().In("ann", "r") })
}

func testNodeGone(t *testing.T, c Cluster) {
	a, b := c.Node(t), c.Node(t)
	defer a.Close()
	var mu sync.Mutex
	var gone []presence.Change
	a.Watch(func(c []presence.Change) {
		mu.Lock()
		defer mu.Unlock()
		gone = append(gone, c...)
	})
	// What was there before a node learned of it is told, too.
	eventually(t, "they know each other", func() bool { return a.View().Nodes() == 2 && b.View().Nodes() == 2 })
	a.Connect("a1", id("ann"))
	a.Join("a1", id("r"))
	b.Connect("a2", id("ann"))
	b.Connect("b1", id("bob"))
	b.Join("a2", id("r"))
	b.Join("b1", id("r"))
	eventually(t, "a sees bob", func() bool { return a.View().In("bob", "r") })
	b.Close()
	eventually(t, "a sees bob gone and ann still there", func() bool {
		return !a.View().Connected("bob") && a.View().In("ann", "r") && len(a.View().Devices("ann")) == 1
	})
	eventually(t, "bob's departure is told", func() bool { mu.Lock(); defer mu.Unlock(); return len(gone) > 0 })
	mu.Lock()
	defer mu.Unlock()
	if want := (presence.Change{Room: id("r"), User: id("bob")}); !reflect.DeepEqual(gone, []presence.Change{want}) {
		t.Errorf("told of %v, want %v", gone, want)
	}
}

func testConcurrency(t *testing.T, c Cluster) {
	nodes := []presence.Presence{c.Node(t), c.Node(t)}
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			n := nodes[i%2]
			device, room := fmt.Sprint("d", i), id(fmt.Sprint("r", i%5))
			for range 20 {
				n.Connect(device, id(fmt.Sprint("u", i%7)))
				n.Join(device, room)
				n.View().Members(room.Key(), 100)
				n.Leave(device, room)
				n.Join(device, room)
				n.Disconnect(device)
			}
		})
	}
	wg.Wait()
	for i, n := range nodes {
		eventually(t, fmt.Sprint("node ", i, " is empty"), func() bool {
			users, rooms := n.View().Counts()
			return users == 0 && rooms == 0
		})
		n.Close()
	}
}
