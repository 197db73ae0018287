// Package redisadapter connects the nodes of a cluster through Redis, in the bytes of
// Node's adapters, so that Node servers with @socket.io/redis-adapter 8.3 and backends
// with @socket.io/redis-emitter 5.1 are part of the cluster.
//
//	cluster, err := redisadapter.New(redisadapter.Options{URL: "redis://127.0.0.1:6379"})
//	io := socketio.New(socketio.Options{Adapter: cluster.Factory()})
//
// Package cluster opens it together with the presence of users.
//
// # Parts
//
//	node      implements adapter.Adapter: what messages mean; one per namespace
//	requests  the requests that wait for answers
//	protocol  classic and sharded: encode and decode messages
//	bus       carries them, see package redisbus: order, loss, health, failover
//
// # Without Redis
//
// Only requests wait for Redis, each up to its deadline, and joins, up to
// Options.JoinWait. While Redis cannot be reached, messages are dropped at once with
// adapter.ErrAway; while it is slow and the queue is full, publishers wait up to
// Options.PublishWait.
//
// # Locks
//
// The room table's lock of package socketio may be held during RoomCreated and
// RoomDeleted, which take those of the bus. The locks of this package are leaves.
package redisadapter
