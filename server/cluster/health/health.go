// Package health has the health of a node in its cluster, and derives it from the
// states of the things that the node needs.
package health

import "time"

// Health says whether a node is part of its cluster.
type Health struct {
	// Degraded says that it is not, or not fully. It serves its own clients all the
	// same.
	Degraded bool
	// Connected says that the node reaches the cluster: Reason is past (messages of
	// other nodes may have been lost), or may be about another node.
	Connected bool
	// Reason says why the node is degraded, in words that may be public: no address,
	// user or password. It is empty if the node is not degraded.
	Reason string
	// Since is when the node became degraded. It is zero if the node is not.
	Since time.Time
}
