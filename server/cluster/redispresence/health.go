package redispresence

import "github.com/puente-io/puente/server/cluster/health"

// Health says whether the node is connected to its cluster. While it is degraded, the
// entries of other nodes may be outdated; those of the node's own devices are not.
type Health = health.Health

// What a node needs, in the order in which health shows it. A failed connection degrades
// the node at once; a missing echo, which reveals every other fault, after
// times.echoTimeout.
const (
	publishing health.Kind = iota // the last attempt to publish has succeeded
	receiving                     // there is a subscription
	echoing                       // the node receives its own messages
	upToDate                      // no messages of other nodes are missing
	kindsOfHealth
)

const (
	reasonConnecting = "connecting to Redis"
	reasonSilent     = "Redis does not deliver messages"
	reasonBehind     = "catching up with the other nodes"
)

// newHealth returns the health of a new node.
func newHealth(changed func(Health)) *health.Monitor {
	return health.NewMonitor(health.Source{Kind: receiving}, reasonConnecting, kindsOfHealth, changed)
}

// need sets what is wrong with something that the node needs; an empty reason says that
// nothing is.
func (n *Node) need(k health.Kind, reason string) { n.health.Set(health.Source{Kind: k}, reason) }

// unless returns "" if well, else the reason; for a node that has never been healthy it
// is always that it is connecting.
func (n *Node) unless(well bool, reason string) string {
	switch {
	case well:
		return ""
	case !n.wasHealthy:
		return reasonConnecting
	}
	return reason
}
