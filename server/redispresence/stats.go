package redispresence

import "sync/atomic"

// Stats counts messages since the start.
type Stats struct {
	Published uint64 // that Redis has taken
	Received  uint64 // that came on the node's channels, its own included
	Malformed uint64 // that came and were ignored
	Asked     uint64 // states of other nodes that were asked for
}

type stats struct{ published, received, malformed, asked atomic.Uint64 }

// Stats returns the counters.
func (n *Node) Stats() Stats {
	return Stats{n.stats.published.Load(), n.stats.received.Load(), n.stats.malformed.Load(), n.stats.asked.Load()}
}

func (n *Node) malformed(channel string, err error) {
	n.stats.malformed.Add(1)
	if f := n.opts.Hooks.Malformed; f != nil {
		f(channel, err)
	}
}

func (n *Node) failed(err error) {
	n.setReady() // there is nobody to wait for
	if f := n.opts.Hooks.Failed; f != nil {
		f(err)
	}
}
