package redisadapter

import (
	"crypto/rand"
	"encoding/hex"
	"unicode/utf16"

	"github.com/puente-io/puente/server/cluster/redisbus"
)

// sharded is the protocol of createShardedAdapter in @socket.io/redis-adapter 8.3, over
// the ClusterAdapter of socket.io-adapter 2.5.
//
//	PREFIX#NSP#        all nodes
//	PREFIX#NSP#ROOM#   broadcasts to one room, if rooms have channels
//	PREFIX#NSP#UID#    answers to a node
//
// A message is {type, data, uid, nsp}, in JSON, or in MessagePack if it has binary
// values.
type sharded struct {
	nsp    string
	prefix string
	mode   Subscriptions
}

// Types of messages. 1, 2 and 13 are of adapters with heartbeats.
const (
	shardedBroadcast       = 3
	shardedJoin            = 4
	shardedLeave           = 5
	shardedDisconnect      = 6
	shardedFetch           = 7
	shardedSockets         = 8
	shardedServerSide      = 9
	shardedServerSideReply = 10
	shardedClientCount     = 11
	shardedAck             = 12
)

func newSharded(o Options, nsp string) *sharded {
	return &sharded{nsp: nsp, prefix: o.Prefix + "#" + nsp + "#", mode: o.Subscriptions}
}

func (s *sharded) id() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func (s *sharded) targets(uid string) []redisbus.Target {
	return []redisbus.Target{s.shared(), s.target(uid)}
}

func (s *sharded) shared() redisbus.Target {
	return redisbus.Target{Kind: redisbus.Shard, Name: s.prefix}
}

// target returns the target of a room or a node.
func (s *sharded) target(name string) redisbus.Target {
	return redisbus.Target{Kind: redisbus.Shard, Name: s.channel(name)}
}

func (s *sharded) channel(name string) string { return s.prefix + name + "#" }

// room returns "": a node is subscribed to the channels of its own rooms only.
func (s *sharded) room(string) string { return "" }

// hasChannel reports whether broadcasts to the room have a channel.
func (s *sharded) hasChannel(room string) bool {
	return s.mode == DynamicPrivate || s.mode == Dynamic && !passesForID(room)
}

// passesForID reports whether Node mistakes the room for a socket's own: its name has 20
// UTF-16 units.
func passesForID(room string) bool {
	units := 0
	for _, r := range room {
		units += max(utf16.RuneLen(r), 1) // what is no rune becomes U+FFFD
	}
	return units == 20
}
