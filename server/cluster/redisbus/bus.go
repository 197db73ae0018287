package redisbus

import (
	"context"
	"errors"
	"fmt"

	"github.com/puente-io/puente/server/cluster/health"
)

// Errors of a [Bus].
var (
	// ErrUnavailable: Redis has refused the message, did not take it in time, or cannot
	// be asked. Some nodes may have got it.
	ErrUnavailable = errors.New("redisbus: unavailable")
	// ErrAway: Redis cannot be reached, and the message was dropped at once. It is an
	// ErrUnavailable.
	ErrAway = fmt.Errorf("%w: away", ErrUnavailable)
	// ErrTimeout: the context ended first.
	ErrTimeout = errors.New("redisbus: timeout")
	// ErrClosed: the bus is closed.
	ErrClosed = errors.New("redisbus: closed")
)

// Bus carries messages between the nodes of a cluster: bytes on channels. A message
// reaches all nodes that have subscribed to its channel, the publisher included, at
// most once. Each node has one Bus. [Redis] implements it, and for tests
// redisbustest.Node; both pass the suite of package redisbustest.
//
// Order: what one goroutine publishes to a channel arrives at each receiver in the
// order of the calls. (On one Redis server and in one process that holds for all
// channels.)
//
// The methods are safe for concurrent use. Those with a context block at most until it
// ends; the others do not wait for Redis.
type Bus interface {
	// Publish queues a message. While the queue is full it waits, for a bounded time,
	// or, without wait, not at all. It returns nil if the message will be sent;
	// ErrUnavailable if the queue stays full; ErrAway, at once, while Redis cannot be
	// reached; ErrClosed. The message's Outcome is resolved if and only if Publish
	// returns nil.
	Publish(ctx context.Context, m Message, wait bool) error
	// Away returns the error with which messages to the channel are currently dropped, or
	// nil if they are not.
	Away(ctx context.Context, channel string) error

	// Subscribe sets the receiver of the targets that have none. It returns before the
	// subscriptions are confirmed, see Ready. The bus subscribes again after failures.
	Subscribe(r Receiver, targets ...Target)
	// Unsubscribe ends the subscriptions of r to the targets. A message that is being
	// delivered may still arrive.
	Unsubscribe(r Receiver, targets ...Target)
	// UnsubscribeAll ends all subscriptions of r.
	UnsubscribeAll(r Receiver)
	// Ready waits until the subscriptions to those of the targets that have a receiver
	// are confirmed: what is published afterwards arrives, as long as Redis does not
	// fail. It returns ErrUnavailable if Redis is away or refuses one of them,
	// ErrTimeout when ctx ends, and ErrClosed.
	Ready(ctx context.Context, targets ...Target) error
	// Subscribers returns the number of nodes that have subscribed to a channel or
	// shard channel.
	Subscribers(ctx context.Context, t Target) (int, error)

	// Watch makes the bus check its connections by a landmark, until Unwatch. If there
	// are several it checks the first.
	Watch(l *Landmark)
	Unwatch(l *Landmark)

	// Health returns the current health. A new bus is degraded until it has subscribed.
	Health() health.Health
	// Stats returns the counters.
	Stats() Stats
	// Context returns a context that ends when the bus is closed.
	Context() context.Context
	// Close sends what has been queued, if Redis takes it within its timeouts, and
	// waits for all goroutines. Receivers are not called afterwards.
	Close() error
}

// Message is a message on its way to Redis. Nobody may change the payload after
// passing it to a bus.
type Message struct {
	Channel string
	Payload []byte
	// Outcome gets the result. The field may be nil, if nobody waits for the result.
	Outcome Outcome
}

// Outcome gets the result of publishing a message: nil if Redis has published it on the
// server that the nodes subscribe to, else ErrUnavailable. Outcomes are resolved in the order of the
// messages, on a goroutine of the bus, possibly before Publish has returned. Resolve must
// not block.
type Outcome interface{ Resolve(error) }

// Kind is a way to subscribe.
type Kind uint8

const (
	Channel Kind = iota // SUBSCRIBE
	Pattern             // PSUBSCRIBE
	Shard               // SSUBSCRIBE
)

// Target is what a node subscribes to. The name of a Pattern is a glob pattern of
// Redis.
type Target struct {
	Kind Kind
	Name string
}

// Receiver receives messages.
type Receiver interface {
	// Active reports whether the receiver still takes subscriptions. Once it has
	// returned false it must not return true. It is called under a lock.
	Active() bool
	// Receive takes a message. It may block for slow members: the bus queues and reads
	// on meanwhile. Receivers of one connection are called one at a time.
	Receive(channel, payload string, b Backlog)
}

// Backlog says how much waits behind a message to be delivered.
type Backlog uint8

const (
	Low  Backlog = iota // little
	High                // members of other rooms should not wait any longer
	Full                // reading is about to stop
)

// Landmark is a pair of targets: one that all nodes subscribe to, and one that only this
// node subscribes to. With it a bus checks that it publishes to the same server that it
// and the other nodes subscribe to. The node must subscribe to both itself.
type Landmark struct{ Shared, Own Target }

// Stats counts since the start. A dropped message may still have reached some nodes, if
// Redis took it and its answer was lost.
type Stats struct {
	Published, Dropped uint64 // messages that Redis took; messages that it did not
	// Gaps is how often a subscription of this node has ended before another took its
	// place, so that messages of other nodes may have been lost. How many is not known.
	Gaps uint64
	// CutOff is the number of gaps that came because this node took messages too slowly:
	// what waited for it at Redis became too much (client-output-buffer-limit pubsub).
	CutOff uint64
}
