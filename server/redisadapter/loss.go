package redisadapter

import (
	"errors"
	"time"

	"github.com/puente-io/puente/server/redislink"
)

// Redis buffers what a subscriber does not read, up to its setting
// client-output-buffer-limit; then it closes the connection, and what was buffered
// is lost. A node stops reading when its queue of received messages is full, which
// waits for members that are behind. So a connection that ends soon after its reader
// had to wait was most likely cut off.

const errCutOff = redislink.Problem("Redis has cut this node off, which takes messages too slowly: some are lost")

const (
	// cutOffWithin is how long after its reader has waited the end of a connection
	// counts as cut off: what Redis sent before has been read meanwhile.
	cutOffWithin = 10 * time.Second
	// lossShown is how long health is degraded by a loss.
	lossShown = 30 * time.Second
)

// cutOff reports whether the connection, which has ended, was cut off: by Redis,
// which the publisher may have found out before the reader could.
func (c *connection) cutOff(err error) bool {
	if c.sub.ctx.Err() != nil || moving(err) && !errors.Is(err, errCutOff) {
		return false // by ourselves
	}
	return c.behind()
}

// behind reports whether the reader waits for slow members, or has lately.
func (c *connection) behind() bool {
	return c.held.Load() || time.Since(time.Unix(0, c.waited.Load())) < cutOffWithin
}

// lost notes that messages of other nodes are lost.
func (c *Cluster) lost() {
	c.stats.cutOff.Add(1)
	c.health.cutOff()
	if f := c.opts.Hooks.CutOff; f != nil {
		f()
	}
}
