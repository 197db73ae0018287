package redisadapter

import (
	"sync"
	"time"

	"github.com/puente-io/puente/server/redislink"
)

// Health says whether the node is part of its cluster.
type Health struct {
	// Degraded: it is not, wholly. It serves its own sockets.
	Degraded bool
	// Reason says why, in words that anybody may read (no address, no user, no
	// password), Since since when; both are zero where it is not degraded.
	Reason string
	Since  time.Time
}

// Health returns the present health. A new Cluster is degraded until it has
// subscribed.
func (c *Cluster) Health() Health { return c.health.get() }

// side is one of the directions that can fail.
type side uint8

const (
	publishing side = iota
	receiving
)

// health is the state of both directions.
type health struct {
	changed func(Health)
	failed  func(error)

	mu      sync.Mutex
	reasons [2]string // by side, "" where it is well
	since   time.Time
}

func (h *health) init(hooks Hooks) {
	h.changed, h.failed = hooks.Health, hooks.Failed
	h.reasons[receiving] = "connecting to Redis"
	h.since = time.Now()
}

func (h *health) get() Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.locked()
}

func (h *health) locked() Health {
	for _, reason := range h.reasons {
		if reason != "" {
			return Health{Degraded: true, Reason: reason, Since: h.since}
		}
	}
	return Health{}
}

// set notes the state of a side: what is wrong with it, or nil.
func (h *health) set(s side, err error) {
	reason := redislink.Reason(err)
	if err != nil && h.failed != nil {
		h.failed(err)
	}
	h.mu.Lock()
	before := h.locked()
	h.reasons[s] = reason
	after := h.locked()
	if after.Degraded && !before.Degraded {
		h.since = time.Now()
		after.Since = h.since
	}
	h.mu.Unlock()
	if h.changed != nil && (after.Degraded != before.Degraded || after.Reason != before.Reason) {
		h.changed(after)
	}
}
