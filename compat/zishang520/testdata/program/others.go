package main

import (
	"context"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"

	"github.com/zishang520/socket.io-go-redis/adapter"
	redistypes "github.com/zishang520/socket.io-go-redis/types"
	"github.com/zishang520/socket.io/v2/socket"
)

// connectCluster connects the server to others if REDIS_URL is set.
func connectCluster(options *socket.ServerOptions) {
	url := os.Getenv("REDIS_URL")
	if url == "" {
		return
	}
	to, err := redis.ParseURL(url)
	if err != nil {
		panic(err)
	}
	client := redistypes.NewRedisClient(context.TODO(), redis.NewClient(to))
	client.On("error", func(errs ...any) { fmt.Fprintln(os.Stderr, errs...) })
	if os.Getenv("SHARDED") != "" {
		options.SetAdapter(&adapter.ShardedRedisAdapterBuilder{Redis: client, Opts: adapter.DefaultShardedRedisAdapterOptions()})
		return
	}
	options.SetAdapter(&adapter.RedisAdapterBuilder{Redis: client, Opts: &adapter.RedisAdapterOptions{}})
}

// serveOthers serves what reaches the other servers of the cluster.
func serveOthers(io *socket.Server, client *socket.Socket) {
	client.On("server-side", func(args ...any) { io.ServerSideEmit("hello", args...) })
	client.On("server-side-ack", func(args ...any) {
		values, ack := acked(args)
		io.ServerSideEmit("who", values[0], func(answers []any, err error) { ack(answers, err == nil) })
	})
}

func serveServerSide(io *socket.Server) {
	io.On("hello", func(args ...any) { io.Local().Emit("hello-from-other", args...) })
	io.On("who", func(args ...any) {
		values, ack := acked(args)
		ack(fmt.Sprintf("%v of %d", values[0], len(values)))
	})
}
