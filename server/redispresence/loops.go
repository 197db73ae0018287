package redispresence

import (
	"context"
	"time"
)

// batchFrames bounds one pipeline, to 1 MiB or so.
const batchFrames = 16

// send publishes what the outbox has, as soon as there is something and the last
// has been answered; so much of it goes together when Redis is slow. While Redis
// is away it tries with a beat, and goes on when that has been taken.
func (n *Node) send(ctx context.Context) {
	defer n.cancel()
	ticker := time.NewTicker(n.times.interval)
	defer ticker.Stop()
	retry := time.NewTimer(0)
	defer retry.Stop()
	<-retry.C
	for away := false; ; {
		select {
		case <-n.stopping:
			if !away {
				n.farewell(ctx)
			}
			return
		case <-ticker.C:
			n.post(func(b *outbox) { b.beat = true })
			continue
		case <-retry.C:
			away = away && !n.probe(ctx)
		case <-n.wake:
			if away {
				continue
			}
		}
		if !away {
			away = !n.flush(ctx)
		}
		if away || n.wanted() {
			retry.Reset(n.times.retry)
		}
	}
}

// flush publishes all there is. It reports whether that went well.
func (n *Node) flush(ctx context.Context) bool {
	n.mu.Lock()
	hello := n.outbox.hello
	frames, lossy := n.outbox.take(n.part, &n.order)
	n.mu.Unlock()
	for len(frames) > 0 {
		k := min(len(frames), batchFrames)
		if err := n.publish(ctx, frames[:k]); err != nil {
			n.mu.Lock()
			n.outbox.hello = n.outbox.hello || hello
			if lossy {
				n.outbox.lose()
			}
			n.mu.Unlock()
			return false
		}
		frames = frames[k:]
	}
	return true
}

// wanted reports whether a state that was asked for waits.
func (n *Node) wanted() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.outbox.wants) > 0
}

// probe tries whether Redis is there.
func (n *Node) probe(ctx context.Context) bool {
	n.mu.Lock()
	f := n.outbox.alive()
	n.mu.Unlock()
	return n.publish(ctx, []frame{f}) == nil
}

func (n *Node) publish(ctx context.Context, frames []frame) error {
	ctx, cancel := context.WithTimeout(ctx, n.times.publish)
	defer cancel()
	err := n.bus.publish(ctx, frames)
	n.health.set(func(h *health) { h.publishing = err })
	if err != nil {
		n.failed(err)
		n.alone()
		return err
	}
	n.stats.published.Add(uint64(len(frames)))
	return nil
}

// farewell tells the last that happened, and that the node leaves.
func (n *Node) farewell(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, n.times.interval)
	defer cancel()
	if !n.flush(ctx) {
		return
	}
	n.mu.Lock()
	f := frame{n.channels.all, encode(bye, n.name, n.outbox.seq, 0)}
	n.mu.Unlock()
	n.publish(ctx, []frame{f})
}

// receive holds the subscription, and makes it anew where it breaks.
func (n *Node) receive(ctx context.Context) {
	names := []string{n.channels.all, n.channels.node(n.name)}
	const first = 8 // part of the longest delay
	delay := n.times.retry / first
	for ctx.Err() == nil {
		err := n.bus.receive(ctx, names, n.times.deaf,
			func() {
				delay = n.times.retry / first
				n.hand(ctx, event{up: true})
			},
			func(channel, payload string) { n.hand(ctx, event{channel: channel, payload: payload}) })
		if ctx.Err() != nil {
			return
		}
		n.hand(ctx, event{err: err})
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
		delay = min(2*delay, n.times.retry)
	}
}

func (n *Node) hand(ctx context.Context, e event) {
	select {
	case n.incoming <- e:
	case <-ctx.Done():
	}
}

// apply owns the peers: it applies what comes, in its order, and what time
// brings.
func (n *Node) apply(ctx context.Context) {
	ps := newPeers(n.name, n.view, n.times, n.opts.MaxEntries, time.Now())
	ticker := time.NewTicker(n.times.interval)
	defer ticker.Stop()
	often := time.NewTicker(n.times.place / 4)
	defer often.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-n.incoming:
			n.take(ps, e)
		case <-ticker.C:
			ps.tick(time.Now())
			n.hearing(ps)
		case <-often.C:
			n.overdue()
			if ps.complete(time.Now()) {
				n.setReady()
			}
		}
		n.catchUp(ps)
		n.view.Deliver()
		n.passOn(ps)
	}
}

func (n *Node) take(ps *peers, e event) {
	switch {
	case e.up:
		ps.subscribed(time.Now())
		n.health.set(func(h *health) { h.subscribed, h.receiving, h.behind = true, nil, true })
		n.post(func(b *outbox) { b.hello = true }) // what was missed meanwhile?
	case e.err != nil:
		n.health.set(func(h *health) { h.subscribed, h.receiving = false, e.err })
		n.failed(e.err)
		n.alone()
	default:
		m, err := decode([]byte(e.payload))
		if err == nil {
			n.stats.received.Add(1)
			err = ps.take(m, time.Now())
		}
		if err != nil {
			n.malformed(e.channel, err)
		} else if m.from == n.name {
			n.hearing(ps)
			if m.places() {
				n.heard(m.seq)
			}
		}
	}
}

func (n *Node) hearing(ps *peers) {
	heard := ps.hears(time.Now())
	if !heard {
		n.alone()
	}
	n.health.set(func(h *health) { h.hearing = heard })
}

// catchUp passes on whether the node misses something of the others. Health shows
// what lasts: each node that starts is behind for a moment.
func (n *Node) catchUp(ps *peers) {
	now := time.Now()
	n.await(ps.waits(now))
	switch {
	case ps.caughtUp(now):
		n.health.set(func(h *health) { h.behind = false })
	case now.Sub(ps.behind) >= n.times.place:
		n.health.set(func(h *health) { h.behind = true })
	}
}

// passOn posts what the peers have left to be published.
func (n *Node) passOn(ps *peers) {
	if len(ps.asks) == 0 && len(ps.want) == 0 && !ps.hello {
		return
	}
	n.stats.asked.Add(uint64(len(ps.asks)))
	n.post(func(b *outbox) {
		for _, node := range ps.asks {
			b.asks[node] = true
		}
		for _, node := range ps.want {
			b.wants[node] = true
		}
		b.beat = b.beat || ps.hello
	})
	ps.asks, ps.want, ps.hello = ps.asks[:0], ps.want[:0], false
}
