package redispresence

import (
	"time"

	"github.com/redis/go-redis/v9"
)

// Options configures a [Node]. Only Redis is required.
type Options struct {
	// Redis is a client of one server, of Sentinel or of a Redis Cluster. The Node
	// uses up to two of its connections and does not close it. The client should have
	// timeouts of one or two seconds, speak RESP2 and not retry commands. Required.
	Redis redis.UniversalClient
	// Prefix is the prefix of the channel names. Default: "socket.io".
	Prefix string
	// Interval is the time between two heartbeats of a node. The other times are
	// multiples of it: an operation waits at most half an interval to be ordered, a
	// node is degraded after 3 without an echo, a silent node is dropped after 6, and a
	// node that receives nothing from Redis drops all others after 10. All nodes of a
	// cluster should have the same Interval. Default: 1 s.
	Interval time.Duration
	// MaxEntries is the maximum number of devices plus memberships in rooms held of
	// all other nodes together. A message that exceeds it is ignored and counted as
	// malformed. Default: 8,388,608.
	MaxEntries int
	// Hooks observe the node.
	Hooks Hooks
}

// Hooks are optional callbacks. They are called without locks and must return soon.
type Hooks struct {
	// Health is called when the health has changed.
	Health func(Health)
	// Failed is called when Redis cannot be reached or refuses a command.
	Failed func(error)
	// Malformed is called when a message is ignored because it is malformed, out of
	// sequence or exceeds a bound.
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

// times holds the durations derived from the interval.
type times struct {
	interval        time.Duration
	echoTimeout     time.Duration // without an echo, after which Redis counts as away
	peerTimeout     time.Duration // without a message of a peer, after which it is dropped
	isolatedTimeout time.Duration // without an echo, after which all peers are dropped
	orderTimeout    time.Duration // after which an operation without an echo is applied
	requestMin      time.Duration // between the first two requests for a state
	requestMax      time.Duration // between later ones, with exponential backoff
	retry           time.Duration // between two attempts to reach Redis
	publishTimeout  time.Duration // of one pipeline
	rememberSilent  time.Duration // how long a peer dropped for silence is recognized when it returns
}

func newTimes(interval time.Duration) times {
	return times{
		interval: interval, echoTimeout: 3 * interval, peerTimeout: 6 * interval, isolatedTimeout: 10 * interval,
		orderTimeout: interval / 2, requestMin: interval / 2, requestMax: 8 * interval, retry: interval / 4,
		publishTimeout: 2 * interval, rememberSilent: 3600 * interval,
	}
}
