// Package adapter connects the servers of a cluster through Redis. It has the builders
// of github.com/zishang520/socket.io-go-redis/adapter, on top of Puente's
// server/cluster/redisadapter:
//
//	options.SetAdapter(&adapter.RedisAdapterBuilder{Redis: types.NewRedisClient(ctx, client)})
//
// What is sent over Redis has the format of Node's @socket.io/redis-adapter 8.3, which
// the original does not understand: move all servers of a cluster at once, or give the
// new ones another key.
package adapter
