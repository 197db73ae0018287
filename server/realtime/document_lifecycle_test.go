package realtime_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// The files document_*_test.go hold the cases of the document's suite, by their
// names there; compat/DOCUMENT.md lists them.

func TestDocumentInitialisation(t *testing.T) {
	t.Run("Default config", func(t *testing.T) {
		if _, err := realtime.New(realtime.Options{}); err == nil {
			t.Error("a service without a namespace was made")
		}
		io := socketio.New(socketio.Options{})
		t.Cleanup(func() { io.Close(context.Background()) })
		if _, err := realtime.New(realtime.Options{Namespace: io.Namespace("/")}); err != nil {
			t.Errorf("a namespace is not enough: %v", err)
		}
		c := start(t).member("ana", "r")
		for range 99 {
			c.Emit("leave-room", "elsewhere")
		}
		mustFail(t, c.Ask("join-room", "r"), "rate_limited", "Rate limit exceeded")
	})
	t.Run("Empty state", func(t *testing.T) {
		n := start(t)
		if s := n.Stats(); s != (realtime.Stats{Timestamp: s.Timestamp}) {
			t.Errorf("statistics of a new service: %+v", s)
		}
		if users, rooms := n.ConnectedUsers(), n.Rooms(); len(users)+len(rooms) != 0 {
			t.Errorf("users %v, rooms %v", users, rooms)
		}
	})
	t.Run("Event handlers setup", func(t *testing.T) {
		var mu sync.Mutex
		var unhandled []string
		n := start(t, func(o *options) {
			o.io.Hooks.Unhandled = func(_ *socketio.Socket, event string) {
				mu.Lock()
				defer mu.Unlock()
				unhandled = append(unhandled, event)
			}
		})
		c := n.device("ana")
		for _, event := range strings.Fields("authenticate join-room leave-room publish-notification publish-update ping") {
			if a := c.Ask(event, "room"); a.Arg(0) == "" {
				t.Errorf("%s was not answered", event)
			}
		}
		c.Emit("something-else")
		c.Ask("ping")
		mu.Lock()
		defer mu.Unlock()
		if len(unhandled) != 1 || unhandled[0] != "something-else" {
			t.Errorf("unhandled: %v", unhandled)
		}
	})
	t.Run("Redis adapter connection", func(t *testing.T) {
		// That the Redis adapters work is tested by their suite. This test checks that the
		// service uses the adapter that it is given.
		a, b := cluster(t)
		ana, ben := a.member("ana", "r"), b.member("ben", "r")
		want(t, ana.Next("user-joined"), `{"userId":"ben","roomId":"r","timestamp":T}`)
		mustSucceed(t, ana.Ask("publish-update", map[string]any{"roomId": "r", "type": "x"}))
		want(t, ben.Next("update"), `{"roomId":"r","type":"x","payload":null,"from":"ana","timestamp":T}`)
		if users, total := a.UsersInRoom(id("r"), 10); total != 2 || len(users) != 2 {
			t.Errorf("users of the cluster's room: %v", users)
		}
	})
}

// cluster starts two nodes that are connected in memory.
func cluster(t *testing.T) (a, b *node) {
	t.Helper()
	adapters, users := adapter.NewMemory(), presence.NewMemory()
	one := func() *node {
		return start(t, func(o *options) { o.io.Adapter, o.Presence = adapters.Factory(), users.Node() })
	}
	return one(), one()
}

func TestDocumentUserRegistration(t *testing.T) {
	t.Run("Single user registration", func(t *testing.T) {
		n := start(t)
		c := n.anonymous()
		if _, ok := n.UserID(c.ID()); ok {
			t.Error("a socket without a token has a user")
		}
		claims := claimsOf("ana")
		if _, err := n.RegisterUser(n.socket(c), claims); err != nil {
			t.Fatal(err)
		}
		if user, ok := n.UserID(c.ID()); !ok || user.Key() != "ana" {
			t.Errorf("user %v", user)
		}
		mustSucceed(t, c.Ask("join-room", "r"))
	})
	t.Run("Multiple sockets per user", func(t *testing.T) {
		n := start(t)
		a, b := n.device("ana"), n.device("ana")
		sameIDs(t, n.UserSockets(id("ana")), a.ID(), b.ID())
		if got := n.ConnectedUsersCount(); got != 1 {
			t.Errorf("%d users", got)
		}
		b.Close()
		n.settled(1)
		sameIDs(t, n.UserSockets(id("ana")), a.ID())
		if !n.IsUserConnected(id("ana")) {
			t.Error("ana is gone with one of two devices")
		}
	})
	t.Run("Stats tracking", func(t *testing.T) {
		n := start(t)
		n.device("ana")
		n.device("ana")
		n.device("ben").Close()
		n.settled(2)
		s := n.Stats()
		if s.Connections != 3 || s.Disconnections != 1 || s.ActiveConnections != 2 || s.ConnectedUsers != 1 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("Authenticated event", func(t *testing.T) {
		n := start(t)
		byHandshake := n.connect(map[string]any{"token": sign(t, id("ana"))})
		want(t, byHandshake.Next("authenticated"), authenticated(byHandshake, `"ana"`))
		byEvent := n.anonymous()
		want(t, byEvent.Ask("authenticate", map[string]any{"token": sign(t, ident.OfInt(42))}), authenticated(byEvent, `42`))
		want(t, byEvent.Next("authenticated"), authenticated(byEvent, `42`))
	})
}

func authenticated(c *raw.Client, user string) string {
	return `{"success":true,"userId":` + user + `,"socketId":"` + c.ID() + `","timestamp":T}`
}

func sameIDs(t testing.TB, got []string, want ...string) {
	t.Helper()
	seen := map[string]bool{}
	for _, s := range got {
		seen[s] = true
	}
	for _, s := range want {
		if !seen[s] || len(got) != len(want) {
			t.Errorf("got %v, want %v", got, want)
			return
		}
	}
}

func TestDocumentDisconnection(t *testing.T) {
	t.Run("Disconnect user", func(t *testing.T) {
		n := start(t)
		a, b, ben := n.device("ana"), n.device("ana"), n.device("ben")
		devices, err := n.DisconnectUser(t.Context(), id("ana"), "spam")
		if devices != 2 || err != nil {
			t.Errorf("%d devices, %v", devices, err)
		}
		a.Disconnected()
		b.Disconnected()
		n.settled(1)
		if n.IsUserConnected(id("ana")) || !n.IsUserConnected(id("ben")) {
			t.Errorf("connected: %v", n.ConnectedUsers())
		}
		nothing(t, ben)
	})
	t.Run("Emit disconnect message", func(t *testing.T) {
		n := start(t)
		c := n.device("ana")
		if _, err := n.DisconnectUser(t.Context(), id("ana"), "spam"); err != nil {
			t.Fatal(err)
		}
		want(t, c.Next("force-disconnect"), `{"reason":"spam"}`)
		c.Disconnected()
	})
}
