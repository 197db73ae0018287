package redisadapter

import (
	"sync"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// shardNames are the slots by which health names the shards of a Redis Cluster: the
// one that came first, so that a shard keeps its name while it is at the same address.
type shardNames struct {
	mu    sync.Mutex
	slots map[string]int // by address
}

// name returns the error with the shard's name, that of the channel's slot if it has
// none yet. There is no shard without an address, and no name for no error.
func (n *shardNames) name(address, channel string, err error) error {
	if err == nil || address == "" {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	slot, ok := n.slots[address]
	if !ok {
		slot = redislink.Slot(channel)
		if n.slots == nil {
			n.slots = make(map[string]int)
		}
		n.slots[address] = slot
	}
	return &redislink.ShardError{Slot: slot, Err: err}
}
