package redisbus

import (
	"sync"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// shardNames are the slots by which health names the shards of a Redis Cluster: for
// each address the first slot that failed there, so that a shard keeps its name.
type shardNames struct {
	mu    sync.Mutex
	slots map[string]int // by address
}

// name adds the shard's name to an error: the slot of the channel, if the shard has no
// name yet. It returns err unchanged if err is nil or there is no address.
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
