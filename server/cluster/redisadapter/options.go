package redisadapter

import (
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/health"
	"github.com/puente-io/puente/server/cluster/redisbus"
)

// Mode is a protocol between nodes. All nodes of a cluster must use the same.
type Mode uint8

const (
	// Classic is the protocol of createAdapter: PUBLISH, patterns.
	Classic Mode = iota
	// Sharded is the protocol of createShardedAdapter: SPUBLISH, SSUBSCRIBE. It needs
	// Redis 7.
	Sharded
)

// Subscriptions says which channels the Sharded protocol uses. All nodes of a cluster
// must use the same.
type Subscriptions uint8

const (
	// Dynamic gives each room a channel, except the sockets' own rooms. (Node recognises
	// those by a name of 20 characters, so other rooms with such names have none either.)
	Dynamic Subscriptions = iota
	// Static has one channel for the namespace and one for the node.
	Static
	// DynamicPrivate gives the sockets' own rooms channels too, so that a message for one
	// socket reaches only its node. It costs a subscription per socket.
	DynamicPrivate
)

// Health says whether the node is part of its cluster.
type Health = health.Health

// Options configures a [Cluster]. The zero value is a Redis server on this machine and
// Node's defaults.
type Options struct {
	// Bus carries the messages. With Mode Sharded its channels must be shard channels.
	// Default: New opens one to Redis, which the fields from URL to Peers configure.
	Bus redisbus.Bus

	// URL, Redis, KeepRedisLog, PublishWait, QueueBytes, ReceiveBytes and Peers are
	// those of [redisbus.Options].
	URL          string
	Redis        *redis.UniversalOptions
	KeepRedisLog bool
	PublishWait  time.Duration
	QueueBytes   int
	ReceiveBytes int
	Peers        func() int

	// Prefix is the first part of all channels, "key" or "channelPrefix" on Node.
	// Default: "socket.io".
	Prefix string
	// Mode is the protocol. Default: Classic.
	Mode Mode
	// Subscriptions is for the Sharded mode. Default: Dynamic.
	Subscriptions Subscriptions
	// SpecificResponses sends answers on the channel of the requesting node,
	// publishOnSpecificResponseChannel on Node. It is for the Classic mode; the Sharded
	// one always does so. Default: on a channel of all nodes.
	SpecificResponses bool

	// RequestTimeout bounds requests whose context has no deadline, and how long clients
	// may take to acknowledge if the requesting node does not say. Default: 5 s.
	RequestTimeout time.Duration
	// JoinWait is how long a join waits, in the Sharded mode, until Redis has confirmed
	// that the node gets what is published to the room: one round trip, for the first
	// member on the node. What is published after such a join is not missed. While Redis
	// is known to be away a join does not wait. Default: a join never waits, as on Node.
	JoinWait time.Duration
	// MaxMessage bounds the messages that are decoded, and the answers to one request
	// together, in bytes. Longer messages are ignored, and counted; one of twice the length,
	// or 16 MiB if that is more, ends the connection. Default: 64 MiB.
	MaxMessage int
	// Hooks observe the cluster.
	Hooks Hooks
}

// Hooks are optional callbacks. They are called without locks, on the goroutine of the
// event, and must return soon. All but Malformed are those of the bus that New opens, see
// [redisbus.Hooks]; with Options.Bus they are not called.
type Hooks struct {
	Dropped func(n int, err error)
	Gap     func(why error)
	Failed  func(err error)
	Health  func(Health)
	// Malformed is called when a message is ignored because it cannot be decoded.
	Malformed func(channel string, err error)
}

var errMode = errors.New("redisadapter: unknown mode or subscriptions")

func (o Options) withDefaults() (Options, error) {
	if o.Mode > Sharded || o.Subscriptions > DynamicPrivate {
		return o, errMode
	}
	if o.Prefix == "" {
		o.Prefix = "socket.io"
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = 5 * time.Second
	}
	if o.MaxMessage == 0 {
		o.MaxMessage = 64 << 20
	}
	return o, nil
}

// minReply is what replies other than messages need, and messages of presence, which
// uses the bus's client.
const minReply = 16 << 20

// bus returns the options of the bus.
func (o Options) bus(gap func(why error)) redisbus.Options {
	hooks := redisbus.Hooks{Gap: gap, Failed: o.Hooks.Failed, Health: o.Hooks.Health}
	if f := o.Hooks.Dropped; f != nil {
		hooks.Dropped = func(n int, err error) { f(n, adapterError(err)) }
	}
	return redisbus.Options{
		URL: o.URL, Redis: o.Redis, KeepRedisLog: o.KeepRedisLog, Sharded: o.Mode == Sharded,
		PublishWait: o.PublishWait, QueueBytes: o.QueueBytes, ReceiveBytes: o.ReceiveBytes, Peers: o.Peers, Hooks: hooks,
		MaxReply: max(2*o.MaxMessage, minReply),
	}
}
