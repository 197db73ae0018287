package realtime_test

import (
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/realtime"
)

func TestDocumentConcurrency(t *testing.T) {
	t.Run("Multiple concurrent connections (100)", func(t *testing.T) {
		n := start(t)
		n.devices(100)
		if s := n.Stats(); s.ActiveConnections != 100 || s.ConnectedUsers != 100 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("Concurrent room operations (50)", func(t *testing.T) {
		n := start(t)
		clients := n.devices(50)
		answers := make([]func() raw.Event, len(clients))
		for i, c := range clients {
			answers[i] = c.Post("join-room", "r")
		}
		for _, answer := range answers {
			mustSucceed(t, answer())
		}
		if _, total := n.UsersInRoom(id("r"), 0); total != 50 {
			t.Errorf("%d users in the room", total)
		}
		for i, c := range clients {
			answers[i] = c.Post("leave-room", "r")
		}
		for _, answer := range answers {
			mustSucceed(t, answer())
		}
		if got := n.Stats().Rooms; got != 0 {
			t.Errorf("%d rooms", got)
		}
	})
	t.Run("Concurrent messaging (100)", func(t *testing.T) {
		n := start(t)
		clients := n.devices(10)
		for _, c := range clients {
			mustSucceed(t, c.Ask("join-room", "r"))
		}
		var publishers errgroup.Group
		for i := range 100 {
			publishers.Go(func() error {
				_, err := n.PublishUpdate(t.Context(), &realtime.Update{RoomID: id("r"), Type: "x", Payload: i})
				return err
			})
		}
		if err := publishers.Wait(); err != nil {
			t.Fatal(err)
		}
		for _, c := range clients {
			seen := map[string]bool{}
			for range 100 {
				seen[timeless(c.Next("update").Arg(0))] = true
			}
			if len(seen) != 100 {
				t.Errorf("%d different updates of 100", len(seen))
			}
		}
	})
}

// devices connects a device of each of count users, at the same time.
func (n *node) devices(count int) []*raw.Client {
	n.t.Helper()
	clients := make([]*raw.Client, count)
	var all errgroup.Group
	for i := range clients {
		all.Go(func() error {
			clients[i] = n.device(fmt.Sprintf("user-%03d", i))
			return nil
		})
	}
	if all.Wait(); n.t.Failed() {
		n.t.FailNow() // for a goroutine that could not
	}
	return clients
}

// The document's suite asserts times here. Times depend on the machine, so these cases are
// benchmarks.

func BenchmarkDocumentRegisterUser(b *testing.B) {
	n := start(b)
	c := n.anonymous()
	s := n.socket(c)
	claims := claimsOf("ana")
	for b.Loop() {
		if _, err := n.RegisterUser(s, claims); err != nil {
			b.Fatal(err)
		}
		n.UnregisterUser(b.Context(), s)
	}
}

func BenchmarkDocumentPublishNotification(b *testing.B) {
	n := start(b)
	n.device("ana")
	note := &realtime.Notification{TargetUserID: id("ana"), Type: "INFO", Title: "Hi"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := n.PublishNotification(b.Context(), note); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDocumentEmitMessage(b *testing.B) {
	n := start(b)
	n.device("ana")
	user := id("ana")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := n.SendToUser(b.Context(), user, "message", "text"); err != nil {
			b.Fatal(err)
		}
	}
}
