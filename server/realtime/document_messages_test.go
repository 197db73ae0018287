package realtime_test

import (
	"testing"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/realtime"
)

func TestDocumentNotifications(t *testing.T) {
	t.Run("Publish to user", func(t *testing.T) {
		n := start(t)
		ana, phone, laptop := n.device("ana"), n.device("ben"), n.device("ben")
		want(t, ana.Ask("publish-notification", map[string]any{"targetUserId": "ben", "type": "INFO", "title": "Hi"}),
			`{"success":true,"delivered":true,"timestamp":T}`)
		const got = `{"type":"INFO","title":"Hi","message":"","payload":null,"priority":"normal","from":"ana","timestamp":T}`
		want(t, phone.Next("notification"), got)
		want(t, laptop.Next("notification"), got)
		nothing(t, ana)
		ana.Emit("publish-notification", map[string]any{"userId": "ben", "type": "INFO", "title": "Hi"})
		want(t, ana.Next("notification-sent"), `{"success":true,"delivered":true,"timestamp":T}`)
	})
	t.Run("Handle disconnected user", func(t *testing.T) {
		n := start(t)
		n.device("ben").Close()
		n.settled(0)
		want(t, n.device("ana").Ask("publish-notification", map[string]any{"targetUserId": "ben", "type": "INFO", "title": "Hi"}),
			`{"success":true,"delivered":false,"timestamp":T}`)
	})
	t.Run("Notification with payload", func(t *testing.T) {
		n := start(t)
		c := n.device("ana")
		sent, err := n.PublishNotification(t.Context(), &realtime.Notification{
			TargetUserID: id("ana"), Type: "ALERT", Title: "Order", Message: "It is ready",
			Payload: map[string]any{"orderId": 7}, Priority: "high",
		})
		if err != nil || !sent.Delivered {
			t.Errorf("%+v, %v", sent, err)
		}
		want(t, c.Next("notification"),
			`{"type":"ALERT","title":"Order","message":"It is ready","payload":{"orderId":7},"priority":"high","from":null,"timestamp":T}`)
	})
	t.Run("Stats tracking", func(t *testing.T) {
		n := start(t)
		published(t, n, 1, func() error {
			_, err := n.PublishNotification(t.Context(), &realtime.Notification{TargetUserID: id("ana"), Type: "INFO", Title: "Hi"})
			return err
		})
	})
}

// published checks by how much f moves the count of published messages.
func published(t *testing.T, n *node, want int64, f func() error) {
	t.Helper()
	before := n.Stats().MessagesPublished
	if err := f(); err != nil {
		t.Error(err)
	}
	if got := n.Stats().MessagesPublished - before; got != want {
		t.Errorf("%d messages published, want %d", got, want)
	}
}

func TestDocumentUpdates(t *testing.T) {
	t.Run("Publish to room", func(t *testing.T) {
		n := start(t)
		ana, ben, outside := n.member("ana", "r"), n.member("ben", "r"), n.member("cid", "other")
		ana.Next("user-joined")
		ana.Next("user-presence")
		want(t, ana.Ask("publish-update", map[string]any{"roomId": "r", "type": "x"}), `{"success":true,"roomId":"r","timestamp":T}`)
		const update = `{"roomId":"r","type":"x","payload":null,"from":"ana","timestamp":T}`
		want(t, ana.Next("update"), update)
		want(t, ben.Next("update"), update)
		nothing(t, outside)
		ana.Emit("publish-update", map[string]any{"roomId": "r", "type": "x"})
		want(t, ana.Next("update-published"), `{"success":true,"roomId":"r","timestamp":T}`)
	})
	t.Run("Include payload", func(t *testing.T) {
		c := start(t).member("ana", "r")
		mustSucceed(t, c.Ask("publish-update", map[string]any{"roomId": "r", "type": "x", "payload": []any{1, "two", nil}}))
		want(t, c.Next("update"), `{"roomId":"r","type":"x","payload":[1,"two",null],"from":"ana","timestamp":T}`)
	})
	t.Run("Track room updates", func(t *testing.T) {
		n := start(t)
		c := n.member("ana", "r")
		published(t, n, 3, func() error {
			for range 3 {
				mustSucceed(t, c.Ask("publish-update", map[string]any{"roomId": "r", "type": "x"}))
			}
			return nil
		})
	})
}

func TestDocumentDirectMessaging(t *testing.T) {
	t.Run("Send to user", func(t *testing.T) {
		n := start(t)
		phone, laptop, ben := n.device("ana"), n.device("ana"), n.device("ben")
		delivered, err := n.SendToUser(t.Context(), id("ana"), "custom-event", map[string]any{"key": "value"}, 2)
		if !delivered || err != nil {
			t.Errorf("delivered %v, %v", delivered, err)
		}
		for _, c := range []*raw.Client{phone, laptop} {
			if e := c.Next("custom-event"); e.Arg(0) != `{"key":"value"}` || e.Arg(1) != "2" {
				t.Errorf("got %s", e.Args)
			}
		}
		nothing(t, ben)
	})
	t.Run("Handle unknown user", func(t *testing.T) {
		if delivered, err := start(t).SendToUser(t.Context(), id("nobody"), "custom-event"); delivered || err != nil {
			t.Errorf("delivered %v, %v", delivered, err)
		}
	})
	t.Run("Stats tracking", func(t *testing.T) {
		n := start(t)
		published(t, n, 1, func() error {
			_, err := n.SendToUser(t.Context(), id("ana"), "custom-event")
			return err
		})
	})
}

func TestDocumentBroadcasting(t *testing.T) {
	t.Run("Broadcast to all", func(t *testing.T) { broadcastReachesAll(t) })
	t.Run("Track stats", func(t *testing.T) {
		n := start(t)
		published(t, n, 1, func() error { return n.Broadcast(t.Context(), "announcement", "soon") })
	})
}

func broadcastReachesAll(t *testing.T) {
	n := start(t)
	ana, ben, nobody := n.device("ana"), n.device("ben"), n.anonymous()
	if err := n.Broadcast(t.Context(), "announcement", "soon"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*raw.Client{ana, ben, nobody} {
		if e := c.Next("announcement"); e.Arg(0) != `"soon"` {
			t.Errorf("got %s", e.Arg(0))
		}
	}
}

func TestDocumentHelpers(t *testing.T) {
	t.Run("Emit to user", func(t *testing.T) {
		n := start(t)
		ana, ben := n.device("ana"), n.device("ben")
		if _, err := n.SendToUser(t.Context(), id("ana"), "note", []byte{1, 2}); err != nil {
			t.Fatal(err)
		}
		if e := ana.Next("note"); len(e.Attachments) != 1 || string(e.Attachments[0]) != "\x01\x02" {
			t.Errorf("attachments %v", e.Attachments)
		}
		nothing(t, ben)
	})
	t.Run("Emit to room", func(t *testing.T) {
		n := start(t)
		ana, ben := n.member("ana", "r"), n.device("ben")
		published(t, n, 1, func() error { return n.EmitToRoom(t.Context(), id("r"), "note", 7) })
		if e := ana.Next("note"); e.Arg(0) != "7" {
			t.Errorf("got %s", e.Arg(0))
		}
		nothing(t, ben)
	})
	t.Run("Broadcast", func(t *testing.T) { broadcastReachesAll(t) })
}
