package redispresence

import (
	"context"
	"time"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// batchFrames bounds one pipeline, to about 1 MiB.
const batchFrames = 16

// send publishes the contents of the outbox as soon as there are any and Redis has
// answered the previous pipeline, so batches grow when Redis is slow. While Redis is
// away, send probes it with beats and resumes when one is accepted.
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
				n.sendBye(ctx)
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
		if away || n.statePending() {
			retry.Reset(n.times.retry)
		}
	}
}

// flush publishes the contents of the outbox and reports whether that succeeded.
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

// statePending reports whether a requested state is still to be sent.
func (n *Node) statePending() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.outbox.requesters) > 0
}

// probe publishes a beat and reports whether Redis has accepted it.
func (n *Node) probe(ctx context.Context) bool {
	n.mu.Lock()
	f := n.outbox.beatFrame()
	n.mu.Unlock()
	return n.publish(ctx, []frame{f}) == nil
}

func (n *Node) publish(ctx context.Context, frames []frame) error {
	ctx, cancel := context.WithTimeout(ctx, n.times.publishTimeout)
	defer cancel()
	err := n.bus.publish(ctx, frames)
	n.need(publishing, redislink.Reason(err))
	if err != nil {
		n.failed(err)
		n.echoLost()
		return err
	}
	n.stats.published.Add(uint64(len(frames)))
	return nil
}

// sendBye publishes what is left in the outbox, then bye.
func (n *Node) sendBye(ctx context.Context) {
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
