package redispresence

import (
	"context"
	"time"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// apply owns the peers. It applies received messages in order and runs the timers.
func (n *Node) apply(ctx context.Context) {
	ps := newPeers(n.name, n.view, n.times, n.opts.MaxEntries, time.Now())
	ticker := time.NewTicker(n.times.interval)
	defer ticker.Stop()
	often := time.NewTicker(n.times.orderTimeout / 4)
	defer often.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-n.incoming:
			n.handle(ps, e)
		case <-ticker.C:
			ps.tick(time.Now())
			n.checkEcho(ps)
		case <-often.C:
			n.runOverdue()
			if ps.complete(time.Now()) {
				n.setReady()
			}
		}
		n.catchUp(ps)
		n.wasHealthy = n.wasHealthy || !n.health.Health().Degraded
		n.view.Deliver()
		n.postReplies(ps)
	}
}

// handle handles an event of the subscription.
func (n *Node) handle(ps *peers, e event) {
	switch {
	case e.up:
		ps.subscribed(time.Now())
		n.need(upToDate, n.unless(false, reasonBehind))
		n.need(echoing, n.unless(ps.echoing(time.Now()), reasonSilent))
		n.need(receiving, "")
		n.post(func(b *outbox) { b.hello = true }) // to find out what was missed
	case e.err != nil:
		n.need(receiving, redislink.Reason(e.err))
		n.failed(e.err)
		n.echoLost()
	default:
		m, err := decode([]byte(e.payload))
		if err == nil && m.from == n.name && m.seq > n.issued() {
			err = errForged
		}
		if err == nil {
			n.stats.received.Add(1)
			err = ps.take(m, time.Now())
		}
		if err != nil {
			n.malformed(e.channel, err)
		} else if m.from == n.name {
			n.checkEcho(ps)
			if m.confirms() {
				n.echoed(m.seq)
			}
		}
	}
}

// checkEcho updates health and order by whether echoes arrive.
func (n *Node) checkEcho(ps *peers) {
	echoes := ps.echoing(time.Now())
	if !echoes {
		n.echoLost()
	}
	n.need(echoing, n.unless(echoes, reasonSilent))
}

// catchUp updates order and health by whether the node has missed messages of its
// peers. Operations wait only for a while, because a node never catches up with a peer
// that exceeds the bounds; health changes only after that while, because every new
// node is behind for a moment.
func (n *Node) catchUp(ps *peers) {
	now := time.Now()
	behind := !ps.caughtUp(now)
	lasting := behind && now.Sub(ps.behind) >= n.times.orderTimeout
	n.setBehind(behind && !lasting)
	if lasting || !behind {
		n.need(upToDate, n.unless(!lasting, reasonBehind))
	}
}

// postReplies posts the requests and replies that the peers have collected.
func (n *Node) postReplies(ps *peers) {
	if len(ps.requests) == 0 && len(ps.requesters) == 0 && !ps.hello {
		return
	}
	n.stats.requested.Add(uint64(len(ps.requests)))
	n.post(func(b *outbox) {
		for _, node := range ps.requests {
			b.requests[node] = true
		}
		for _, node := range ps.requesters {
			b.requesters[node] = true
		}
		b.beat = b.beat || ps.hello
	})
	ps.requests, ps.requesters, ps.hello = ps.requests[:0], ps.requesters[:0], false
}
