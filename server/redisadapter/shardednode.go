package redisadapter

import "github.com/puente-io/puente/server/socketio/adapter"

// SocketObserver is implemented by adapters that want to know of the sockets of
// their node: those of the Sharded mode with DynamicPrivate, where the room of
// a socket's own has a channel too. The methods are called in order, and must
// only take note.
type SocketObserver interface {
	SocketAdded(id string)
	SocketRemoved(id string)
}

// shardedNode is a node whose rooms may have channels of their own.
type shardedNode struct {
	*node
	proto *sharded
}

var _ SocketObserver = (*shardedNode)(nil)

func newShardedNode(c *Cluster, local adapter.Local) *shardedNode {
	proto := newSharded(c.opts, local.Name())
	return &shardedNode{newNode(c, local, proto), proto}
}

// RoomCreated notes that the room's channel is wanted. The subscriber makes it
// so; joins do not wait for that.
func (n *shardedNode) RoomCreated(room string) {
	if n.proto.mode != Static {
		n.cluster.sub.add(n.node, target{shardTarget, n.proto.channel(room)})
	}
}

// RoomDeleted notes that the room's channel is no longer wanted.
func (n *shardedNode) RoomDeleted(room string) {
	if n.proto.mode != Static {
		n.cluster.sub.remove(n.node, target{shardTarget, n.proto.channel(room)})
	}
}

// SocketAdded notes that the channel of the socket's own room is wanted.
func (n *shardedNode) SocketAdded(id string) {
	if n.proto.mode == DynamicPrivate {
		n.RoomCreated(id)
	}
}

// SocketRemoved notes that it is no longer wanted.
func (n *shardedNode) SocketRemoved(id string) {
	if n.proto.mode == DynamicPrivate {
		n.RoomDeleted(id)
	}
}

// Close also gives up the channels of the rooms that exist.
func (n *shardedNode) Close() error {
	n.cancel()
	n.cluster.sub.removeAll(n.node)
	return n.node.Close()
}
