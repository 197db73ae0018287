package redisbus

import (
	"errors"
	"time"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// A gap is the end of a confirmed subscription before another has taken its place: what
// other nodes published meanwhile has not arrived, and nobody knows how much that was.
// It is counted, and health shows it for a while after the node has subscribed again.
// There is no gap while the node connects for the first time, when the master changes
// and the former connection is read until the new one is subscribed, and after Close.
//
// A subscription that Redis did not permit, and permits later, ends with a gap too.
//
// A gap has one cause that an operator can remove. Redis buffers what a subscriber does
// not read, up to its setting client-output-buffer-limit; then it closes the connection,
// and what was buffered is lost. A node stops reading when its queue of received
// messages is full, which waits for slow members. So a connection that ends soon after
// its reader had to wait was most likely cut off.

const (
	errCutOff    = redislink.Problem("this node takes messages too slowly, and Redis has cut it off")
	errSlotMoved = redislink.Problem("Redis has moved the slot of a channel")
	errRefused   = redislink.Problem("Redis has not permitted a subscription until now")
)

// cutOffWithin is how long after its reader has waited the end of a connection counts
// as cut off: the reader first reads what Redis had sent before.
const cutOffWithin = 10 * time.Second

// gap returns why the end of the connection, for the reason err, is a gap, or nil if it
// is none.
func (c *connection) gap(err error) error {
	switch {
	case c.sub.ctx.Err() != nil, !c.sub.uncovered(c):
		return nil
	case c.behind() && (!moving(err) || errors.Is(err, errCutOff)): // the publisher may have noticed first
		return errCutOff
	}
	return err
}

// behind reports whether the reader waits for slow members, or has done so lately.
func (c *connection) behind() bool {
	return c.held.Load() || time.Since(time.Unix(0, c.waited.Load())) < cutOffWithin
}

// slotGap records that Redis Cluster has ended a confirmed subscription. All channels of
// a slot move together, which is one gap.
func (c *connection) slotGap(t Target) {
	c.mu.Lock()
	confirmed := c.active[t]
	c.mu.Unlock()
	if now := time.Now(); confirmed && now.Sub(c.slotGapAt) > time.Second {
		c.slotGapAt = now
		c.sub.bus.gap(errSlotMoved)
	}
}

// uncovered reports whether the connection, which has ended, had subscriptions that are
// wanted and that its successor does not have yet.
func (s *subscriber) uncovered(c *connection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	for t, confirmed := range c.active {
		if rt := s.routes[t]; confirmed && rt != nil && !(c.overlapped && rt.confirmed) {
			return true
		}
	}
	return false
}

// gap records that messages of other nodes may be lost.
func (b *Redis) gap(why error) {
	b.stats.gaps.Add(1)
	if errors.Is(why, errCutOff) {
		b.stats.cutOff.Add(1)
	}
	b.health.gap(why)
	if f := b.opts.Hooks.Gap; f != nil {
		f(why)
	}
}
