// Package redisbus carries messages between the nodes of a cluster over Redis pub/sub:
// bytes on channels. It connects, subscribes and publishes, and checks that it publishes to
// the same server that the other nodes subscribe to. What the messages mean is up to the
// program.
//
//	bus, err := redisbus.New(redisbus.Options{URL: "redis://127.0.0.1:6379"})
//	bus.Subscribe(receiver, redisbus.Target{Kind: redisbus.Channel, Name: "prices"})
//	err = bus.Publish(ctx, redisbus.Message{Channel: "prices", Payload: text}, true)
//
// # Parts
//
//	publisher   a bounded queue, one goroutine, pipelines of PUBLISH and a proof (see
//	            "Which Redis is the master")
//	outcomes    resolves the outcomes of messages, on a goroutine of its own
//	subscriber  the wanted subscriptions, and the connections that have them: each has
//	            a goroutine that reads, one that delivers, and a bounded queue between
//
// # Order and loss
//
// One connection publishes and one receives, so all messages of a node arrive at each
// other node in the order in which they were published. (With Redis Cluster and shard
// channels there is one per shard, and the order holds per channel.) Pub/sub delivers
// at most once: what is published while Redis, or a node's connection to it, is away is
// lost for the nodes concerned. A lost message is never repeated. If Redis did not take
// it, its publisher counts it (Stats.Dropped). If a receiver's connection was away, that
// receiver counts a gap (Stats.Gaps), without knowing how many messages it missed.
//
// If a subscription ends unplanned (the connection breaks, Redis is silent or cuts off
// a subscriber that is too far behind), the node connects again, counts a gap, since
// messages of others may be lost, and says so in its health for 30 s.
//
// With Redis Cluster and shard channels each shard can be away by itself: it has a
// connection, a queue, and a state in health, which names the shard by one of its slots.
// A slot that moves takes its own channels along and no others; a message that is
// published to one of them in this moment may be missed. Other channels are published
// and subscribed at any server of the Redis Cluster, and at another if that is away.
//
// # Which Redis is the master
//
// A message is accepted (its Outcome is resolved with nil) when Redis has published it
// and a proof in the same pipeline says that it was the right Redis: ROLE is master, this
// node's own subscription is there, and the connections have not been cut meanwhile. The
// proof costs two commands per batch, not a round trip per message. Bus.Watch sets the
// channels of the proof.
//
// Publishing and subscribing connections follow the master together. With Sentinel, the
// node queries all Sentinels and subscribes to them, and follows the newest
// configuration. It reads the connection to the former master for 3 s beside the one to
// the new master, because other nodes may learn of the change later. It publishes again
// when as many nodes have subscribed at the new master as at the former one, or after
// 1.5 s. Without Sentinel, the node opens a new connection every second to check that the
// address still leads to the same server. Twice a second each node publishes to its own
// channel and waits for the echo.
//
// A node that is short of CPU reads late, so for a moment it may be wrong about its
// connections. If it suspects that it publishes and subscribes at different servers, or
// misses an echo, it sends a PING on the subscribed connection. It cuts its connections
// only if the fault is still there when the PING is answered: then it is not merely late.
//
// A node cannot detect two masters after a network partition: if the Sentinels on its
// side name no other master, it keeps the one that it has. Without Sentinel, it cannot
// decide which of two masters is right if the address leads some nodes to one and some
// to the other: each master serves its own nodes. But a node's health says so if it no
// longer sees any other node at its Redis although Options.Peers still reports some.
//
// # Without Redis
//
// Only Ready, Subscribers and Close wait for Redis. While it cannot be reached, messages
// are dropped at once with ErrAway; while it is slow and the queue is full, publishers
// wait up to Options.PublishWait.
//
// # Locks
//
// Order: subscriber.mu, connection.mu. The others are leaves, and nothing that can wait
// is called while one is held.
package redisbus
