package redispresence

import (
	"time"

	"github.com/redis/go-redis/v9"
)

// Options configures a [Node]. Only Redis is required.
type Options struct {
	// Redis is how to reach Redis: one server, Sentinel or a Redis Cluster. It
	// is not closed by the Node, which uses up to two of its connections; it
	// should have timeouts of a second or two, speak RESP2 and repeat no
	// command by itself. Required.
	Redis redis.UniversalClient
	// Prefix is the start of the channels' names. Default: "socket.io".
	Prefix string
	// Interval is how often a node says that it is there. All times follow
	// from it: a join waits for its place for half of one, a node is degraded that
	// does not hear itself for 3 intervals, a node is gone that is not heard for 6,
	// and all others are after 10 without Redis. All nodes of a cluster should have the same. Default: 1 s.
	Interval time.Duration
	// MaxEntries bounds the devices and their memberships in rooms, counted
	// together, that are held of all other nodes; what is more is ignored, and
	// counted as malformed. Default: 8,388,608.
	MaxEntries int
	// Hooks observe the node.
	Hooks Hooks
}

// Hooks are functions that are told what happens; those that are nil are not.
// They are called without locks and must return soon.
type Hooks struct {
	// Health: the health has changed.
	Health func(Health)
	// Failed: Redis could not be reached, or has refused something.
	Failed func(error)
	// Malformed: what came on a channel is no message, or cannot follow on what
	// came before, and is ignored.
	Malformed func(channel string, err error)
}

func (o Options) withDefaults() Options {
	if o.Prefix == "" {
		o.Prefix = "socket.io"
	}
	if o.Interval == 0 {
		o.Interval = time.Second
	}
	if o.MaxEntries == 0 {
		o.MaxEntries = 8 << 20
	}
	return o
}

// times are the time limits that follow from the interval.
type times struct {
	interval time.Duration
	deaf     time.Duration // not hearing oneself, after which Redis is away
	dead     time.Duration // not hearing a node, after which it is gone
	away     time.Duration // not hearing oneself, after which all others are gone
	place    time.Duration // for an operation to come back, after which it is not waited for
	ask      time.Duration // between the first two questions for a state
	lastAsk  time.Duration // between two of many
	retry    time.Duration // between two attempts to reach Redis
	publish  time.Duration // for one pipeline
	remember time.Duration // a node that was silent, in case that it comes back
}

func newTimes(interval time.Duration) times {
	return times{
		interval: interval, deaf: 3 * interval, dead: 6 * interval, away: 10 * interval, place: interval / 2,
		ask: interval / 2, lastAsk: 8 * interval, retry: interval / 4, publish: 2 * interval, remember: 3600 * interval,
	}
}
