// Package types has the Redis client of github.com/zishang520/socket.io-go-redis/types.
package types

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/compat/zishang520/events"
)

// RedisClient is a client that the builders of package redis/adapter take. It emits
// "error" with an error when Redis cannot be reached or refuses something.
type RedisClient struct {
	events.EventEmitter
	Client  redis.UniversalClient
	Context context.Context
}

// NewRedisClient returns a RedisClient. The builders take the options of client and
// make connections of their own.
func NewRedisClient(ctx context.Context, client redis.UniversalClient) *RedisClient {
	return &RedisClient{EventEmitter: events.New(), Client: client, Context: ctx}
}
