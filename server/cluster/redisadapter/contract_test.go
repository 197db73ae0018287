package redisadapter_test

import (
	"testing"

	"github.com/puente-io/puente/server/cluster/redisadapter"
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
	t.Cleanup(func() { c.Close() })
	return c
}

func contract(t *testing.T, opts redisadapter.Options) {
	adaptertest.Run(t, func(t *testing.T) func() adapter.Factory {
		return func() adapter.Factory { return start(t, opts).Factory() }
	})
}

func TestContractClassic(t *testing.T) {
	contract(t, redisadapter.Options{URL: redistest.Start(t).URL()})
}

func TestContractClassicSpecificResponses(t *testing.T) {
	contract(t, redisadapter.Options{URL: redistest.Start(t).URL(), SpecificResponses: true})
}

func TestContractSharded(t *testing.T) {
	contract(t, redisadapter.Options{URL: redistest.Start(t).URL(), Mode: redisadapter.Sharded})
}

func TestContractShardedStatic(t *testing.T) {
	contract(t, redisadapter.Options{URL: redistest.Start(t).URL(), Mode: redisadapter.Sharded, Subscriptions: redisadapter.Static})
}

func TestContractShardedDynamicPrivate(t *testing.T) {
	contract(t, redisadapter.Options{URL: redistest.Start(t).URL(), Mode: redisadapter.Sharded, Subscriptions: redisadapter.DynamicPrivate})
}
