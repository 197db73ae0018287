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
// Publishing and subscribing connections follow the master together. With Sentinel,
// the node queries all Sentinels and subscribes to them, and follows the newest
// configuration. It reads the connection to the former master for 3 s beside the one to
// the new master, because other nodes may learn of the change later. It publishes again
// when as many nodes have subscribed at the new master, or after 1.5 s. Without
// Sentinel, the node makes a new connection every second, and compares the server that
// it leads to. Twice a second each node publishes to its own channel and waits for the
// echo.
//
// A node that is short of CPU reads late, so for a moment it may be wrong about its
// connections. It cuts them only after a doubt is justified: it suspects that it
// publishes and subscribes at different servers, or that an echo is missing, and the
// subscribed connection has answered a PING that was sent after the suspicion.
//
// A node cannot detect two masters after a network partition: if the Sentinels on its
// side name no other master, it keeps the one that it has. Without Sentinel, it cannot
// decide which of two masters is right if the address leads some nodes to one and some
// to the other: each master serves its own nodes. But a node's health says so if it no
// longer sees any other node at its Redis although Options.Peers still reports some.
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
