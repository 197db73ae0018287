package redisadapter_test

import (
	"testing"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redisbus/redisbustest"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
)

// start returns a node's connection, which ends with the test.
func start(t testing.TB, opts redisadapter.Options) *redisadapter.Cluster {
	t.Helper()
	if opts.Prefix == "" {
		opts.Prefix = "prefix*" + t.Name()
	}
	if opts.Hooks.Malformed == nil {
		opts.Hooks.Malformed = func(channel string, err error) { t.Errorf("malformed message on %s: %v", channel, err) }
	}
	c, err := redisadapter.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		if opts.Bus != nil {
			opts.Bus.Close()
		}
	})
	return c
}

// contract runs the suite over Redis.
func contract(t *testing.T, opts redisadapter.Options) {
	adaptertest.Run(t, func(t *testing.T) func() adapter.Factory {
		return func() adapter.Factory { return start(t, opts).Factory() }
	})
}

// contractInMemory runs the suite over the twin of Redis. Package redisbustest compares
// the twin with Redis; TestContractRedis and TestContractRedisCluster run the suite over
// Redis.
func contractInMemory(t *testing.T, opts redisadapter.Options) {
	adaptertest.Run(t, func(t *testing.T) func() adapter.Factory {
		memory := redisbustest.New()
		return func() adapter.Factory {
			opts := opts
			opts.Bus = memory.Node()
			return start(t, opts).Factory()
		}
	})
}

// patient, after a URL, makes nodes wait for a Redis that is short of CPU, for tests in
// which it is always there.
const patient = "?dial_timeout=30s&read_timeout=30s&write_timeout=30s"

func TestContractRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for name, opts := range modes {
		t.Run(name, func(t *testing.T) {
			opts.URL = server.URL() + patient
			contract(t, opts)
		})
	}
}

func TestContractClassic(t *testing.T) {
	t.Parallel()
	contractInMemory(t, redisadapter.Options{})
}

func TestContractClassicSpecificResponses(t *testing.T) {
	t.Parallel()
	contractInMemory(t, redisadapter.Options{SpecificResponses: true})
}

func TestContractSharded(t *testing.T) {
	t.Parallel()
	contractInMemory(t, redisadapter.Options{Mode: redisadapter.Sharded})
}

func TestContractShardedStatic(t *testing.T) {
	t.Parallel()
	contractInMemory(t, redisadapter.Options{Mode: redisadapter.Sharded, Subscriptions: redisadapter.Static})
}

func TestContractShardedDynamicPrivate(t *testing.T) {
	t.Parallel()
	contractInMemory(t, redisadapter.Options{Mode: redisadapter.Sharded, Subscriptions: redisadapter.DynamicPrivate})
}
