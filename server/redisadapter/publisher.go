package redisadapter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/redislink"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// Bounds of one pipeline. Redis answers it within the library's timeouts.
const (
	batchMessages = 512
	batchBytes    = 1 << 20
)

// How long the publisher waits between two attempts to reach Redis.
const (
	firstRetry = 25 * time.Millisecond
	lastRetry  = 400 * time.Millisecond
)

// outgoing is a message on its way to Redis.
type outgoing struct {
	channel string
	payload []byte
}

// size is what the message counts for in the queue, its bookkeeping included.
func (o outgoing) size() int { return len(o.channel) + len(o.payload) + 128 }

// publisher hands messages to Redis in the order in which it got them. Nothing
// is sent twice: whether Redis has taken what it did not answer is unknown.
type publisher struct {
	cluster *Cluster
	sharded bool
	done    chan struct{} // the goroutine has ended

	mu     sync.Mutex
	queue  []outgoing
	bytes  int           // of the queue and of what is under way
	space  chan struct{} // closed when bytes have become fewer, or the state has changed
	away   error         // Redis is away: what publish returns
	closed bool
	wake   chan struct{} // has an element when there is something to do

	stop context.CancelFunc // ends waiting between attempts

	refusedAt time.Time // the last message that Redis refused; of the goroutine
}

// refusedFor is how long health speaks of a message that Redis refused, if it
// takes others.
const refusedFor = 5 * time.Second

func newPublisher(c *Cluster) *publisher {
	ctx, cancel := context.WithCancel(context.Background())
	p := &publisher{
		cluster: c, sharded: c.opts.Mode == Sharded, done: make(chan struct{}),
		space: make(chan struct{}), wake: make(chan struct{}, 1), stop: cancel,
	}
	go p.run(ctx)
	return p
}

// publish queues a message. Where the queue is full it waits up to PublishWait,
// or not at all. Errors are ErrUnavailable, ErrAway and ErrClosed.
func (p *publisher) publish(ctx context.Context, o outgoing, wait bool) error {
	var patience <-chan time.Time
	for {
		space, err := p.enqueue(o)
		if space == nil {
			if err != nil && !errors.Is(err, adapter.ErrClosed) {
				p.cluster.dropped(1, err)
			}
			return err
		}
		if wait && patience == nil {
			timer := time.NewTimer(p.cluster.opts.PublishWait)
			defer timer.Stop()
			patience = timer.C
		}
		if wait {
			select {
			case <-space:
				continue
			case <-patience:
			case <-ctx.Done():
			}
		}
		p.cluster.dropped(1, errFull)
		return errFull
	}
}

var errFull = fmt.Errorf("%w: Redis takes messages too slowly", adapter.ErrUnavailable)

// enqueue adds a message, or returns what to wait for before the next attempt.
func (p *publisher) enqueue(o outgoing) (space <-chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, adapter.ErrClosed
	case p.away != nil:
		return nil, p.away
	case p.bytes > 0 && p.bytes+o.size() > p.cluster.opts.QueueBytes:
		return p.space, nil
	}
	p.queue = append(p.queue, o)
	p.bytes += o.size()
	p.signal()
	return nil, nil
}

func (p *publisher) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// take returns the queue.
func (p *publisher) take() (queue []outgoing, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	queue, p.queue = p.queue, nil
	return queue, p.closed
}

// release says that messages are no longer under way.
func (p *publisher) release(messages []outgoing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range messages {
		p.bytes -= o.size()
	}
	p.news()
}

func (p *publisher) news() {
	close(p.space)
	p.space = make(chan struct{})
}

func (p *publisher) run(ctx context.Context) {
	defer close(p.done)
	for range p.wake {
		queue, closed := p.take()
		for len(queue) > 0 {
			n := batchLen(queue)
			err := p.send(queue[:n])
			p.release(queue[:n])
			queue = queue[n:]
			if err != nil {
				p.giveUp(queue, err)
				queue = nil
				p.recover(ctx)
			}
		}
		if closed {
			return
		}
	}
}

func batchLen(queue []outgoing) int {
	n, bytes := 0, 0
	for n < len(queue) && n < batchMessages && (n == 0 || bytes+queue[n].size() <= batchBytes) {
		bytes += queue[n].size()
		n++
	}
	return n
}

// send publishes a batch, counts, and returns an error where Redis is away.
func (p *publisher) send(batch []outgoing) error {
	ctx := context.Background() // the library's timeouts bound it
	target, err := p.target(ctx)
	if err != nil {
		p.cluster.dropped(len(batch), err)
		return err
	}
	pipe := target.Pipeline()
	for _, o := range batch {
		if p.sharded {
			pipe.SPublish(ctx, o.channel, o.payload)
		} else {
			pipe.Publish(ctx, o.channel, o.payload)
		}
	}
	cmds, err := pipe.Exec(ctx)
	failed, denied, away := 0, error(nil), error(nil)
	for i, cmd := range cmds {
		switch cmdErr := cmd.Err(); {
		case cmdErr == nil:
			continue
		case redislink.IsDenied(cmdErr): // Redis is there
			denied = &redislink.Denied{Command: strings.ToUpper(cmd.Name()), Channel: batch[i].channel, Err: cmdErr}
		default:
			away = cmdErr
		}
		failed++
	}
	if away == nil && !redislink.IsDenied(err) {
		away = err
	}
	p.cluster.stats.published.Add(uint64(len(batch) - failed))
	if failed > 0 {
		p.cluster.dropped(failed, cmp.Or(away, denied))
	}
	p.refused(denied)
	return away
}

// refused sets the health if Redis refuses messages, or has not for a while.
func (p *publisher) refused(err error) {
	switch {
	case err != nil:
		p.refusedAt = time.Now()
		p.cluster.health.set(publishing, err)
	case !p.refusedAt.IsZero() && time.Since(p.refusedAt) > refusedFor:
		p.refusedAt = time.Time{}
		p.cluster.health.set(publishing, nil)
	}
}

// pipeliner is the part of the library's clients that send needs.
type pipeliner interface{ Pipeline() redis.Pipeliner }

// target is where messages go. The library sends PUBLISH, which has no key, to
// any node of a Redis Cluster; for the order all must go to the same.
func (p *publisher) target(ctx context.Context) (pipeliner, error) {
	cluster, ok := p.cluster.client.(*redis.ClusterClient)
	if !ok || p.sharded {
		return p.cluster.client, nil
	}
	return cluster.MasterForKey(ctx, p.cluster.opts.Prefix)
}

// giveUp drops what is queued: it would be late when Redis is back. From now on
// publish returns an error at once.
func (p *publisher) giveUp(rest []outgoing, err error) {
	p.mu.Lock()
	p.away = fmt.Errorf("%w: %w", adapter.ErrAway, err)
	rest = append(rest, p.queue...)
	p.queue = nil
	p.mu.Unlock()
	p.release(rest)
	if len(rest) > 0 {
		p.cluster.dropped(len(rest), err)
	}
	p.cluster.health.set(publishing, err)
}

// recover waits until Redis is back, or the publisher is closed.
func (p *publisher) recover(ctx context.Context) {
	for delay := firstRetry; ctx.Err() == nil; delay = min(2*delay, lastRetry) {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
		err := p.cluster.client.PubSubNumSub(ctx).Err() // PING would be refused where Redis cannot save
		if err != nil && !redislink.IsDenied(err) {     // a refusal is an answer, too
			p.cluster.health.set(publishing, err)
			continue
		}
		p.mu.Lock()
		p.away = nil
		p.mu.Unlock()
		p.cluster.health.set(publishing, nil)
		return
	}
}

func (p *publisher) isAway() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.away
}

func (p *publisher) close() {
	p.mu.Lock()
	p.closed = true
	p.news()
	p.signal()
	p.mu.Unlock()
	p.stop()
	<-p.done
}
