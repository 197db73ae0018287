package redisadapter

import (
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// kind is what a message is for, in either protocol.
type kind uint8

const (
	broadcast      kind = iota + 1 // wants acknowledgements where it has a requestID
	join                           // wants a receipt where it has a requestID (legacy)
	leave                          // as join
	disconnect                     // as join
	fetch                          // wants socketsAnswer
	fetchIDs                       // wants idsAnswer (legacy)
	allRooms                       // wants roomsAnswer
	serverSideEmit                 // wants emitAnswer where it has a requestID

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

// message is what one node tells others. Which fields count depends on kind.
type message struct {
	kind      kind
	uid       string // of the node that sends it; "" from some emitters
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

// protocol is how messages look. Its methods are safe for concurrent use.
type protocol interface {
	// id returns a new id of a node or a request.
	id() string
	// targets are what a node subscribes to.
	targets(uid string) []target
	// counted is the channel whose subscribers are the nodes.
	counted() (channel string, sharded bool)
	// room is the room whose channel it is, "" where it is not a room's.
	room(channel string) string
	// encode returns a message's bytes and channel. to is the uid of the node
	// that an answer is for.
	encode(m *message, to string) (outgoing, error)
	// decode reads a message. interested says whether this node wants a
	// broadcast to a selection; what it does not want, errForeign, need not be
	// looked at further. So are messages of uid, unless they are answers.
	decode(channel string, payload []byte, uid string, interested func(adapter.Selection) bool) (*message, error)
}
