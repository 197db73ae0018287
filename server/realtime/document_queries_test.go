package realtime_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/socketio"
)

func TestDocumentUtilities(t *testing.T) {
	n := start(t)
	phone, laptop, ben := n.member("ana", "r1"), n.member("ana", "r2"), n.member("ben", "r1")
	t.Run("Get userId from socket", func(t *testing.T) {
		if user, ok := n.UserID(ben.ID()); !ok || user.Key() != "ben" {
			t.Errorf("user %v, %v", user, ok)
		}
		if user, ok := n.UserID("no such socket"); ok || !user.IsZero() {
			t.Errorf("user %v of no socket", user)
		}
	})
	t.Run("Get user sockets", func(t *testing.T) {
		sameIDs(t, n.UserSockets(id("ana")), phone.ID(), laptop.ID())
		sameIDs(t, n.UserSockets(id("nobody")))
	})
	t.Run("Check connection status", func(t *testing.T) {
		if !n.IsUserConnected(id("ana")) || n.IsUserConnected(id("nobody")) {
			t.Error("ana is connected and nobody is not")
		}
	})
	t.Run("Connected users count", func(t *testing.T) {
		if got := n.ConnectedUsersCount(); got != 2 {
			t.Errorf("%d users", got)
		}
	})
	t.Run("Get rooms for user", func(t *testing.T) {
		sameIDs(t, keys(n.RoomsForUser(id("ana"))), "r1", "r2")
		sameIDs(t, keys(n.RoomsForUser(id("nobody"))))
	})
	t.Run("Get users in room", func(t *testing.T) {
		users, total := n.UsersInRoom(id("r1"), 10)
		sameIDs(t, keys(users), "ana", "ben")
		if none, zero := n.UsersInRoom(id("no such room"), 10); total != 2 || zero != 0 || none == nil || len(none) != 0 {
			t.Errorf("total %d; of no room %v, %d", total, none, zero)
		}
	})
}

func TestDocumentStatistics(t *testing.T) {
	n := start(t)
	c := n.member("ana", "r1", "r2")
	n.member("ben", "r2")
	t.Run("Return stats", func(t *testing.T) {
		text, _, err := socketio.AppendArg(nil, nil, n.Stats())
		if err != nil {
			t.Fatal(err)
		}
		const want = `{"connections":2,"disconnections":0,"activeConnections":2,"messagesPublished":0,` +
			`"messagesReceived":3,"errors":0,"connectedUsers":2,"rooms":2,"timestamp":T,"limits":{`
		if got := timeless(string(text)); !strings.HasPrefix(got, want) {
			t.Errorf("got %s\nwant %s", got, want)
		}
	})
	t.Run("Track accurately", func(t *testing.T) {
		before := n.Stats()
		mustSucceed(t, c.Ask("publish-update", map[string]any{"roomId": "r1", "type": "x"}))
		mustFail(t, c.Ask("publish-update", map[string]any{"roomId": "elsewhere", "type": "x"}), "unauthorized", `Unauthorized","reason":"not_a_member`)
		c.Ask("ping")
		after := n.Stats()
		if p, r, e := after.MessagesPublished-before.MessagesPublished, after.MessagesReceived-before.MessagesReceived, after.Errors-before.Errors; p != 1 || r != 3 || e != 1 {
			t.Errorf("%d published, %d received, %d errors", p, r, e)
		}
	})
	t.Run("Include connected users", func(t *testing.T) {
		if got := n.Stats().ConnectedUsers; got != 2 {
			t.Errorf("%d users", got)
		}
	})
	t.Run("Include room count", func(t *testing.T) {
		if got := n.Stats().Rooms; got != 2 {
			t.Errorf("%d rooms", got)
		}
	})
}

func TestDocumentHealthCheck(t *testing.T) {
	n := start(t)
	n.device("ana")
	t.Run("Report healthy status", func(t *testing.T) {
		h := n.HealthCheck()
		if !h.Healthy || h.Reason != "" || h.Degraded != nil || h.Uptime < 0 || time.Since(h.Timestamp) > time.Minute {
			t.Errorf("%+v", h)
		}
	})
	t.Run("Include connected users", func(t *testing.T) {
		if got := n.HealthCheck().ConnectedUsers; got != 1 {
			t.Errorf("%d users", got)
		}
	})
}

func TestDocumentErrorHandling(t *testing.T) {
	t.Run("Handle unknown user gracefully", func(t *testing.T) {
		n := start(t)
		if devices, err := n.DisconnectUser(t.Context(), id("nobody"), ""); devices != 0 || err != nil {
			t.Errorf("%d devices, %v", devices, err)
		}
		if n.IsUserInRoom(id("nobody"), id("nowhere")) {
			t.Error("nobody is nowhere")
		}
	})
	t.Run("Track errors in stats", func(t *testing.T) {
		n := start(t)
		c := n.device("ana")
		mustFail(t, c.Ask("join-room", true), "invalid", "roomId must be "+ident.Allowed)
		if got := n.Stats().Errors; got != 1 {
			t.Errorf("%d errors", got)
		}
	})
	t.Run("Continue after error", func(t *testing.T) {
		c := start(t).device("ana")
		c.Emit("publish-update", json.RawMessage(`"no object"`))
		e := c.Next("error")
		if e.Arg(0) != `"argument must be an object"` ||
			e.Arg(1) != `{"code":"invalid","message":"argument must be an object","event":"publish-update"}` {
			t.Errorf("error %s", e.Args)
		}
		mustSucceed(t, c.Ask("join-room", "r"))
	})
}

func TestDocumentEdgeCases(t *testing.T) {
	t.Run("Empty user list", func(t *testing.T) {
		n := start(t)
		n.anonymous()
		if users := n.ConnectedUsers(); users == nil || len(users) != 0 || n.ConnectedUsersCount() != 0 {
			t.Errorf("users %v", users)
		}
	})
	t.Run("Register same socket twice", func(t *testing.T) {
		n := start(t)
		c := n.member("ana", "r")
		want(t, c.Ask("authenticate", map[string]any{"token": sign(t, id("ana"))}), authenticated(c, `"ana"`))
		sameIDs(t, n.UserSockets(id("ana")), c.ID())
		if !n.IsUserInRoom(id("ana"), id("r")) {
			t.Error("a fresh token took ana out of her room")
		}
	})
	t.Run("Join same room twice", func(t *testing.T) {
		n := start(t)
		watcher, c := n.member("watcher", "r"), n.member("ana", "r")
		watcher.Next("user-joined")
		watcher.Next("user-presence")
		want(t, c.Ask("join-room", "r"), `{"success":true,"roomId":"r","users":["watcher","ana"],"total":2,"timestamp":T}`)
		nothing(t, watcher)
		mustSucceed(t, c.Ask("leave-room", "r"))
		if n.IsUserInRoom(id("ana"), id("r")) {
			t.Error("joined twice, ana has to leave twice")
		}
	})
	t.Run("Null payload", func(t *testing.T) {
		n := start(t)
		c := n.member("ana", "r")
		mustSucceed(t, c.Ask("publish-update", map[string]any{"roomId": "r", "type": "x", "payload": nil}))
		want(t, c.Next("update"), `{"roomId":"r","type":"x","payload":null,"from":"ana","timestamp":T}`)
		mustSucceed(t, c.Ask("publish-notification", map[string]any{"targetUserId": "ana", "type": "INFO", "title": "Hi", "payload": nil}))
		want(t, c.Next("notification"), `{"type":"INFO","title":"Hi","message":"","payload":null,"priority":"normal","from":"ana","timestamp":T}`)
	})
}
