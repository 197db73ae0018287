package redisadapter

import (
	"sync"
	"time"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// Health says whether the node is part of its cluster.
type Health struct {
	// Degraded: it is not, wholly. It serves its own sockets.
	Degraded bool
	// Connected: the node publishes and receives; what Reason says is past (messages
	// of other nodes may have been lost), or not known to be its own trouble.
	Connected bool
	// Reason says why, in words that anybody may read (no address, no user, no
	// password), Since since when; both are zero where it is not degraded.
	Reason string
	Since  time.Time
}

// Health returns the present health. A new Cluster is degraded until it has
// subscribed.
func (c *Cluster) Health() Health { return c.health.get() }

// side is one of the things that a node needs. Each has a state of its own, which the
// last answer about it decides, and nothing else. The first that is not well is shown.
type side uint8

const (
	publishing   side = iota // a connection that publishes
	mayPublish               // the right to it
	receiving                // a connection that is subscribed
	maySubscribe             // the right to it
	company                  // the other nodes that are known
)

// source is a direction, of one shard of a Redis Cluster by its address; the
// address is "" if there is one server, or one connection for all.
type source struct {
	side  side
	shard string
}

// health is the state of all that the node needs.
type health struct {
	changed func(Health)
	failed  func(error)

	mu       sync.Mutex
	reasons  map[source]string // of what is not well
	gapWhy   string            // of the last gap, "" if there is none to be shown
	gapAt    time.Time         // since when it is shown
	since    time.Time
	reported Health // what changed was called with
}

func (h *health) init(hooks Hooks) {
	h.changed, h.failed = hooks.Health, hooks.Failed
	h.reasons = map[source]string{{side: receiving}: "connecting to Redis"}
	h.since = time.Now()
	h.reported = h.locked()
}

func (h *health) get() Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.locked()
}

func (h *health) locked() Health {
	var first source
	reason := ""
	for s, r := range h.reasons {
		if r == string(errNotThere) && s.side == publishing && h.reasons[source{receiving, s.shard}]+h.reasons[source{side: maySubscribe}] != "" {
			continue // the other side knows why
		}
		if reason == "" || s.side < first.side || s.side == first.side && s.shard < first.shard {
			first, reason = s, r
		}
	}
	switch {
	case reason != "":
		return Health{Degraded: true, Connected: first.side == company, Reason: reason, Since: h.since}
	case h.gapWhy != "" && time.Since(h.gapAt) < gapShown:
		return Health{Degraded: true, Connected: true, Reason: gapReason + h.gapWhy, Since: h.since}
	}
	return Health{}
}

// received notes that all subscriptions are there, of all shards, or refused.
func (h *health) received(refused error) {
	h.mu.Lock()
	var shards []source
	for s := range h.reasons {
		if s.side == receiving && s.shard != "" {
			shards = append(shards, s)
		}
	}
	h.mu.Unlock()
	for _, s := range shards {
		h.set(s, nil)
	}
	h.set(source{side: receiving}, nil)
	h.set(source{side: maySubscribe}, refused)
}

// set notes the state of a source: what is wrong with it, or nil.
func (h *health) set(s source, err error) {
	reason := redislink.Reason(err)
	if err != nil && h.failed != nil {
		h.failed(err)
	}
	h.update(func() {
		if reason != "" {
			h.reasons[s] = reason
		} else {
			delete(h.reasons, s)
		}
	})
}

// gap notes that messages of other nodes may be lost.
func (h *health) gap(why error) {
	reason := redislink.Reason(why)
	h.update(func() { h.gapAt, h.gapWhy = time.Now(), reason })
}

// refresh notes what has changed by time alone.
func (h *health) refresh() { h.update(func() {}) }

func (h *health) update(change func()) {
	h.mu.Lock()
	before := h.reported
	change()
	switch {
	case len(h.reasons) > 0 || before.Degraded && !before.Connected:
		h.gapAt = time.Now() // shown from when this is over
	case time.Since(h.gapAt) >= gapShown:
		h.gapWhy = ""
	}
	after := h.locked()
	if after.Degraded && !before.Degraded {
		h.since = time.Now()
		after.Since = h.since
	}
	h.reported = after
	h.mu.Unlock()
	if h.changed != nil && (after.Degraded != before.Degraded || after.Reason != before.Reason) {
		h.changed(after)
	}
}
