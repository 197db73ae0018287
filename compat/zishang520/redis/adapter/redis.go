package adapter

import (
	"time"

	"github.com/puente-io/puente/compat/zishang520/redis/types"
	"github.com/puente-io/puente/compat/zishang520/socket"
	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// RedisAdapterBuilder connects servers through Redis pub/sub.
type RedisAdapterBuilder struct {
	Redis *types.RedisClient
	// Opts may be nil.
	Opts RedisAdapterOptionsInterface
}

var _ socket.AdapterConstructor = (*RedisAdapterBuilder)(nil)

// Open implements socket.AdapterConstructor.
func (b *RedisAdapterBuilder) Open() (adapter.Factory, func() error, error) {
	opts := redisadapter.Options{Mode: redisadapter.Classic}
	if o := b.Opts; o != nil {
		opts.Prefix, opts.RequestTimeout, opts.SpecificResponses = o.Key(), o.RequestsTimeout(), o.PublishOnSpecificResponseChannel()
	}
	return open(b.Redis, opts)
}

// RedisAdapterOptionsInterface is implemented by RedisAdapterOptions.
type RedisAdapterOptionsInterface interface {
	SetKey(string)
	GetRawKey() *string
	Key() string
	SetRequestsTimeout(time.Duration)
	GetRawRequestsTimeout() *time.Duration
	RequestsTimeout() time.Duration
	SetPublishOnSpecificResponseChannel(bool)
	GetRawPublishOnSpecificResponseChannel() *bool
	PublishOnSpecificResponseChannel() bool
}

// RedisAdapterOptions configures a RedisAdapterBuilder. The zero value has the
// defaults.
type RedisAdapterOptions struct {
	key                              *string
	requestsTimeout                  *time.Duration
	publishOnSpecificResponseChannel *bool
}

// DefaultRedisAdapterOptions returns options with the defaults.
func DefaultRedisAdapterOptions() *RedisAdapterOptions { return &RedisAdapterOptions{} }

// Assign copies the options that data has set.
func (o *RedisAdapterOptions) Assign(data RedisAdapterOptionsInterface) RedisAdapterOptionsInterface {
	if data == nil {
		return o
	}
	if data.GetRawKey() != nil {
		o.SetKey(data.Key())
	}
	if data.GetRawRequestsTimeout() != nil {
		o.SetRequestsTimeout(data.RequestsTimeout())
	}
	if data.GetRawPublishOnSpecificResponseChannel() != nil {
		o.SetPublishOnSpecificResponseChannel(data.PublishOnSpecificResponseChannel())
	}
	return o
}

// SetKey sets the first part of all channels. Default: "socket.io".
func (o *RedisAdapterOptions) SetKey(key string) { o.key = &key }

// GetRawKey returns what SetKey has set, or nil.
func (o *RedisAdapterOptions) GetRawKey() *string { return o.key }

// Key returns what SetKey has set, or "".
func (o *RedisAdapterOptions) Key() string { return get(o.key) }

// SetRequestsTimeout sets how long other servers have to answer. Default: 5 s.
func (o *RedisAdapterOptions) SetRequestsTimeout(d time.Duration) { o.requestsTimeout = &d }

// GetRawRequestsTimeout returns what SetRequestsTimeout has set, or nil.
func (o *RedisAdapterOptions) GetRawRequestsTimeout() *time.Duration { return o.requestsTimeout }

// RequestsTimeout returns what SetRequestsTimeout has set, or 0.
func (o *RedisAdapterOptions) RequestsTimeout() time.Duration { return get(o.requestsTimeout) }

// SetPublishOnSpecificResponseChannel sets whether requests are answered on a channel
// of the server that asks. Default: false.
func (o *RedisAdapterOptions) SetPublishOnSpecificResponseChannel(on bool) {
	o.publishOnSpecificResponseChannel = &on
}

// GetRawPublishOnSpecificResponseChannel returns what has been set, or nil.
func (o *RedisAdapterOptions) GetRawPublishOnSpecificResponseChannel() *bool {
	return o.publishOnSpecificResponseChannel
}

// PublishOnSpecificResponseChannel returns what has been set, or false.
func (o *RedisAdapterOptions) PublishOnSpecificResponseChannel() bool {
	return get(o.publishOnSpecificResponseChannel)
}

func get[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
