package redispresence

import (
	"context"
	"time"
)

// receive holds the subscription and subscribes again when it breaks, with backoff.
func (n *Node) receive(ctx context.Context) {
	names := []string{n.channels.all, n.channels.node(n.name)}
	const first = 8 // the first delay is an eighth of the longest
	delay := n.times.retry / first
	for ctx.Err() == nil {
		err := n.bus.receive(ctx, names, n.times.echoTimeout,
			func() {
				delay = n.times.retry / first
				n.enqueue(ctx, event{up: true})
			},
			func(channel, payload string) { n.enqueue(ctx, event{channel: channel, payload: payload}) })
		if ctx.Err() != nil {
			return
		}
		n.enqueue(ctx, event{err: err})
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
		delay = min(2*delay, n.times.retry)
	}
}

// enqueue passes an event to apply.
func (n *Node) enqueue(ctx context.Context, e event) {
	select {
	case n.incoming <- e:
	case <-ctx.Done():
	}
}
