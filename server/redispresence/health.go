package redispresence

import (
	"sync"
	"time"

	"github.com/puente-io/puente/server/redislink"
)

// Health says whether the node is part of its cluster.
type Health struct {
	// Degraded: it is not, wholly. It knows its own devices; what it knows of
	// others may be old.
	Degraded bool
	// Reason says why, in words that anybody may read (no address, no user, no
	// password), Since since when; both are zero where it is not degraded.
	Reason string
	Since  time.Time
}

const (
	reasonConnecting = "connecting to Redis"
	reasonAway       = "Redis is away"
	reasonSilent     = "Redis does not deliver"
	reasonBehind     = "catching up with the other nodes"
)

// health is what makes a node degraded: a connection that fails, at once, and
// not hearing itself, which finds all other faults after a while.
type health struct {
	changed func(Health)

	mu         sync.Mutex
	now        Health
	publishing error // of the last attempt
	receiving  error // why the subscription is not there; nil also before the first attempt has ended
	subscribed bool
	hearing    bool
	behind     bool // messages of other nodes have been missed, and are not made up for yet
	ever       bool // has been well
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

// set changes what the health is made of.
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
	case !h.hearing:
		reason = reasonSilent
	case h.behind:
		reason = reasonBehind
	}
	switch {
	case reason == "":
		h.now = Health{}
		h.ever = true
	case !h.ever && h.publishing == nil && h.receiving == nil:
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
