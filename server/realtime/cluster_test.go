package realtime_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/puente-io/puente/server/cluster/health"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// failing is an adapter whose cluster does not accept events.
type failing struct {
	adapter.Adapter
	err error
}

func (f failing) Broadcast(context.Context, *packet.Packet, adapter.Selection, adapter.Flags) error {
	return f.err
}

func (f failing) Disconnect(context.Context, adapter.Selection, bool) error { return f.err }

// without is the option for a cluster that does not accept events.
func without(err error) func(*options) {
	return func(o *options) {
		memory := adapter.NewMemory().Factory()
		o.io.Adapter = func(l adapter.Local) adapter.Adapter { return failing{memory(l), err} }
	}
}

// If the cluster is unreachable, members on this node get the update, publishing
// succeeds, and the drop is counted.
func TestClusterAway(t *testing.T) {
	n := start(t, without(adapter.ErrAway))
	ana, ben := n.member("ana", "r"), n.member("ben", "r")
	drops := n.ClusterDrops()
	mustSucceed(t, ana.Ask("publish-update", map[string]any{"roomId": "r", "type": "x"}))
	ben.Next("update")
	if got := n.ClusterDrops() - drops; got != 1 {
		t.Errorf("%d drops counted", got)
	}
	if got := n.Stats().Limits.ClusterDrops; got != n.ClusterDrops() {
		t.Errorf("the statistics have %d drops", got)
	}
	if devices, err := n.DisconnectUser(t.Context(), id("ben"), "x"); devices != 1 || err != nil {
		t.Errorf("%d devices, %v", devices, err)
	}
	ben.Disconnected()
}

// If the cluster is too slow, publishing returns ErrUnavailable; members on this
// node still have the update.
func TestClusterSlow(t *testing.T) {
	for _, err := range []error{
		adapter.ErrUnavailable, fmt.Errorf("wrapped: %w", adapter.ErrUnavailable), context.DeadlineExceeded, context.Canceled,
	} {
		n := start(t, without(err))
		c := n.member("ana", "r")
		mustFail(t, c.Ask("publish-update", map[string]any{"roomId": "r", "type": "x"}), "unavailable", "Service unavailable")
		c.Next("update")
		if _, err := n.SendToUser(t.Context(), id("ana"), "x"); !errors.Is(err, realtime.ErrUnavailable) {
			t.Errorf("SendToUser: %v", err)
		}
		if got := n.Stats().MessagesPublished; got != 0 {
			t.Errorf("%d published", got)
		}
	}
}

// ill is a cluster without other nodes whose health the test chooses.
type ill struct{ health health.Health }

func (c ill) Presence() presence.Presence { return presence.NewMemory().Node() }
func (c ill) Health() health.Health       { return c.health }
func (c ill) Gaps() (all, buffers int64)  { return 3, 2 }
func (c ill) Malformed() int64            { return 7 }

func TestStatsOfTheCluster(t *testing.T) {
	limits := start(t, func(o *options) { o.Cluster = ill{} }).Stats().Limits
	if limits.ClusterGaps != 3 || limits.ClusterBuffers != 2 || limits.ClusterMalformed != 7 {
		t.Errorf("%+v", limits)
	}
}

func TestHealthOfADegradedNode(t *testing.T) {
	since := time.Now()
	degraded := ill{health.Health{Degraded: true, Reason: "redis: connection refused", Since: since}}
	connected := ill{health.Health{Degraded: true, Connected: true, Reason: "messages may be lost", Since: since}}
	if h := start(t, func(o *options) { o.Cluster, o.ClusterRequired = connected, true }).HealthCheck(); !h.Healthy || h.Degraded == nil || !h.Degraded.Connected {
		t.Errorf("connected node: %+v", h)
	}
	for _, required := range []bool{false, true} {
		h := start(t, func(o *options) { o.Cluster, o.ClusterRequired = degraded, required }).HealthCheck()
		if h.Degraded == nil || h.Degraded.Reason != "redis: connection refused" || !h.Degraded.Since.Equal(since) {
			t.Errorf("degraded %+v", h.Degraded)
		}
		if h.Healthy == required || (h.Reason != "") != required {
			t.Errorf("required %v: healthy %v, reason %q", required, h.Healthy, h.Reason)
		}
	}
}

// Users of the cluster: devices on several nodes are one user's.
func TestUserOnSeveralNodes(t *testing.T) {
	a, b := cluster(t)
	phone := a.member("ana", "r")
	laptop := b.member("ana", "r")
	watcher := b.member("ben", "r")
	phone.Next("user-joined")
	phone.Next("user-presence")
	if got := a.UserSockets(id("ana")); len(got) != 2 {
		t.Errorf("sockets %v", got)
	}
	mustSucceed(t, phone.Ask("leave-room", "r"))
	nothing(t, watcher)
	if sent, err := a.PublishNotification(t.Context(), &realtime.Notification{TargetUserID: id("ben"), Type: "INFO", Title: "Hi"}); err != nil || !sent.Delivered {
		t.Errorf("%+v, %v", sent, err)
	}
	watcher.Next("notification")
	laptop.Next("user-joined")
	laptop.Next("user-presence")
	if devices, err := a.DisconnectUser(t.Context(), id("ana"), "bye"); devices != 2 || err != nil {
		t.Errorf("%d devices, %v", devices, err)
	}
	want(t, laptop.Next("force-disconnect"), `{"reason":"bye"}`)
	laptop.Disconnected()
	phone.Disconnected()
	want(t, watcher.Next("user-left"), `{"userId":"ana","roomId":"r","timestamp":T}`)
	a.settled(0) // the phone is in no room, so its disconnect is not announced
	if a.IsUserConnected(id("ana")) || !a.IsUserConnected(id("ben")) {
		t.Errorf("users %v", a.ConnectedUsers())
	}
}
