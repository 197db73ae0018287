package adapter

import (
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/compat/zishang520/redis/types"
	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/socketio/adapter"
)

var errNoClient = errors.New("redis/adapter: the builder has no Redis client")

// open connects to the Redis of a client.
func open(client *types.RedisClient, opts redisadapter.Options) (adapter.Factory, func() error, error) {
	if client == nil || client.Client == nil {
		return nil, nil, errNoClient
	}
	var err error
	if opts.Redis, err = options(client.Client); err != nil {
		return nil, nil, err
	}
	opts.KeepRedisLog = true // the program uses the library itself
	opts.Hooks.Failed = func(err error) { client.Emit("error", err) }
	cluster, err := redisadapter.New(opts)
	if err != nil {
		return nil, nil, err
	}
	return cluster.Factory(), cluster.Close, nil
}

// options returns the options of a client. With Sentinel, its dialer finds the master.
func options(client redis.UniversalClient) (*redis.UniversalOptions, error) {
	switch c := client.(type) {
	case *redis.Client:
		o := c.Options()
		return &redis.UniversalOptions{
			Addrs: []string{o.Addr}, DB: o.DB, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig, Dialer: o.Dialer,
			ClientName: o.ClientName, DialTimeout: o.DialTimeout,
		}, nil
	case *redis.ClusterClient:
		o := c.Options()
		return &redis.UniversalOptions{
			Addrs: o.Addrs, IsClusterMode: true, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig, Dialer: o.Dialer,
			ClientName: o.ClientName, DialTimeout: o.DialTimeout,
		}, nil
	}
	return nil, fmt.Errorf("redis/adapter: a %T has no options that can be taken", client)
}
