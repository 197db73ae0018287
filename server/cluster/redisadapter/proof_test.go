package redisadapter

import (
	"errors"
	"testing"

	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
)

// A proof that does not find this node's subscription counts if that was confirmed
// before the proof was asked for, and is there after it.
func TestDivisionIsCertain(t *testing.T) {
	for name, mode := range map[string]Mode{"Classic": Classic, "Sharded": Sharded} {
		t.Run(name, func(t *testing.T) {
			c, err := New(Options{URL: redistest.Start(t).URL(), Mode: mode})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			adaptertest.Start(t, c.Factory(), "/")
			p := &probe{sub: c.sub, links: &c.links}
			_, p.ownChannel, p.sharded = c.sub.own()
			var on *connection
			adaptertest.Eventually(t, "the node has subscribed", func() bool { on, _ = c.sub.holder(p.ownChannel); return on != nil })
			know := func(at place) error { return p.know(&at, c.links.Epoch()) }
			if err := know(place{}); err != nil || p.astray.of != nil {
				t.Errorf("a proof from before the subscription: %v, %+v", err, p.astray)
			}
			if err := know(place{on: on}); err != nil || p.astray.of != on {
				t.Errorf("a proof that is not certain: %v, %+v", err, p.astray)
			}
			<-p.astray.answered
			if err := know(place{on: on}); !errors.Is(err, errDivided) {
				t.Errorf("when the subscription has answered: %v", err)
			}
			if err := know(place{on: on, own: true}); err != nil || p.astray.of != nil {
				t.Errorf("when the subscription has been found: %v, %+v", err, p.astray)
			}
			know(place{on: on})
			old := on
			c.sub.move(errMoving, false)
			adaptertest.Eventually(t, "the node has subscribed again", func() bool { on, _ = c.sub.holder(p.ownChannel); return on != nil })
			if err := know(place{on: old}); err != nil || p.astray.of != nil {
				t.Errorf("a proof from before another connection: %v, %+v", err, p.astray)
			}
		})
	}
}
