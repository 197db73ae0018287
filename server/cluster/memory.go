package cluster

import (
	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// Memory connects the servers of one process, for tests and for programs without Redis.
// It is safe for concurrent use.
type Memory struct {
	adapter  *adapter.Memory
	presence *presence.Memory
}

// NewMemory returns a cluster without nodes.
func NewMemory() *Memory { return &Memory{adapter.NewMemory(), presence.NewMemory()} }

// Node adds a node to the cluster. It is ready at once and never degraded.
func (m *Memory) Node() *Cluster {
	c := newCluster(nil)
	c.adapter, c.presence = m.adapter.Factory(), m.presence.Node()
	c.stats = func() redisadapter.Stats { return redisadapter.Stats{} }
	c.ignored = func() uint64 { return 0 }
	c.close = c.presence.Close
	c.setAdapter(Health{})
	c.setPresence(Health{})
	return c
}
