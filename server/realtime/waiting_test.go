package realtime_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// slow is an adapter of a slow cluster. It calls its functions at the points at which it
// waits for the cluster; it does not wait at a point whose function is nil.
type slow struct {
	adapter.Adapter
	awaitRoom   func(room string)
	serverCount func(context.Context) (int, error)
	found       []adapter.SocketInfo // on the other nodes
}

func (a slow) AwaitRoom(_ context.Context, room string) {
	if a.awaitRoom != nil {
		a.awaitRoom(room)
	}
}

func (a slow) ServerCount(ctx context.Context) (int, error) { return a.serverCount(ctx) }

func (a slow) FetchSockets(context.Context, adapter.Selection) ([]adapter.SocketInfo, error) {
	return a.found, nil
}

// cluster is the option of the adapter.
func (a slow) cluster(o *options) {
	memory := adapter.NewMemory().Factory()
	o.io.Adapter = func(l adapter.Local) adapter.Adapter {
		a := a
		a.Adapter = memory(l)
		return a
	}
}

// While a socket's operation waits for the cluster, the service answers queries about
// the socket.
func TestClaimsWhileRegistering(t *testing.T) {
	var n *node
	n = start(t, slow{awaitRoom: func(string) {
		for _, s := range n.Namespace().Sockets("") {
			n.Claims(s)
		}
	}}.cluster)
	c := n.anonymous()
	mustSucceed(t, c.Ask("authenticate", map[string]any{"token": sign(t, id("ana"))}))
	mustSucceed(t, c.Ask("join-room", "r"))
}

// A disconnect does not wait for an operation of the socket that waits for the cluster.
func TestDisconnectWhileJoining(t *testing.T) {
	waits, go_ := make(chan struct{}), make(chan struct{})
	n := start(t, slow{awaitRoom: func(room string) {
		if room == "room:r" {
			close(waits)
			<-go_
		}
	}}.cluster)
	watcher := n.device("ben")
	c := n.device("ana")
	s := n.socket(c)
	joined := make(chan error, 1)
	go func() {
		_, err := n.JoinRoom(context.Background(), s, id("r"))
		joined <- err
	}()
	<-waits
	c.Close()
	n.settled(1)
	if n.IsUserConnected(id("ana")) {
		t.Error("the user has a device")
	}
	close(go_)
	if err := <-joined; !errors.Is(err, realtime.ErrUnauthenticated) && !errors.Is(err, socketio.ErrDisconnected) {
		t.Errorf("joined: %v", err)
	}
	if users, _ := n.UsersInRoom(id("r"), 1); len(users) > 0 {
		t.Errorf("in the room: %v", users)
	}
	nothing(t, watcher)
}

// Publishers share one request that asks whether there are foreign nodes. None of them
// waits longer than its own context, or fails because the context of another one has
// ended.
func TestForeignNodesAreAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, answer := make(chan struct{}), make(chan struct{})
		var questions atomic.Int32
		n := start(t, slow{
			serverCount: func(ctx context.Context) (int, error) {
				if questions.Add(1) == 1 {
					close(asked)
				}
				select {
				case <-answer:
					return 2, nil
				case <-ctx.Done():
					return 0, ctx.Err()
				}
			},
			found: []adapter.SocketInfo{{ID: "01234567890123456789", Handshake: []byte("{}"), Data: []byte("{}")}},
		}.cluster, inMemory)
		notify := func(ctx context.Context) (delivered bool) {
			sent, err := n.PublishNotification(ctx, &realtime.Notification{TargetUserID: id("bob"), Type: "INFO", Title: "Hi"})
			if err != nil {
				t.Error(err)
			}
			return sent.Delivered
		}
		impatient, leave := context.WithCancel(t.Context())
		gone, waited := make(chan struct{}), make(chan bool)
		go func() {
			defer close(gone)
			if notify(impatient) {
				t.Error("delivered without an answer")
			}
		}()
		<-asked
		go func() { waited <- notify(context.Background()) }()
		leave()
		<-gone
		close(answer)
		if !<-waited || !notify(context.Background()) {
			t.Error("not delivered")
		}
		if got := questions.Load(); got != 1 {
			t.Errorf("%d questions", got)
		}
	})
}
