package adapter

import (
	"github.com/puente-io/puente/compat/zishang520/redis/types"
	"github.com/puente-io/puente/compat/zishang520/socket"
	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// ShardedRedisAdapterBuilder connects servers through the sharded pub/sub of Redis 7.
type ShardedRedisAdapterBuilder struct {
	Redis *types.RedisClient
	// Opts may be nil.
	Opts ShardedRedisAdapterOptionsInterface
}

var _ socket.AdapterConstructor = (*ShardedRedisAdapterBuilder)(nil)

// Open implements socket.AdapterConstructor.
func (b *ShardedRedisAdapterBuilder) Open() (adapter.Factory, func() error, error) {
	opts := redisadapter.Options{Mode: redisadapter.Sharded}
	if o := b.Opts; o != nil {
		opts.Prefix = o.ChannelPrefix()
		switch o.SubscriptionMode() {
		case StaticSubscriptionMode:
			opts.Subscriptions = redisadapter.Static
		case DynamicPrivateSubscriptionMode:
			opts.Subscriptions = redisadapter.DynamicPrivate
		}
	}
	return open(b.Redis, opts)
}

type subscriptionMode string

// The subscription modes, see redisadapter.Subscriptions.
const (
	StaticSubscriptionMode         subscriptionMode = "static"
	DynamicSubscriptionMode        subscriptionMode = "dynamic"
	DynamicPrivateSubscriptionMode subscriptionMode = "dynamic-private"
)

// ShardedRedisAdapterOptionsInterface is implemented by ShardedRedisAdapterOptions.
type ShardedRedisAdapterOptionsInterface interface {
	SetChannelPrefix(string)
	GetRawChannelPrefix() *string
	ChannelPrefix() string
	SetSubscriptionMode(subscriptionMode)
	GetRawSubscriptionMode() *subscriptionMode
	SubscriptionMode() subscriptionMode
}

// ShardedRedisAdapterOptions configures a ShardedRedisAdapterBuilder. The zero value
// has the defaults.
type ShardedRedisAdapterOptions struct {
	channelPrefix    *string
	subscriptionMode *subscriptionMode
}

// DefaultShardedRedisAdapterOptions returns options with the defaults.
func DefaultShardedRedisAdapterOptions() *ShardedRedisAdapterOptions {
	return &ShardedRedisAdapterOptions{}
}

// Assign copies the options that data has set.
func (o *ShardedRedisAdapterOptions) Assign(data ShardedRedisAdapterOptionsInterface) ShardedRedisAdapterOptionsInterface {
	if data == nil {
		return o
	}
	if data.GetRawChannelPrefix() != nil {
		o.SetChannelPrefix(data.ChannelPrefix())
	}
	if data.GetRawSubscriptionMode() != nil {
		o.SetSubscriptionMode(data.SubscriptionMode())
	}
	return o
}

// SetChannelPrefix sets the first part of all channels. Default: "socket.io".
func (o *ShardedRedisAdapterOptions) SetChannelPrefix(prefix string) { o.channelPrefix = &prefix }

// GetRawChannelPrefix returns what SetChannelPrefix has set, or nil.
func (o *ShardedRedisAdapterOptions) GetRawChannelPrefix() *string { return o.channelPrefix }

// ChannelPrefix returns what SetChannelPrefix has set, or "".
func (o *ShardedRedisAdapterOptions) ChannelPrefix() string { return get(o.channelPrefix) }

// SetSubscriptionMode sets which rooms have channels. Default: DynamicSubscriptionMode.
func (o *ShardedRedisAdapterOptions) SetSubscriptionMode(mode subscriptionMode) {
	o.subscriptionMode = &mode
}

// GetRawSubscriptionMode returns what SetSubscriptionMode has set, or nil.
func (o *ShardedRedisAdapterOptions) GetRawSubscriptionMode() *subscriptionMode {
	return o.subscriptionMode
}

// SubscriptionMode returns what SetSubscriptionMode has set, or "".
func (o *ShardedRedisAdapterOptions) SubscriptionMode() subscriptionMode {
	return get(o.subscriptionMode)
}
