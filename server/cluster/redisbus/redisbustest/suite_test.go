package redisbustest_test

import (
	"os"
	"testing"

	"github.com/puente-io/puente/server/cluster/redisbus"
	"github.com/puente-io/puente/server/cluster/redisbus/redisbustest"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/waittest"
)

func TestMain(m *testing.M) { os.Exit(waittest.Run(m)) }

var kinds = map[string]redisbus.Kind{"Channels": redisbus.Channel, "Shards": redisbus.Shard}

// memoryCluster is a cluster over the twin.
type memoryCluster struct {
	*redisbustest.Memory
	t *testing.T
}

func (c memoryCluster) Bus() redisbus.Bus {
	n := c.Node()
	c.t.Cleanup(func() { n.Close() })
	return n
}

func TestMemory(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			redisbustest.Run(t, kind, func(t *testing.T) redisbustest.Cluster { return memoryCluster{redisbustest.New(), t} })
		})
	}
}

// redisCluster is a cluster over a Redis server.
type redisCluster struct {
	*redistest.Server
	t    *testing.T
	kind redisbus.Kind
}

// patient makes nodes wait for a Redis that is short of CPU. One that has been killed refuses
// connections at once.
const patient = "?dial_timeout=30s&read_timeout=30s&write_timeout=30s"

func (c redisCluster) Bus() redisbus.Bus {
	b, err := redisbus.New(redisbus.Options{URL: c.URL() + patient, Sharded: c.kind == redisbus.Shard})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { b.Close() })
	return b
}

func (c redisCluster) Away(away bool) {
	if away {
		c.Kill()
	} else {
		c.Up()
	}
}

func TestRedis(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			redisbustest.Run(t, kind, func(t *testing.T) redisbustest.Cluster { return redisCluster{redistest.Start(t), t, kind} })
		})
	}
}
