package realtime_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/realtime"
)

func TestPresenceMax(t *testing.T) {
	n := start(t, func(o *options) { o.PresenceMax = 3 })
	a := n.member("a", "r")
	n.member("b", "r")
	n.member("c", "r")
	for _, user := range []string{"b", "c"} {
		want(t, a.Next("user-joined"), `{"userId":"`+user+`","roomId":"r","timestamp":T}`)
		a.Next("user-presence")
	}
	fourth := n.device("d")
	want(t, fourth.Ask("join-room", "r"), `{"success":true,"roomId":"r","users":["a","b","c","d"],"total":4,"timestamp":T}`)
	n.member("e", "r").Ask("leave-room", "r") // four are left
	nothing(t, a)
	mustSucceed(t, fourth.Ask("leave-room", "r"))
	nothing(t, a) // d joined above the limit, so a does not know it
}

// When a room shrinks to the bound again, each member is sent what it has missed: the
// leaves of users that it knows and that have left, and the joins of users that it does
// not know.
func TestPresenceMaxCrossed(t *testing.T) {
	n := start(t, func(o *options) { o.PresenceMax = 3 })
	a, b, c := n.member("a", "r"), n.member("b", "r"), n.member("c", "r")
	d, e := n.member("d", "r"), n.member("e", "r")
	for _, m := range []*raw.Client{a, b, c, d, e} {
		m.Names() // everything sent so far has arrived
		m.Clear()
	}
	mustSucceed(t, b.Ask("leave-room", "r"))
	for _, m := range []*raw.Client{a, c, d, e} {
		nothing(t, m)
	}
	c.Close() // three are left
	check := func(m *raw.Client, wants ...string) {
		t.Helper()
		for range wants {
			name := "user-left"
			if !slices.ContainsFunc(wants, func(w string) bool { return w[0] == '-' }) {
				name = "user-joined"
			}
			ev := m.Next(name)
			var who struct{ UserID string }
			if err := json.Unmarshal(ev.Args[0], &who); err != nil {
				t.Fatal(err)
			}
			sign := map[string]string{"user-left": "-", "user-joined": "+"}[name]
			i := slices.Index(wants, sign+who.UserID)
			if i < 0 {
				t.Fatalf("%s of %s, want %v", name, who.UserID, wants)
			}
			wants = slices.Delete(wants, i, i+1)
			m.Next("user-presence")
		}
		nothing(t, m)
	}
	check(a, "-b", "-c", "+d", "+e")
	check(d, "-b", "-c", "+e")
	check(e, "-b", "-c")
	mustSucceed(t, d.Ask("leave-room", "r"))
	check(a, "-d")
	check(e, "-d")
}

func TestPresenceMaxOfNone(t *testing.T) {
	n := start(t, func(o *options) { o.PresenceMax = -1 })
	a := n.member("a", "r")
	mustSucceed(t, n.member("b", "r").Ask("leave-room", "r"))
	nothing(t, a)
}

// The answer to a join names 1,000 users and counts all.
func TestUsersShown(t *testing.T) {
	n := start(t)
	s := n.socket(n.member("someone", "r"))
	for i := range 1005 {
		// Devices without a connection, like those of another node.
		n.users.Connect(fmt.Sprint("device-", i), ident.OfInt(int64(i)))
		n.users.Join(fmt.Sprint("device-", i), id("r"), func(presence.Placement) {})
	}
	joined, err := n.JoinRoom(t.Context(), s, id("r"))
	if err != nil || len(joined.Users) != 1000 || joined.Total != 1006 {
		t.Errorf("%d users of %d, %v", len(joined.Users), joined.Total, err)
	}
}

// The updates that one publisher sends to a room arrive in their order,
// whatever others do there.
func TestUpdatesInOrder(t *testing.T) {
	const publishers, each = 4, 200
	n := start(t)
	reader := n.member("reader", "r")
	var all errgroup.Group
	for p := range publishers {
		all.Go(func() error {
			for i := range each {
				u := &realtime.Update{RoomID: id("r"), Type: fmt.Sprint(p), Payload: i}
				if _, err := n.PublishUpdate(context.Background(), u); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	next := map[string]int{}
	for range publishers * each {
		var u struct {
			Type    string
			Payload int
		}
		if err := json.Unmarshal(reader.Next("update").Args[0], &u); err != nil {
			t.Fatal(err)
		}
		if u.Payload != next[u.Type] {
			t.Fatalf("publisher %s: update %d came, want %d", u.Type, u.Payload, next[u.Type])
		}
		next[u.Type]++
	}
}

// After a socket has got room-left, no update of the room
// follows.
func TestNoUpdateAfterRoomLeft(t *testing.T) {
	n := start(t, func(o *options) { o.RateLimit = -1 })
	c := n.device("ana")
	stop := make(chan struct{})
	var publishers sync.WaitGroup
	defer publishers.Wait()
	defer close(stop)
	for range 2 {
		publishers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := n.PublishUpdate(context.Background(), &realtime.Update{RoomID: id("r"), Type: "x"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 30 {
		mustSucceed(t, c.Ask("join-room", "r"))
		c.Next("update")          // the publishers have begun, and continue
		c.Emit("leave-room", "r") // the reply event comes in line with the updates
		names := c.Names()
		at := slices.Index(names, "room-left")
		if at < 0 {
			t.Fatalf("no room-left among %v", names)
		}
		if after := names[at+1:]; len(after) > 0 {
			t.Fatalf("after room-left came %v", after)
		}
		c.Clear()
	}
}

// Room and user ids appear in room names as they are, so no id may stand for
// another's room.
func TestRoomNamesDoNotMix(t *testing.T) {
	n := start(t)
	victim := n.member("ana", "r")
	thief := n.device("ben")
	for _, room := range []string{"user:ana", "room:r", victim.ID(), "ana", strings.ToUpper("r")} {
		mustSucceed(t, thief.Ask("join-room", room))
	}
	if _, err := n.SendToUser(t.Context(), id("ana"), "private"); err != nil {
		t.Fatal(err)
	}
	if err := n.EmitToRoom(t.Context(), id("r"), "internal"); err != nil {
		t.Fatal(err)
	}
	nothing(t, thief)
	victim.Next("private")
	victim.Next("internal")
}
