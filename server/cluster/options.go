package cluster

import (
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/health"
	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redispresence"
)

// Health says whether a node is part of its cluster.
type Health = health.Health

// Options configures a [Cluster]. The zero value is a Redis server on this machine and
// the defaults of Node's adapter.
type Options struct {
	// URL is redis://, rediss:// (TLS) or unix://; with addr parameters it is a Redis
	// Cluster, with a master_name parameter Sentinel. Default: the server that the field
	// Redis describes, or redis://127.0.0.1:6379 if that is nil.
	URL string
	// Redis has what a URL cannot express. It is used if URL is empty.
	Redis *redis.UniversalOptions
	// KeepRedisLog leaves the log of go-redis alone, for a program that has set it with
	// redis.SetLogger.
	KeepRedisLog bool
	// Prefix is the first part of all channels of the adapter and of presence. All nodes
	// of a cluster must use the same. Default: "socket.io".
	Prefix string
	// Mode is the protocol between the nodes. All nodes of a cluster must use the same.
	// Default: redisadapter.Classic.
	Mode redisadapter.Mode
	// JoinWait is how long a join waits, in the Sharded mode, until messages of other
	// nodes to the room arrive here. Negative: a join never waits, as on Node. Default:
	// 500 ms.
	JoinWait time.Duration
	// Adapter has the rarer options of the adapter, such as Subscriptions, RequestTimeout
	// and QueueBytes. Its Bus, Peers and Hooks, and its fields that are also fields
	// of this struct, are ignored. Default: see [redisadapter.Options].
	Adapter redisadapter.Options
	// Hooks observe the cluster.
	Hooks Hooks
}

// Hooks are optional callbacks. They are called without locks and must return soon.
type Hooks struct {
	// Health is called when the health of the cluster has changed.
	Health func(Health)
	// Adapter and Presence observe the two parts.
	Adapter  redisadapter.Hooks
	Presence redispresence.Hooks
}

// adapter returns the options of the adapter.
func (o Options) adapter() redisadapter.Options {
	a := o.Adapter
	a.Bus = nil
	a.URL, a.Redis, a.KeepRedisLog, a.Prefix, a.Mode, a.Hooks = o.URL, o.Redis, o.KeepRedisLog, o.Prefix, o.Mode, o.Hooks.Adapter
	switch a.JoinWait = o.JoinWait; {
	case o.JoinWait == 0:
		a.JoinWait = 500 * time.Millisecond
	case o.JoinWait < 0:
		a.JoinWait = 0
	}
	return a
}
