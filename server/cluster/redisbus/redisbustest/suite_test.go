package redisbustest_test

import (
	"testing"

	"github.com/puente-io/puente/server/cluster/redisbus"
	"github.com/puente-io/puente/server/cluster/redisbus/redisbustest"
	"github.com/puente-io/puente/server/cluster/redistest"
)

var kinds = map[string]redisbus.Kind{"Channels": redisbus.Channel, "Shards": redisbus.Shard}

func TestMemory(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			redisbustest.Run(t, kind, func(t *testing.T) func() redisbus.Bus {
				memory := redisbustest.New()
				return func() redisbus.Bus {
					n := memory.Node()
					t.Cleanup(func() { n.Close() })
					return n
				}
			})
		})
	}
}

func TestRedis(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			redisbustest.Run(t, kind, func(t *testing.T) func() redisbus.Bus {
				server := redistest.Start(t)
				return func() redisbus.Bus {
					b, err := redisbus.New(redisbus.Options{URL: server.URL(), Sharded: kind == redisbus.Shard})
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { b.Close() })
					return b
				}
			})
		})
	}
}
