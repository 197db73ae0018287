package redisbus

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/health"
)

// Options configures a [Redis] bus. The zero value is a Redis server on this machine.
type Options struct {
	// URL is redis://, rediss:// (TLS) or unix://, with the parameters of go-redis. With
	// further addr parameters it is a Redis Cluster; with a master_name parameter it is
	// Sentinel, and username and password are the master's. TLS trusts the system's
	// authorities, or those in the file that SSL_CERT_FILE names. Default: Options.Redis;
	// if that is nil too, redis://127.0.0.1:6379.
	URL string
	// Redis has what a URL cannot express. It is used if URL is empty. RESP2 is used and
	// commands are never repeated, whatever it says; timeouts default to 1 s.
	Redis *redis.UniversalOptions
	// KeepRedisLog leaves the log of go-redis alone, for a program that has set it with
	// redis.SetLogger. All clients of the process share that log. Default: the first New
	// of the process redirects it from the standard error to slog's default logger, at
	// level Debug; a later SetLogger is respected.
	KeepRedisLog bool
	// Sharded publishes with SPUBLISH: all channels are shard channels.
	Sharded bool

	// PublishWait is how long a publisher waits for room in a full queue before it gets
	// ErrUnavailable. Default: 500 ms.
	PublishWait time.Duration
	// QueueBytes bounds what waits for Redis. Default: 16 MiB.
	QueueBytes int
	// ReceiveBytes bounds, for each connection that receives, what has arrived and waits
	// for receivers. When it is full the node stops reading, and Redis buffers for it
	// until its limit (client-output-buffer-limit). Default: 32 MiB.
	ReceiveBytes int
	// MaxReply bounds a message, or another reply, from Redis, in bytes. A larger one ends
	// the connection, which is a gap. Default: 128 MiB.
	MaxReply int
	// Peers returns how many other nodes the program knows of, for example from presence.
	// If this node saw others at its Redis and then sees none although Peers is positive,
	// health is degraded. Peers is called twice a second, by one goroutine, and must
	// return at once. Default: no such check.
	Peers func() int
	// Hooks observe the bus.
	Hooks Hooks
}

// Hooks are optional callbacks. They are called without locks, on the goroutine of the
// event, and must return soon.
type Hooks struct {
	// Dropped is called when n messages have been dropped, once per batch.
	Dropped func(n int, err error)
	// Gap is called when a subscription has ended before another took its place, so that
	// messages of other nodes may be lost. See Stats.Gaps.
	Gap func(why error)
	// Failed is called when Redis cannot be reached or refuses a command. The error may
	// contain addresses.
	Failed func(err error)
	// Health is called when the health has changed.
	Health func(health.Health)
}

func (o Options) withDefaults() Options {
	if o.PublishWait == 0 {
		o.PublishWait = 500 * time.Millisecond
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = 16 << 20
	}
	if o.ReceiveBytes == 0 {
		o.ReceiveBytes = 32 << 20
	}
	if o.MaxReply == 0 {
		o.MaxReply = 128 << 20
	}
	return o
}

// redisOptions returns the options of go-redis.
func (o Options) redisOptions() (*redis.UniversalOptions, error) {
	u := redis.UniversalOptions{}
	switch {
	case o.URL != "":
		parsed, err := parseURL(o.URL)
		if err != nil {
			return nil, err
		}
		u = *parsed
	case o.Redis != nil:
		u = *o.Redis
	}
	u.Protocol = 2 // releases of go-redis have lost messages with RESP3
	u.MaxRetries = -1
	u.DialerRetries = 1
	u.ContextTimeoutEnabled = true
	u.DisableIdentity = true
	u.PipelinePoolSize = -1
	for _, d := range []*time.Duration{&u.DialTimeout, &u.ReadTimeout, &u.WriteTimeout} {
		if *d == 0 {
			*d = time.Second
		}
	}
	return &u, nil
}

// parseURL returns the options of a URL. Errors do not repeat the URL,
// which may have a password.
func parseURL(text string) (*redis.UniversalOptions, error) {
	bad := func(err error) error {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return fmt.Errorf("redisbus: invalid Redis URL: %w", err)
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, bad(err)
	}
	switch q := u.Query(); {
	case q.Has("master_name"):
		f, err := redis.ParseFailoverURL(text)
		if err != nil {
			return nil, bad(err)
		}
		return &redis.UniversalOptions{
			Addrs: f.SentinelAddrs, MasterName: f.MasterName, DB: f.DB, TLSConfig: f.TLSConfig, ClientName: f.ClientName,
			Username: f.Username, Password: f.Password, SentinelUsername: f.SentinelUsername, SentinelPassword: f.SentinelPassword,
			DialTimeout: f.DialTimeout, ReadTimeout: f.ReadTimeout, WriteTimeout: f.WriteTimeout, PoolSize: f.PoolSize,
		}, nil
	case q.Has("addr"):
		c, err := redis.ParseClusterURL(text)
		if err != nil {
			return nil, bad(err)
		}
		return &redis.UniversalOptions{
			Addrs: c.Addrs, IsClusterMode: true, TLSConfig: c.TLSConfig, ClientName: c.ClientName, Username: c.Username, Password: c.Password,
			DialTimeout: c.DialTimeout, ReadTimeout: c.ReadTimeout, WriteTimeout: c.WriteTimeout, PoolSize: c.PoolSize,
		}, nil
	}
	s, err := redis.ParseURL(text)
	if err != nil {
		return nil, bad(err)
	}
	return &redis.UniversalOptions{
		Addrs: []string{s.Addr}, DB: s.DB, TLSConfig: s.TLSConfig, ClientName: s.ClientName, Username: s.Username, Password: s.Password,
		DialTimeout: s.DialTimeout, ReadTimeout: s.ReadTimeout, WriteTimeout: s.WriteTimeout, PoolSize: s.PoolSize,
	}, nil
}
