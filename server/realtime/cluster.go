package realtime

import (
	"github.com/puente-io/puente/server/cluster/health"
	"github.com/puente-io/puente/server/presence"
)

// Cluster connects the service with other nodes. The Cluster of package server/cluster
// implements it. Its methods must be safe for concurrent use and must not block.
type Cluster interface {
	// Presence returns the presence of the cluster's users.
	Presence() presence.Presence
	// Health returns the health of the node in the cluster.
	Health() health.Health
	// Gaps returns how often the node's subscription was interrupted since it started,
	// which may have lost messages of other nodes, and how often because Redis' output
	// buffer for this node overflowed.
	Gaps() (all, buffers int64)
	// Malformed returns how many messages of other nodes were ignored because they were
	// malformed.
	Malformed() int64
}
