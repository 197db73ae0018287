package redisadapter

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/redis/go-redis/v9"
)

// Mode is a protocol between nodes. All nodes of a cluster use the same.
type Mode uint8

const (
	// Classic is the protocol of createAdapter: PUBLISH, patterns.
	Classic Mode = iota
	// Sharded is the protocol of createShardedAdapter: SPUBLISH, SSUBSCRIBE. It
	// needs Redis 7.
	Sharded
)

// Subscriptions says which channels the Sharded protocol uses. All nodes of a
// cluster use the same.
type Subscriptions uint8

const (
	// Dynamic gives each room a channel, but not the sockets' own rooms (nor
	// those whose names have 20 characters, which Node takes for such).
	Dynamic Subscriptions = iota
	// Static has one channel for the namespace and one for the node.
	Static
	// DynamicPrivate gives these channels too, which costs a subscription for
	// each socket and saves the other nodes what is for one socket alone.
	DynamicPrivate
)

// Options configures a [Cluster]. The zero value is a Redis on this machine and
// Node's defaults.
type Options struct {
	// URL is redis://, rediss:// (TLS) or unix://, with the parameters of
	// go-redis: further addr parameters make it a Redis Cluster, a master_name
	// parameter makes it Sentinel, where username and password are the master's.
	// For TLS the system's authorities are believed, or those in the file that
	// SSL_CERT_FILE names. Default: Redis, or redis://127.0.0.1:6379.
	URL string
	// Redis is what a URL cannot say. It is used where URL is empty. RESP2 is
	// used and commands are never repeated, whatever it says; timeouts are 1 s
	// where it has none.
	Redis *redis.UniversalOptions
	// KeepRedisLog leaves the log of go-redis as it is, for a program that has set
	// it with redis.SetLogger. It is one for all clients of the process. Default:
	// the first New of the process lets it write to slog's default logger, at level
	// Debug, instead of the standard error; SetLogger afterwards is respected.
	KeepRedisLog bool
	// Prefix is the first part of all channels, "key" or "channelPrefix" on
	// Node. Default: "socket.io".
	Prefix string
	// Mode is the protocol. Default: Classic.
	Mode Mode
	// Subscriptions are for the Sharded mode. Default: Dynamic.
	Subscriptions Subscriptions
	// SpecificResponses answers requests on the channel of the node that asks,
	// publishOnSpecificResponseChannel on Node. It is for the Classic mode; the
	// Sharded one always does. Default: on the channel of all.
	SpecificResponses bool

	// RequestTimeout bounds requests whose context has no deadline, and how
	// long clients may take for an acknowledgement where the node that asks
	// does not say. Default: 5 s.
	RequestTimeout time.Duration
	// PublishWait is how long a publisher waits for room in a full queue before
	// it gets ErrUnavailable. Default: 500 ms.
	PublishWait time.Duration
	// JoinWait is how long a join waits, in the Sharded mode, until Redis has
	// confirmed that the node gets what is published to the room: one round trip,
	// for the first member on the node. What is published after such a join is
	// not missed; while Redis is known to be away there is no wait. Default: a
	// join does not wait, as on Node.
	JoinWait time.Duration
	// QueueBytes bounds what waits for Redis. Default: 16 MiB.
	QueueBytes int
	// ReceiveBytes bounds, for each connection that receives, what has come and
	// waits for slow members of this node. When it is full the node stops
	// reading, and Redis buffers for it until it loses its patience
	// (client-output-buffer-limit). Default: 32 MiB.
	ReceiveBytes int
	// MaxMessage bounds the messages that are read, and the answers to one
	// request together. Default: 64 MiB.
	MaxMessage int
	// Peers returns how many other nodes are known by other means than this package,
	// presence for example. If none of them is where this node publishes and
	// subscribes, though they were, health is degraded until they are or nobody knows
	// of them any more. It is called twice a second, by one goroutine, and must
	// return at once. Default: nobody knows.
	Peers func() int
	// Hooks observe the cluster.
	Hooks Hooks
}

// Hooks are functions that are told what happens; those that are nil are not.
// They are called by the goroutine that it happens to, without locks, and must
// return soon.
type Hooks struct {
	// Dropped: n messages have been given up. A drop is told of once per batch.
	Dropped func(n int, err error)
	// Gap: a subscription has ended before another took its place, and messages of
	// other nodes may be lost; the error says why it has ended, see Stats.Gaps.
	Gap func(err error)
	// Malformed: what came on a channel is not a message, and is ignored.
	Malformed func(channel string, err error)
	// Failed: Redis could not be reached, or refused something; the error has all
	// that is known, addresses too.
	Failed func(err error)
	// Health: the health has changed.
	Health func(Health)
}

var errMode = errors.New("redisadapter: unknown mode or subscriptions")

func (o Options) withDefaults() (Options, error) {
	if o.Mode > Sharded || o.Subscriptions > DynamicPrivate {
		return o, errMode
	}
	if o.Prefix == "" {
		o.Prefix = "socket.io"
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = 5 * time.Second
	}
	if o.PublishWait == 0 {
		o.PublishWait = 500 * time.Millisecond
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = 16 << 20
	}
	if o.ReceiveBytes == 0 {
		o.ReceiveBytes = 32 << 20
	}
	if o.MaxMessage == 0 {
		o.MaxMessage = 64 << 20
	}
	return o, nil
}

// redisOptions are the library's options for o.
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
	u.Protocol = 2 // releases of the library have lost messages with RESP3
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

// parseURL returns the options that a URL stands for. Errors do not repeat it,
// since it may have a password.
func parseURL(text string) (*redis.UniversalOptions, error) {
	bad := func(err error) error {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return fmt.Errorf("redisadapter: invalid Redis URL: %w", err)
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
