// Package health tracks whether a node is part of its cluster. A [Monitor] derives the
// [Health] from the state of each source: each thing that the node depends on.
package health

import "time"

// Health says whether a node is part of its cluster.
type Health struct {
	// Degraded says that the node is not, or only partly, part of its cluster. It still
	// serves its own clients.
	Degraded bool
	// Connected says that the node reaches the cluster: Reason is past (messages of
	// other nodes may have been lost), or may be about another node.
	Connected bool
	// Reason says why the node is degraded. It may be public: it contains no address,
	// user or password. It is empty if the node is not degraded.
	Reason string
	// Since is when the node became degraded. It is zero if the node is not.
	Since time.Time
}
