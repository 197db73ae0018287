package redisbus

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// scoutEvery is how often a connection is made to see where the address leads.
const scoutEvery = time.Second

// scout finds out that the address of Redis leads to another server than before: a DNS
// name or a proxy that was pointed to a promoted replica cuts no connection, and the
// former master need not know. The server that a new connection
// reaches must have this node's subscription. A failure to connect proves nothing.
func (p *publisher) scout(ctx context.Context) {
	ticker := time.NewTicker(scoutEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		probe := &probe{sub: p.bus.sub, links: &p.bus.links}
		if err := probe.scout(ctx, p.bus.fresh); errors.Is(err, errDivided) || errors.Is(err, errReplica) {
			select {
			case p.astray <- err:
			default:
			}
		}
	}
}

// scout asks for a proof over a new connection.
func (p *probe) scout(ctx context.Context, opts *redis.Options) error {
	o := *opts
	client := redis.NewClient(&o)
	defer client.Close()
	for range 3 { // once more without what the user has no right to, and once more to be certain
		epoch := p.links.Epoch()
		pipe := client.Pipeline()
		a := p.ask(ctx, pipe, false)
		if a.numSub == nil && a.own == nil {
			return nil
		}
		if _, err := exec(ctx, pipe); err != nil {
			return err
		}
		denied := p.noNumSub
		at := a.read()
		if p.noNumSub && !denied {
			continue
		}
		err := p.judge(at, epoch)
		if p.astray.of == nil || err != nil && !errors.Is(err, errNotThere) {
			return err
		}
		select {
		case <-p.astray.replied:
		case <-time.After(scoutEvery):
			return nil
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}
