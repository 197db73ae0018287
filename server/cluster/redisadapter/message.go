package redisadapter

import (
	"github.com/puente-io/puente/server/cluster/redisbus"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// kind is the purpose of a message, in either protocol.
type kind uint8

const (
	broadcast      kind = iota + 1 // with a requestID it wants acknowledgements
	join                           // with a requestID it wants a receipt (legacy)
	leave                          // as join
	disconnect                     // as join
	fetch                          // wants socketsAnswer
	fetchIDs                       // wants idsAnswer (legacy)
	allRooms                       // wants roomsAnswer
	serverSideEmit                 // with a requestID it wants emitAnswer

	clientCount // how many clients a node has asked for an acknowledgement
	clientAck   // what one of them answered
	socketsAnswer
	idsAnswer
	roomsAnswer
	emitAnswer
	receipt
)

// isAnswer reports whether messages of the kind answer a request.
func (k kind) isAnswer() bool { return k >= clientCount }

// message is a message between nodes. The kind decides which fields count.
type message struct {
	kind      kind
	uid       string // of the sending node; "" from some emitters
	requestID string

	packet    *packet.Packet    // broadcast
	sel       adapter.Selection // broadcast to fetch
	flags     adapter.Flags     // broadcast
	rooms     []string          // join, leave; roomsAnswer; ids of idsAnswer
	closeConn bool              // disconnect
	event     string            // serverSideEmit
	args      adapter.Args      // serverSideEmit; clientAck and emitAnswer: one value or none
	clients   int               // clientCount
	sockets   []adapter.SocketInfo
}

// protocol encodes and decodes messages. Its methods are safe for concurrent use.
type protocol interface {
	// id returns a new id of a node or a request.
	id() string
	// targets returns what a node subscribes to. The last one is the node's own.
	targets(uid string) []redisbus.Target
	// shared returns the one of them that all nodes have, whose subscribers are the nodes.
	shared() redisbus.Target
	// room returns the room whose channel it is, "" if it is no room's.
	room(channel string) string
	// encode returns a message's bytes and channel. to is the uid of the node that an
	// answer is for.
	encode(m *message, to string) (redisbus.Message, error)
	// decode decodes a message. It returns errForeign, as early as possible, for a message
	// that the node has no use for.
	decode(channel string, payload []byte, use use) (*message, error)
}

// use says which messages a node has a use for.
type use struct {
	uid        string                       // of the node, which needs no messages of its own, except answers
	interested func(adapter.Selection) bool // whether a broadcast may be for a socket of the node
	awaits     func(requestID string) bool  // whether the node waits for answers
	maxAnswer  int                          // bytes of an answer, see message.size
}
