// Package adapter says how one namespace of one node works together with the
// same namespace on the other nodes of a cluster.
//
//	socketio.Namespace ── implements Local ──► asked by adapters
//	        │
//	        └── calls ──► Adapter: Memory (one process), Redis, …
//
// What crosses this boundary are packets and selections of sockets, never wire
// bytes: how a cluster message looks is the adapter's own affair. A namespace
// serves its own sockets by itself, first, and asks its adapter for the others;
// so the node goes on serving them whatever happens to the cluster.
//
// The package also has the room table with which a namespace finds its own
// sockets, and [Memory], the twin of the Redis adapters that connects the
// nodes of one process. All adapters pass the suite in package adaptertest.
package adapter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/puente-io/puente/server/socketio/packet"
)

// Errors that adapters return.
var (
	// ErrUnavailable: the cluster could not be reached, or did not take the
	// message within the time that it had. Some nodes may have.
	ErrUnavailable = errors.New("adapter: cluster unavailable")
	// ErrAway: the cluster is known to be away, and the message was dropped
	// without waiting for it. It is an ErrUnavailable.
	ErrAway = fmt.Errorf("%w: away", ErrUnavailable)
	// ErrTimeout: not all nodes or clients answered in time. What did answer
	// is returned beside it.
	ErrTimeout = errors.New("adapter: not all answers came in time")
	// ErrClosed: the adapter is closed.
	ErrClosed = errors.New("adapter: closed")
)

// Selection selects sockets of a namespace: those that are in at least one of
// Rooms, or all where Rooms is empty, but for those that are in one of Except.
// Each socket is in the room of its own id.
type Selection struct {
	Rooms, Except []string
}

// Haste says how little the delivery of a packet may wait for clients that are
// behind.
type Haste uint8

const (
	// Patient waits as for a packet of this node's own.
	Patient Haste = iota
	// Hurried waits only for clients that take what they are sent and would have to
	// be disconnected otherwise.
	Hurried
	// Pressed waits for no client.
	Pressed
)

// Flags say how a packet is delivered.
type Flags struct {
	// Volatile lets the packet be dropped where a client cannot take it now.
	Volatile bool
	// Uncompressed asks for no compression on the way to the clients.
	Uncompressed bool
	// Haste is for packets behind which others wait.
	Haste Haste
	// Foreign leaves out the sockets of servers of this package: only servers of
	// another kind that are in the cluster, such as Node's, deliver the packet. It
	// is for Broadcast alone.
	Foreign bool
	// Timeout is how long clients have to acknowledge, on a broadcast with
	// acknowledgements.
	Timeout time.Duration
	// Accepted, if not nil, learns what became of a broadcast that Broadcast
	// returned nil for: nil once the cluster has accepted it, ErrUnavailable where
	// that is not known in time. Other nodes do not see it.
	Accepted *Acceptance
}

// Acceptance is a function that learns, once, what became of a broadcast.
type Acceptance struct{ call func(error) }

// OnAcceptance makes an [Acceptance] of a function. The function may be called
// before Broadcast has returned, it is called by a goroutine of the adapter, in
// the order of the broadcasts, and must not wait.
func OnAcceptance(call func(error)) *Acceptance { return &Acceptance{call} }

// Resolve calls the function. Adapters call it once; a may be nil.
func (a *Acceptance) Resolve(err error) {
	if a != nil {
		a.call(err)
	}
}

// Args are the values of a list of arguments, with the attachments that their
// placeholders name. List is JSON, "1,\"a\"" for two arguments, "" for none.
type Args struct {
	List        []byte
	Attachments [][]byte
}

// SocketInfo is what a node tells of one of its sockets.
type SocketInfo struct {
	ID    string
	Rooms []string // the socket's own room included
	// Handshake and Data are JSON objects in the form of Node's servers.
	Handshake, Data []byte
}

// Adapter connects a namespace of this node with its namesakes on the others.
//
// Its methods are safe for concurrent use. None of them affects or asks this
// node's own sockets. Packets must not be changed by anyone once they have been
// given away.
//
// Order: what one goroutine broadcasts to a room arrives at each other node in
// the order of the calls. Calls with a context that may wait end at the latest
// with it.
type Adapter interface {
	// Broadcast delivers an event to the selected sockets of the other nodes.
	// It waits, within bounds, where the cluster takes messages more slowly
	// than they are sent, and returns nil once the packet is on its way,
	// ErrUnavailable where the cluster did not take it in time, and ErrAway, at
	// once, where it is known to be away. Whether it has arrived in the cluster
	// is for Flags.Accepted, which is called if and only if Broadcast returns nil.
	Broadcast(ctx context.Context, p *packet.Packet, sel Selection, flags Flags) error

	// BroadcastWithAck is Broadcast that returns the clients' answers, and how
	// many were asked. At the end of ctx it returns ErrTimeout with those that
	// have come.
	BroadcastWithAck(ctx context.Context, p *packet.Packet, sel Selection, flags Flags) (answers []Args, clients int, err error)

	// FetchSockets returns the selected sockets of the other nodes, with
	// ErrTimeout where not all nodes answered.
	FetchSockets(ctx context.Context, sel Selection) ([]SocketInfo, error)

	// Join, Leave and Disconnect act on the selected sockets of the other
	// nodes, without waiting for it to happen.
	Join(ctx context.Context, sel Selection, rooms []string) error
	Leave(ctx context.Context, sel Selection, rooms []string) error
	Disconnect(ctx context.Context, sel Selection, closeConn bool) error

	// ServerSideEmit delivers an event to the program on each other node.
	ServerSideEmit(ctx context.Context, event string, args Args) error
	// ServerSideEmitWithAck also returns the answer of each.
	ServerSideEmitWithAck(ctx context.Context, event string, args Args) ([]Args, error)

	// ServerCount is the number of nodes, this one included.
	ServerCount(ctx context.Context) (int, error)
	// AllRooms returns the rooms that exist on the other nodes, without
	// duplicates and without the sockets' own.
	AllRooms(ctx context.Context) ([]string, error)

	// RoomCreated and RoomDeleted tell that this node's first socket is in a
	// room and that the last has left it, sockets' own rooms included. They are
	// called in order, under the lock of the room table: they must only take
	// note.
	RoomCreated(room string)
	RoomDeleted(room string)

	// AwaitRoom returns when what other nodes broadcast to a room of this node
	// arrives here, and at once where the adapter does not wait for that, the
	// cluster is known to be away, or there is no such room. It waits within
	// bounds, and not beyond the end of ctx.
	AwaitRoom(ctx context.Context, room string)

	// Close leaves the cluster. It waits for what the adapter has started.
	Close() error
}

// Local is how an adapter acts on the sockets of its own node. Namespaces
// implement it; its methods are safe for concurrent use, and wait at most until
// clients that read have been served.
type Local interface {
	// Name is the namespace's name.
	Name() string
	// DeliverBroadcast delivers an event to the selected sockets.
	DeliverBroadcast(p *packet.Packet, sel Selection, flags Flags)
	// DeliverBroadcastWithAck delivers an event with an ack id of this node's
	// own and calls ack for each answer until ctx ends, possibly before it
	// returns. It returns how many clients were asked.
	DeliverBroadcastWithAck(ctx context.Context, p *packet.Packet, sel Selection, flags Flags, ack func(Args)) (clients int)
	// LocalSockets describes the selected sockets.
	LocalSockets(sel Selection) []SocketInfo
	// JoinLocal, LeaveLocal and DisconnectLocal act on the selected sockets.
	JoinLocal(sel Selection, rooms []string)
	LeaveLocal(sel Selection, rooms []string)
	DisconnectLocal(sel Selection, closeConn bool)
	// LocalRooms returns the rooms that exist here, without sockets' own.
	LocalRooms() []string
	// HasRoom reports whether a socket of this node is in the room.
	HasRoom(room string) bool
	// DeliverServerSide hands the program an event from another node. reply,
	// where not nil, takes its answer, at most once.
	DeliverServerSide(event string, args Args, reply func(Args))
}

// Factory makes the adapter of a namespace. It must not wait for the cluster:
// a node whose cluster is away serves its own sockets meanwhile. A namespace that
// is made anew has its adapter made when its predecessor's is closed.
type Factory func(Local) Adapter
