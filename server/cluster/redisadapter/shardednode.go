package redisadapter

import (
	"context"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// shardedNode is a node whose rooms may have channels of their own.
type shardedNode struct {
	*node
	proto *sharded
}

func newShardedNode(c *Cluster, local adapter.Local) *shardedNode {
	proto := newSharded(c.opts, local.Name())
	return &shardedNode{newNode(c, local, proto), proto}
}

// RoomCreated notes that the room's channel is wanted. The subscriber makes it
// so.
func (n *shardedNode) RoomCreated(room string) {
	if n.proto.ownChannel(room) {
		n.cluster.sub.add(n.node, target{shardTarget, n.proto.channel(room)})
	}
}

// RoomDeleted notes that the room's channel is no longer wanted.
func (n *shardedNode) RoomDeleted(room string) {
	if n.proto.ownChannel(room) {
		n.cluster.sub.remove(n.node, target{shardTarget, n.proto.channel(room)})
	}
}

// AwaitRoom waits until Redis has confirmed the subscription to the room's
// channel, for Options.JoinWait.
func (n *shardedNode) AwaitRoom(ctx context.Context, room string) {
	wait := n.cluster.opts.JoinWait
	if wait <= 0 || !n.proto.ownChannel(room) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	n.cluster.sub.ready(ctx, target{shardTarget, n.proto.channel(room)})
}

// Close also gives up the channels of the rooms that exist.
func (n *shardedNode) Close() error {
	n.cancel()
	n.cluster.sub.removeAll(n.node)
	return n.node.Close()
}
