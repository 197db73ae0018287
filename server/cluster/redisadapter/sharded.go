package redisadapter

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"unicode/utf16"

	"github.com/puente-io/puente/server/cluster/redisadapter/internal/notepack"
)

// sharded is the protocol of createShardedAdapter in @socket.io/redis-adapter
// 8.3, over the ClusterAdapter of socket.io-adapter 2.5.
//
//	PREFIX#NSP#        all nodes
//	PREFIX#NSP#ROOM#   broadcasts to one room, where rooms have channels
//	PREFIX#NSP#UID#    answers to a node
//
// A message is {type, data, uid, nsp}, in JSON, or in MessagePack where it has
// binary values.
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

func (s *sharded) targets(uid string) []target {
	return []target{{shardTarget, s.prefix}, {shardTarget, s.channel(uid)}}
}

func (s *sharded) channel(name string) string { return s.prefix + name + "#" }

func (s *sharded) counted() (string, bool) { return s.prefix, true }

// room is always "": a room's channel is only subscribed to while it is wanted.
func (s *sharded) room(string) string { return "" }

// ownChannel reports whether broadcasts to one room have a channel.
func (s *sharded) ownChannel(room string) bool {
	return s.mode == DynamicPrivate || s.mode == Dynamic && !passesForID(room)
}

// passesForID reports whether Node takes the room for a socket's own: where its
// name has 20 UTF-16 units.
func passesForID(room string) bool {
	units := 0
	for _, r := range room {
		units += max(utf16.RuneLen(r), 1) // what is no rune becomes U+FFFD
	}
	return units == 20
}

func (s *sharded) encode(m *message, to string) (outgoing, error) {
	channel := s.prefix
	attachments := m.args.Attachments
	text := []byte(`{"type":`)
	typ := func(n int64) { text = append(strconv.AppendInt(text, n, 10), `,"data":{`...) }
	field := func(key string) {
		if text[len(text)-1] != '{' {
			text = append(text, ',')
		}
		text = append(append(append(text, '"'), key...), `":`...)
	}
	opts := func() { field("opts"); text = append(appendSelection(text, m.sel), `,"flags":{}}`...) }
	value := func() {
		if v := firstArg(m.args); v != nil {
			field("packet")
			text = append(text, v...)
		}
	}
	switch m.kind {
	case broadcast:
		typ(shardedBroadcast)
		field("packet")
		text = appendPacket(text, m.packet, s.nsp)
		field("opts")
		text = appendOptions(text, m.sel, m.flags)
		attachments = m.packet.Attachments
		if m.requestID == "" && len(m.sel.Rooms) == 1 && s.ownChannel(m.sel.Rooms[0]) {
			channel = s.channel(m.sel.Rooms[0])
		}
	case join, leave:
		typ(map[kind]int64{join: shardedJoin, leave: shardedLeave}[m.kind])
		opts()
		field("rooms")
		text = appendStrings(text, m.rooms)
	case disconnect:
		typ(shardedDisconnect)
		opts()
		field("close")
		text = strconv.AppendBool(text, m.closeConn)
	case fetch, allRooms: // there is no request for rooms
		typ(shardedFetch)
		opts()
	case serverSideEmit:
		typ(shardedServerSide)
		field("packet")
		text = appendEvent(text, m.event, m.args)
	case clientCount:
		typ(shardedClientCount)
		field("clientCount")
		text = strconv.AppendInt(text, int64(m.clients), 10)
	case clientAck:
		typ(shardedAck)
		value()
	case socketsAnswer:
		typ(shardedSockets)
		field("sockets")
		text = appendSockets(text, m.sockets)
	case emitAnswer:
		typ(shardedServerSideReply)
		value()
	default:
		return outgoing{}, errType
	}
	if m.kind.isAnswer() {
		channel = s.channel(to)
	}
	if m.requestID != "" {
		field("requestId")
		text = appendString(text, m.requestID)
	}
	text = appendString(append(text, `},"uid":`...), m.uid)
	text = append(appendString(append(text, `,"nsp":`...), s.nsp), '}')
	if len(attachments) == 0 {
		return outgoing{channel: channel, payload: text}, nil
	}
	msg, err := notepack.AppendJSON(make([]byte, 0, len(text)), text, attachments)
	return outgoing{channel: channel, payload: msg}, err
}
