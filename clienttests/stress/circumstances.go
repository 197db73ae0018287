package main

import (
	"fmt"
	"sync/atomic"
	"time"
)

// late measures how late the machine wakes this process, which also runs the nodes: a
// machine that is short of CPU breaks promises that are times, such as the 5 s within
// which Redis must accept a message.
type late struct {
	worst atomic.Int64 // ns, since the start
	stop  chan struct{}
}

func measureLateness() *late {
	l := &late{stop: make(chan struct{})}
	go func() {
		const every = 50 * time.Millisecond
		for {
			due := time.Now().Add(every)
			select {
			case <-time.After(every):
			case <-l.stop:
				return
			}
			if d := int64(time.Since(due)); d > l.worst.Load() {
				l.worst.Store(d)
			}
		}
	}()
	return l
}

// circumstances says what a reader of a violation must know to judge it: whether a node
// counted a gap, after which messages of other nodes may be missing, and how late the
// machine was.
func (r *runner) circumstances() string {
	if r.late == nil { // a round alone
		return ""
	}
	gaps, drops := losses(r.cluster.nodes)
	return fmt.Sprintf(" (after %v, %d gaps, %d drops, up to %v late)", time.Since(r.began).Round(time.Second), gaps, drops,
		time.Duration(r.late.worst.Load()).Round(time.Millisecond))
}

// losses returns how many gaps and drops nodes have counted.
func losses(nodes []*node) (gaps, drops int64) {
	for _, n := range nodes {
		limits := n.Service().Stats().Limits
		gaps += limits.ClusterGaps
		drops += limits.ClusterDrops
	}
	return gaps, drops
}
