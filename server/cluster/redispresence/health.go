package redispresence

import (
	"sync"
	"time"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// Health reports whether the node is connected to its cluster.
type Health struct {
	// Degraded says that it is not, or not fully: the entries of other nodes may be
	// outdated. Those of the node's own devices are not.
	Degraded bool
	// Reason says why, in words that may be public: no address, user or password.
	// It is empty if the node is not degraded.
	Reason string
	// Since is when the node became degraded. It is zero if it is not.
	Since time.Time
}

const (
	reasonConnecting = "connecting to Redis"
	reasonAway       = "not subscribed to Redis"
	reasonSilent     = "Redis does not deliver messages"
	reasonBehind     = "catching up with the other nodes"
)

// health derives the node's Health. A failed connection degrades it at once; a
// missing echo, which reveals every other fault, after times.echoTimeout.
type health struct {
	changed func(Health)

	mu         sync.Mutex
	now        Health
	publishing error // of the last attempt
	receiving  error // why there is no subscription; nil also before the first attempt has ended
	subscribed bool
	echoing    bool
	behind     bool // messages of other nodes were missed and are not made up for yet
	wasHealthy bool // at least once
}

func newHealth(changed func(Health)) *health {
	return &health{
		changed: changed,
		now:     Health{Degraded: true, Reason: reasonConnecting, Since: time.Now()},
	}
}

func (h *health) get() Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

// set calls change under the lock, derives the health again and calls changed if it
// differs.
func (h *health) set(change func(*health)) {
	h.mu.Lock()
	before := h.now
	change(h)
	reason := ""
	switch {
	case h.publishing != nil:
		reason = redislink.Reason(h.publishing)
	case h.receiving != nil:
		reason = redislink.Reason(h.receiving)
	case !h.subscribed:
		reason = reasonAway
	case !h.echoing:
		reason = reasonSilent
	case h.behind:
		reason = reasonBehind
	}
	switch {
	case reason == "":
		h.now = Health{}
		h.wasHealthy = true
	case !h.wasHealthy && h.publishing == nil && h.receiving == nil:
		h.now.Reason = reasonConnecting
	case !before.Degraded:
		h.now = Health{Degraded: true, Reason: reason, Since: time.Now()}
	default:
		h.now.Reason = reason
	}
	after := h.now
	h.mu.Unlock()
	if h.changed != nil && after != before {
		h.changed(after)
	}
}
