package handlers_test

import (
	"fmt"

	"github.com/puente-io/puente/server/ident"
)

// Presence: members of a room get an event when a user joins or leaves, and the
// program can list the members.
func Example_presence() {
	svc, io := newService()

	site := serve(io, io)
	defer site.stop()
	ana, ben := site.client("ana"), site.client("ben")
	ana.Ask("join-room", "lobby")
	ben.Ask("join-room", "lobby")
	show(ana.Next("user-presence"))
	users, _ := svc.UsersInRoom(ident.Of("lobby"), 10)
	fmt.Println(users, svc.IsUserConnected(ident.Of("ben")))
	ben.Close()
	show(ana.Next("user-presence"))
	users, _ = svc.UsersInRoom(ident.Of("lobby"), 10)
	fmt.Println(users, svc.IsUserConnected(ident.Of("ben")))
	// Output:
	// user-presence {"userId":"ben","roomId":"lobby","status":"online"}
	// [ana ben] true
	// user-presence {"userId":"ben","roomId":"lobby","status":"offline"}
	// [ana] false
}
