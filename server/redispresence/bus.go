package redispresence

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/redislink"
)

// bus carries frames between nodes.
type bus interface {
	// publish sends the frames, in order. After an error some may have arrived.
	publish(ctx context.Context, frames []frame) error
	// receive subscribes to the channels, calls up when it has, and take for
	// each message, until ctx ends, the subscription breaks, or nothing comes
	// for the time idle. It returns why it ended.
	receive(ctx context.Context, channels []string, idle time.Duration, up func(), take func(channel, payload string)) error
}

// redisBus is pub/sub of Redis.
type redisBus struct {
	client redis.UniversalClient
	home   *home // of a Redis Cluster, else nil
}

func newRedisBus(client redis.UniversalClient, channel string, t times) redisBus {
	b := redisBus{client: client}
	if cluster, ok := client.(*redis.ClusterClient); ok {
		b.home = newHome(cluster, channel, t)
	}
	return b
}

// publish waits for Redis' answers: what is published next comes after.
func (b redisBus) publish(ctx context.Context, frames []frame) error {
	target := b.client
	if b.home != nil {
		server, err := b.home.server(ctx)
		if err != nil {
			b.home.published(ctx, err)
			return err
		}
		target = server
	}
	pipe := target.Pipeline()
	for _, f := range frames {
		pipe.Publish(ctx, f.channel, f.payload)
	}
	cmds, err := pipe.Exec(ctx)
	if b.home != nil {
		b.home.published(ctx, err)
	}
	for i, cmd := range cmds {
		if redislink.IsDenied(cmd.Err()) {
			return &redislink.Denied{Command: "PUBLISH", Channel: frames[i].channel, Err: cmd.Err()}
		}
	}
	return err
}

const errIdle = redislink.ErrSilent

func (b redisBus) receive(ctx context.Context, names []string, idle time.Duration, up func(), take func(channel, payload string)) error {
	client := b.client
	if b.home != nil {
		server, err := b.home.server(ctx)
		if err != nil {
			return err
		}
		client = server
	}
	sub := client.Subscribe(ctx, names...)
	defer sub.Close()
	stop := context.AfterFunc(ctx, func() { sub.Close() })
	defer stop()
	confirmed := 0
	for {
		// A timeout may have cut a message in two: the connection is given up.
		m, err := sub.ReceiveTimeout(ctx, idle)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if redislink.IsDenied(err) {
			return &redislink.Denied{Command: "SUBSCRIBE", Channel: names[0], Err: err}
		}
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *redis.Subscription:
			if confirmed++; confirmed == len(names) {
				up()
			}
			if confirmed > len(names) { // the library has reconnected by itself
				return errIdle
			}
		case *redis.Message:
			take(m.Channel, m.Payload)
		}
	}
}
