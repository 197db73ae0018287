package redisbus

import (
	"errors"

	"github.com/puente-io/puente/server/cluster/health"
	"github.com/puente-io/puente/server/cluster/redislink"
)

// The things that a bus needs, in the order in which health shows them.
const (
	publishing   health.Kind = iota // a connection that publishes
	mayPublish                      // the right to publish
	receiving                       // a connection that is subscribed
	maySubscribe                    // the right to subscribe
	unconfirmed                     // a subscription where this node publishes: the two above know more
	company                         // the other nodes that are known
)

type kind = health.Kind

// source is a thing that the bus needs, of one shard of a Redis Cluster.
type source = health.Source

// monitor derives the health of a bus from errors.
type monitor struct {
	*health.Monitor
	failed func(error) // may be nil
}

func newMonitor(hooks Hooks) *monitor {
	return &monitor{
		health.NewMonitor(source{Kind: receiving}, "connecting to Redis", company, hooks.Health),
		hooks.Failed,
	}
}

// set sets what is wrong with a source, nil if it is well.
func (m *monitor) set(s source, err error) {
	if err != nil && m.failed != nil {
		m.failed(err)
	}
	m.Update(func(r health.Reasons) {
		reason := redislink.Reason(err)
		if s.Kind == publishing {
			waits := source{Kind: unconfirmed, Shard: s.Shard}
			r.Set(waits, "")
			if errors.Is(err, errNotThere) {
				r.Set(s, "")
				s = waits
			}
		}
		r.Set(s, reason)
	})
}

// received records that all subscriptions are confirmed, or were refused by Redis.
func (m *monitor) received(refused error) {
	if refused != nil && m.failed != nil {
		m.failed(refused)
	}
	m.Update(func(r health.Reasons) {
		r.Clear(receiving)
		r.Set(source{Kind: maySubscribe}, redislink.Reason(refused))
	})
}

// gap records that messages of other nodes may be lost.
func (m *monitor) gap(why error) { m.Gap(redislink.Reason(why)) }
