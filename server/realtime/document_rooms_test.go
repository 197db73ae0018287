package realtime_test

import (
	"testing"

	"github.com/puente-io/puente/server/ident"
)

func TestDocumentRooms(t *testing.T) {
	t.Run("Join room", func(t *testing.T) {
		c := start(t).device("ana")
		want(t, c.Ask("join-room", map[string]any{"roomId": "order-1"}),
			`{"success":true,"roomId":"order-1","users":["ana"],"total":1,"timestamp":T}`)
		want(t, c.Ask("join-room", 42), `{"success":true,"roomId":42,"users":["ana"],"total":1,"timestamp":T}`)
		c.Emit("join-room", "without a callback")
		want(t, c.Next("room-joined"), `{"success":true,"roomId":"without a callback","users":["ana"],"total":1,"timestamp":T}`)
	})
	t.Run("Track users in room", func(t *testing.T) {
		n := start(t)
		n.member("ana", "r")
		n.member("ana", "r")
		n.member("ben", "r")
		users, total := n.UsersInRoom(id("r"), 10)
		if total != 2 || len(users) != 2 {
			t.Errorf("users %v, total %d", users, total)
		}
		if users, total := n.UsersInRoom(id("r"), 1); total != 2 || len(users) != 1 {
			t.Errorf("up to one user: %v, total %d", users, total)
		}
	})
	t.Run("Leave room", func(t *testing.T) {
		n := start(t)
		c := n.member("ana", "r")
		want(t, c.Ask("leave-room", "r"), `{"success":true,"roomId":"r","timestamp":T}`)
		if n.IsUserInRoom(id("ana"), id("r")) {
			t.Error("ana is in the room that she left")
		}
		c.Emit("leave-room", map[string]any{"roomId": "r"}) // again
		want(t, c.Next("room-left"), `{"success":true,"roomId":"r","timestamp":T}`)
	})
	t.Run("Remove empty rooms", func(t *testing.T) {
		n := start(t)
		a, b := n.member("ana", "r"), n.member("ben", "r")
		mustSucceed(t, a.Ask("leave-room", "r"))
		if got := n.Rooms(); len(got) != 1 {
			t.Errorf("rooms %v", got)
		}
		b.Close()
		n.settled(1)
		if got := n.Rooms(); len(got) != 0 || n.Stats().Rooms != 0 {
			t.Errorf("rooms %v", got)
		}
		if n.io.Namespace("/").HasRoom("room:r") {
			t.Error("the Socket.IO room is still there")
		}
	})
	t.Run("Broadcast join/leave events", func(t *testing.T) {
		n := start(t)
		watcher := n.member("watcher", "r")
		phone := n.member("ana", "r")
		want(t, watcher.Next("user-joined"), `{"userId":"ana","roomId":"r","timestamp":T}`)
		want(t, watcher.Next("user-presence"), `{"userId":"ana","roomId":"r","status":"online","timestamp":T}`)
		laptop := n.member("ana", "r")
		mustSucceed(t, phone.Ask("leave-room", "r"))
		nothing(t, watcher) // ana is still there with another device
		laptop.Close()
		want(t, watcher.Next("user-left"), `{"userId":"ana","roomId":"r","timestamp":T}`)
		want(t, watcher.Next("user-presence"), `{"userId":"ana","roomId":"r","status":"offline","timestamp":T}`)
		nothing(t, phone)
		nothing(t, watcher)
	})
	t.Run("Multiple rooms per user", func(t *testing.T) {
		n := start(t)
		n.member("ana", "r1", "r2")
		n.member("ana", "r2", "r3")
		sameIDs(t, keys(n.RoomsForUser(id("ana"))), "r1", "r2", "r3")
	})
}

func keys(ids []ident.ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.Key()
	}
	return out
}
