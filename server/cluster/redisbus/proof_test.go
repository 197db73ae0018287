package redisbus

import (
	"errors"
	"testing"

	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/waittest"
)

// nobody is a receiver that ignores its messages.
type nobody struct{}

func (nobody) Active() bool                    { return true }
func (nobody) Receive(string, string, Backlog) {}

// A proof that does not find this node's subscription counts if that was confirmed
// before the proof was asked for, and is there after it.
func TestDivisionIsCertain(t *testing.T) {
	for name, kind := range map[string]Kind{"Classic": Channel, "Sharded": Shard} {
		t.Run(name, func(t *testing.T) {
			c, err := New(Options{URL: redistest.Start(t).URL(), Sharded: kind == Shard})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			l := &Landmark{Shared: Target{kind, "all"}, Own: Target{kind, "own"}}
			c.Subscribe(nobody{}, l.Shared, l.Own)
			c.Watch(l)
			p := &probe{sub: c.sub, links: &c.links, landmark: *l}
			var on *connection
			waittest.Until(t, "the node has subscribed", func() bool { on, _ = c.sub.holder(l.Own); return on != nil })
			know := func(at place) error { return p.know(&at, c.links.Epoch()) }
			if err := know(place{}); err != nil || p.astray.of != nil {
				t.Errorf("a proof from before the subscription: %v, %+v", err, p.astray)
			}
			if err := know(place{on: on}); err != nil || p.astray.of != on {
				t.Errorf("a proof that is not certain: %v, %+v", err, p.astray)
			}
			<-p.astray.replied
			if err := know(place{on: on}); !errors.Is(err, errDivided) {
				t.Errorf("when the subscription has replied: %v", err)
			}
			if err := know(place{on: on, own: true}); err != nil || p.astray.of != nil {
				t.Errorf("when the subscription has been found: %v, %+v", err, p.astray)
			}
			know(place{on: on})
			old := on
			c.sub.move(errMoving, false)
			waittest.Until(t, "the node has subscribed again", func() bool { on, _ = c.sub.holder(l.Own); return on != nil })
			if err := know(place{on: old}); err != nil || p.astray.of != nil {
				t.Errorf("a proof from before another connection: %v, %+v", err, p.astray)
			}
		})
	}
}
