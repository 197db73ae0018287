package redisadapter

import (
	"context"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// shardedNode is a node whose rooms may have channels.
type shardedNode struct {
	*node
	proto *sharded
}

func newShardedNode(c *Cluster, local adapter.Local) *shardedNode {
	proto := newSharded(c.opts, local.Name())
	return &shardedNode{newNode(c, local, proto), proto}
}

// RoomCreated subscribes to the room's channel.
func (n *shardedNode) RoomCreated(room string) {
	if n.proto.hasChannel(room) {
		n.cluster.bus.Subscribe(n.node, n.proto.target(room))
	}
}

// RoomDeleted unsubscribes from the room's channel.
func (n *shardedNode) RoomDeleted(room string) {
	if n.proto.hasChannel(room) {
		n.cluster.bus.Unsubscribe(n.node, n.proto.target(room))
	}
}

// AwaitRoom waits until Redis has confirmed the subscription to the room's channel, for
// at most Options.JoinWait.
func (n *shardedNode) AwaitRoom(ctx context.Context, room string) {
	wait := n.cluster.opts.JoinWait
	if wait <= 0 || !n.proto.hasChannel(room) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	n.cluster.bus.Ready(ctx, n.proto.target(room))
}

// Close also unsubscribes from the channels of the rooms that exist.
func (n *shardedNode) Close() error {
	n.cancel()
	n.cluster.bus.UnsubscribeAll(n.node)
	return n.node.Close()
}
