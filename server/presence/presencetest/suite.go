// Package presencetest is the test suite for implementations of
// [presence.Presence].
package presencetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/waittest"
)

// Cluster creates the nodes of one cluster for a test. Their views may take a
// moment to agree.
type Cluster interface {
	// Node adds a node. The test closes it.
	Node(t *testing.T) presence.Presence
}

// Run runs the suite. It calls start for each test, to get an empty cluster.
func Run(t *testing.T, start func(t *testing.T) Cluster) {
	for name, test := range map[string]func(*testing.T, Cluster){
		"devices of one user":                testDevices,
		"rooms count users":                  testRooms,
		"ids keep their JSON form":           testForms,
		"unknown devices, users and rooms":   testAbsent,
		"disconnect leaves rooms":            testDisconnect,
		"nodes see each other":               testNodes,
		"a new node gets the entries":        testLateNode,
		"a dead node's devices are removed":  testNodeDead,
		"a user that moves stays a member":   testMoves,
		"one order":                          testOneOrder,
		"concurrent operations on two nodes": testConcurrency,
	} {
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

// join and leave wait until the operation is ordered.
func join(n presence.Presence, device string, room ident.ID) presence.Placement {
	placed := make(chan presence.Placement, 1)
	n.Join(device, room, func(p presence.Placement) { placed <- p })
	return <-placed
}

func leave(n presence.Presence, device string, room ident.ID) {
	left := make(chan struct{})
	n.Leave(device, room, func() { close(left) })
	<-left
}

func testDevices(t *testing.T, c Cluster) {
	n := c.Node(t)
	defer n.Close()
	n.Connect("d1", id("ann"))
	n.Connect("d2", id("ann"))
	n.Connect("d2", id("eve")) // no effect: d2 is connected
	v := n.View()
	if got := v.Devices("ann"); !slices.Equal(got, []string{"d1", "d2"}) {
		t.Errorf("ann's devices are %v, want d1 and d2", got)
	}
	if u, ok := v.User("d2"); !ok || u.Key() != "ann" {
		t.Errorf(`User("d2") = %v, %v; want ann, true`, u, ok)
	}
	n.Disconnect("d1")
	if !v.Connected("ann") {
		t.Error("ann is not connected, want it connected with d2")
	}
	n.Disconnect("d2")
	if users, _ := v.Counts(); users != 0 || v.Connected("ann") || v.Connected("eve") {
		t.Errorf("%d users left, want none", users)
	}
}

func testRooms(t *testing.T, c Cluster) {
	n := c.Node(t)
	defer n.Close()
	n.Connect("a1", id("ann"))
	n.Connect("a2", id("ann"))
	n.Connect("b1", id("bob"))
	check := func(what string, got presence.Placement, users ...string) {
		t.Helper()
		names := make([]string, len(got.Users))
		for i, u := range got.Users {
			names[i] = u.Key()
		}
		if !got.OK || got.Total != len(users) || !slices.Equal(names, users) {
			t.Errorf("%s: got %+v, want %v", what, got, users)
		}
	}
	n.Watch(presence.Watch{Limit: 1000, Shown: 1000, Event: func(presence.Event) {}})
	check("ann's first device", join(n, "a1", id("r")), "ann")
	check("a second join", join(n, "a1", id("r")), "ann")
	check("ann's second device", join(n, "a2", id("r")), "ann")
	check("bob", join(n, "b1", id("r")), "ann", "bob")
	if users, total := n.View().Members("r", 1); total != 2 || len(users) != 1 {
		t.Errorf("Members with limit 1: %v of %d, want 1 of 2", users, total)
	}
	leave(n, "a1", id("r"))
	leave(n, "a1", id("r"))
	if !n.View().In("ann", "r") {
		t.Error("ann is not in the room, want it there with a2")
	}
	leave(n, "a2", id("r"))
	if n.View().In("ann", "r") {
		t.Error("ann is in the room, but its last device has left")
	}
	check("bob again", join(n, "b1", id("r")), "bob")
	leave(n, "b1", id("r"))
	if _, rooms := n.View().Counts(); rooms != 0 {
		t.Error("the empty room still exists")
	}
}

func testForms(t *testing.T, c Cluster) {
	n := c.Node(t)
	defer n.Close()
	n.Connect("d", ident.OfInt(42))
	join(n, "d", ident.OfInt(7))
	if !n.View().In("42", "7") {
		t.Error("42 is not in 7")
	}
	users, _ := n.View().Members("7", 10)
	if b, _ := users[0].MarshalJSON(); string(b) != "42" {
		t.Errorf("the user is %s, want the number 42", b)
	}
	join(n, "d", id("7"))
	if _, rooms := n.View().Counts(); rooms != 1 {
		t.Error(`7 and "7" are two rooms, want one`)
	}
}

func testAbsent(t *testing.T, c Cluster) {
	n := c.Node(t)
	defer n.Close()
	if at := join(n, "nobody", id("r")); at.OK {
		t.Error("a device that is not connected joined")
	}
	leave(n, "nobody", id("r"))
	n.Disconnect("nobody")
	v := n.View()
	if users, total := v.Members("r", 10); total != 0 || users == nil || len(v.RoomsOf("ann")) != 0 || len(v.Devices("ann")) != 0 {
		t.Error("an unknown room has members, or an unknown user has rooms or devices")
	}
}

func testDisconnect(t *testing.T, c Cluster) {
	n := c.Node(t)
	defer n.Close()
	n.Connect("a1", id("ann"))
	n.Connect("a2", id("ann"))
	join(n, "a1", id("r"))
	join(n, "a1", id("s"))
	join(n, "a2", id("r"))
	n.Disconnect("a1")
	n.Sync(t.Context())
	if rooms := n.View().RoomsOf("ann"); len(rooms) != 1 || rooms[0].Key() != "r" {
		t.Errorf("ann is in %v, want only r", rooms)
	}
}

func testNodes(t *testing.T, c Cluster) {
	a, b := c.Node(t), c.Node(t)
	defer a.Close()
	defer b.Close()
	a.Connect("a1", id("ann"))
	join(a, "a1", id("r"))
	waittest.Until(t, "b sees ann in r", func() bool { return b.View().In("ann", "r") })
	b.Connect("a2", id("ann"))
	if at := join(b, "a2", id("r")); !at.OK || at.Total != 1 {
		t.Errorf("answer to the join of ann's device on b: %+v, want one user", at)
	}
	waittest.Until(t, "a sees two devices", func() bool { return len(a.View().Devices("ann")) == 2 })
	leave(a, "a1", id("r"))
	waittest.Until(t, "b still sees ann in r", func() bool { return b.View().In("ann", "r") })
	b.Disconnect("a2")
	waittest.Until(t, "a sees r empty and ann connected", func() bool { return !a.View().In("ann", "r") && a.View().Connected("ann") })
}

func testLateNode(t *testing.T, c Cluster) {
	a := c.Node(t)
	defer a.Close()
	a.Connect("a1", id("ann"))
	join(a, "a1", id("r"))
	b := c.Node(t)
	defer b.Close()
	<-b.Ready()
	if !b.View().In("ann", "r") {
		t.Error("the new node is ready but does not see ann in r")
	}
}

// testNodeDead checks that the users of a dead node leave once, except those with a
// device on another node.
func testNodeDead(t *testing.T, c Cluster) {
	rec := NewRecorder()
	a, b := rec.Watch("a", c.Node(t), 1000), rec.Watch("b", c.Node(t), 1000)
	defer a.Close()
	waittest.Until(t, "the nodes see each other", func() bool { return a.View().Nodes() == 2 && b.View().Nodes() == 2 })
	a.Enter("a1", "ann", "r")
	a.Enter("w1", "witness", "r")
	b.Enter("a2", "ann", "r")
	b.Enter("b1", "bob", "r")
	waittest.Until(t, "a sees bob", func() bool { return a.View().In("bob", "r") })
	b.Ignore()
	b.Close()
	waittest.Until(t, "a sees bob disconnected and ann in r with one device", func() bool {
		return !a.View().Connected("bob") && a.View().In("ann", "r") && len(a.View().Devices("ann")) == 1
	})
	want := map[string]map[string]bool{"r": {"ann": true, "witness": true}}
	waittest.Until(t, "bob's leave is announced", func() bool {
		a.Check(want)
		rec.CheckForeign(want)
		return len(rec.Problems()) == 0
	})
}

// testMoves checks that a user that moves from one node to another, with a new
// device before the old one leaves, stays a member for all other devices.
func testMoves(t *testing.T, c Cluster) {
	const moves = 40
	rec := NewRecorder()
	var nodes []*Node
	for i := range 3 {
		n := rec.Watch(fmt.Sprint("node", i), c.Node(t), 1000)
		defer n.Close()
		<-n.Ready()
		nodes = append(nodes, n)
	}
	for i, n := range nodes {
		waittest.Until(t, "the nodes see each other", func() bool { return n.View().Nodes() == len(nodes) })
		n.Enter(fmt.Sprint("w", i), fmt.Sprint("witness", i), "r")
	}
	nodes[0].Enter("d0", "ann", "r")
	for i := range nodes {
		waittest.Until(t, "all nodes see four members", func() bool { return nodes[i].View().MemberCount("r") == 4 })
	}
	for i := range moves {
		from, to := nodes[i%3], nodes[(i+1)%3]
		to.Enter(fmt.Sprint("d", i+1), "ann", "r")
		if i%2 == 0 {
			from.Exit(fmt.Sprint("d", i), "r")
		}
		from.Remove(fmt.Sprint("d", i))
	}
	nodes[moves%3].Remove(fmt.Sprint("d", moves))
	want := map[string]map[string]bool{"r": {"witness0": true, "witness1": true, "witness2": true}}
	for i := range nodes {
		waittest.Until(t, "ann has left", func() bool { nodes[i].Check(want); return len(rec.Problems()) == 0 })
	}
	if got := rec.Events("ann"); got != 6 {
		t.Errorf("%d events of ann, want 6: one join and one leave for each witness", got)
	}
}

// testOneOrder lets devices join and leave on all nodes concurrently and checks
// that no event contradicts what a device has learned, and that all of it is true
// in the end.
func testOneOrder(t *testing.T, c Cluster) {
	for _, limit := range []int{1000, 3} {
		rec := NewRecorder()
		var nodes []*Node
		for i := range 3 {
			n := rec.Watch(fmt.Sprint("node", i), c.Node(t), limit)
			defer n.Close()
			<-n.Ready()
			nodes = append(nodes, n)
		}
		for _, n := range nodes {
			waittest.Until(t, "the nodes see each other", func() bool { return n.View().Nodes() >= len(nodes) })
		}
		room := fmt.Sprint("order", limit)
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				n, device, user := nodes[i%3], fmt.Sprint(room, "d", i), fmt.Sprint("u", i%5)
				for j := range 30 {
					n.Enter(device, user, room)
					if (i+j)%3 == 0 {
						n.Exit(device, room)
					}
					if (i+j)%4 == 0 {
						n.Remove(device)
					}
				}
				if i > 2 {
					n.Remove(device)
				} else {
					n.Enter(device, user, room)
				}
			})
		}
		wg.Wait()
		want := make(map[string]map[string]bool)
		for _, n := range nodes {
			n.AddMembers(want)
		}
		for _, n := range nodes {
			waittest.Until(t, "the views agree", func() bool { return n.View().MemberCount(room) == len(want[room]) })
			n.Sync(t.Context())
		}
		if problems := rec.Problems(); len(problems) > 0 {
			t.Errorf("limit %d: %d problems, the first: %s", limit, len(problems), problems[0])
		}
		waittest.Until(t, "all devices know all members", func() bool {
			rec.Problems()
			for _, n := range nodes {
				n.Check(want)
			}
			if limit == 1000 {
				rec.CheckForeign(want)
			}
			return len(rec.Problems()) == 0
		})
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
				n.Join(device, room, func(presence.Placement) {})
				n.View().Members(room.Key(), 100)
				n.Leave(device, room, nil)
				n.Join(device, room, func(presence.Placement) {})
				n.Disconnect(device)
			}
		})
	}
	wg.Wait()
	for i, n := range nodes {
		waittest.Until(t, fmt.Sprint("node ", i, " is empty"), func() bool {
			users, rooms := n.View().Counts()
			return users == 0 && rooms == 0
		})
		n.Close()
	}
}
