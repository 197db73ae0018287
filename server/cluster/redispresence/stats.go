package redispresence

import "sync/atomic"

// Stats counts messages since the node was created.
type Stats struct {
	Published uint64 // accepted by Redis
	Received  uint64 // decoded, the node's own included
	Malformed uint64 // received and ignored
	Requested uint64 // requests for the state of another node
}

type stats struct{ published, received, malformed, requested atomic.Uint64 }

// Stats returns the counters.
func (n *Node) Stats() Stats {
	return Stats{n.stats.published.Load(), n.stats.received.Load(), n.stats.malformed.Load(), n.stats.requested.Load()}
}

func (n *Node) malformed(channel string, err error) {
	n.stats.malformed.Add(1)
	if f := n.opts.Hooks.Malformed; f != nil {
		f(channel, err)
	}
}

func (n *Node) failed(err error) {
	n.setReady() // without Redis there is no node to wait for
	if f := n.opts.Hooks.Failed; f != nil {
		f(err)
	}
}
