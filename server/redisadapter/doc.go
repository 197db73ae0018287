// Package redisadapter connects the nodes of a cluster through Redis, in the
// bytes of Node's adapters, so that Node servers with @socket.io/redis-adapter
// 8.3 and backends with @socket.io/redis-emitter 5.1 are part of the cluster.
//
//	cluster, err := redisadapter.New(redisadapter.Options{URL: "redis://127.0.0.1:6379"})
//	io := socketio.New(socketio.Options{Adapter: cluster.Factory()})
//
// # Parts
//
//	node        an adapter.Adapter: what messages mean; one per namespace
//	protocol    how they look: classic, sharded; JSON and MessagePack
//	publisher   one bounded queue, one goroutine, pipelined PUBLISH and proofs
//	results     reports to those that wait what became of their messages
//	subscriber  the wanted subscriptions, and the connections that have them:
//	            each has a goroutine that reads, one that delivers, and a bounded
//	            queue between them
//
// # Order and loss
//
// One connection publishes and one receives, so all messages of a node arrive
// at each other in the order in which they were given. (With Redis Cluster and
// the sharded protocol there is one per shard; the order holds per channel.)
// Pub/sub delivers at most once: what is published while Redis or a node's
// connection to it is away is lost for the nodes concerned, never repeated, and
// counted where it was published.
//
// A node whose subscription ends in any other way than by its own plan (the
// connection breaks, Redis is silent or cuts off a subscriber that is too far behind)
// connects again, counts a gap, since messages of others may be lost, and says so in
// its health for 30 s.
//
// With Redis Cluster and the sharded protocol each shard is away by itself: it has a
// connection, a queue, and a state in health, which names it by one of its slots. A
// slot that moves takes its own channels along and no others; a message that is
// published to a channel in this moment may be missed. The classic protocol publishes
// and subscribes by any server of the Redis Cluster, and by another if that is away.
//
// # Who is the master
//
// A message is accepted (adapter.Flags.Accepted) when Redis has published it and a
// proof in the same pipeline says that it was the right Redis: ROLE is master,
// this node's own subscription is there, the connections have not been cut
// meanwhile. The proof costs two commands a batch, not a round trip a message.
//
// Publishing and subscribing connections follow the master together. With
// Sentinels all of them are asked and listened to; the newest configuration is
// right. The connection to the former master is read for 3 s beside that to the
// new, since other nodes may hear later of the change, and publishing goes on when
// as many nodes have subscribed at the new one, 1.5 s later at the latest. Without
// Sentinels a connection is made every second to see where the address leads by
// now. Twice a second each node publishes to its own channel and waits for the
// echo.
//
// What Redis says and what this node believes may differ for a moment, since a node
// that is short of CPU reads late. That publishing and subscribing connections lead to
// different servers, or that an echo does not come back, is certain only when the
// subscribed connection has answered a PING that was sent after (doubt); nothing is
// cut before.
//
// What cannot be found out: two masters that are both where they should be, because
// the network has fallen apart. A node that the Sentinels of its side tell of no
// other master goes on with the one that it has. Nor, without Sentinels, which of two
// masters is right if the address leads some nodes to the one and some to the other:
// each serves its own. A node that sees none of the others where it is, though it did
// and Options.Peers still knows of them, says so in its health.
//
// # Without Redis
//
// Nothing waits for Redis but requests, each up to its deadline, and joins, where
// Options.JoinWait has them do so. While it is away messages are dropped at once
// with adapter.ErrAway; while it is slow, publishers wait up to
// Options.PublishWait when the queue is full.
//
// # Locks
//
// Order: the room table's lock of package socketio (RoomCreated, RoomDeleted),
// subscriber.mu, connection.mu. The others are leaves, and nothing that can wait
// is called while one is held.
package redisadapter
