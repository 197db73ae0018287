package redispresence

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// bus carries frames between nodes.
type bus interface {
	// publish sends the frames in order. After an error some may have arrived.
	publish(ctx context.Context, frames []frame) error
	// receive subscribes to the channels. It calls up when they are subscribed, then
	// take for each message, until ctx is done, the subscription breaks or no message
	// arrives for the idle time. It returns why it ended.
	receive(ctx context.Context, channels []string, idle time.Duration, up func(), take func(channel, payload string)) error
}

// redisBus implements bus with Redis pub/sub.
type redisBus struct {
	client  redis.UniversalClient
	primary *primary // nil unless client is of a Redis Cluster
}

func newRedisBus(client redis.UniversalClient, channel string, t times) redisBus {
	b := redisBus{client: client}
	if cluster, ok := client.(*redis.ClusterClient); ok {
		b.primary = newPrimary(cluster, channel, t)
	}
	return b
}

// publish waits for the replies of Redis, so that frames of the next call are
// ordered after these.
func (b redisBus) publish(ctx context.Context, frames []frame) error {
	target := b.client
	if b.primary != nil {
		server, err := b.primary.server(ctx)
		if err != nil {
			b.primary.published(ctx, err)
			return err
		}
		target = server
	}
	pipe := target.Pipeline()
	for _, f := range frames {
		pipe.Publish(ctx, f.channel, f.payload)
	}
	cmds, err := pipe.Exec(ctx)
	if b.primary != nil {
		b.primary.published(ctx, err)
	}
	for i, cmd := range cmds {
		if redislink.IsDenied(cmd.Err()) {
			return &redislink.Denied{Command: "PUBLISH", Channel: frames[i].channel, Err: cmd.Err()}
		}
	}
	return err
}

// errIdle ends a subscription on which Redis has reported no error.
const errIdle = redislink.ErrSilent

func (b redisBus) receive(ctx context.Context, names []string, idle time.Duration, up func(), take func(channel, payload string)) error {
	client := b.client
	if b.primary != nil {
		server, err := b.primary.server(ctx)
		if err != nil {
			return err
		}
		client = server
	}
	ctx = redislink.Once(ctx) // go-redis must not connect again by itself
	sub := client.Subscribe(ctx)
	defer sub.Close()
	if err := sub.Subscribe(ctx, names...); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { sub.Close() })
	defer stop()
	confirmed := 0
	for {
		// A timeout may interrupt a message halfway, so the connection is not used
		// after one.
		m, err := redislink.Receive(ctx, sub, idle)
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
			if confirmed > len(names) { // go-redis has reconnected, so messages may be lost
				return errIdle
			}
		case *redis.Message:
			take(m.Channel, m.Payload)
		}
	}
}
