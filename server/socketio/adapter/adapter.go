// Package adapter connects a namespace of one node of a cluster with the same
// namespace on the other nodes.
//
//	socketio.Namespace ── implements Local ──► asked by adapters
//	        │
//	        └── calls ──► Adapter: Memory (one process), Redis, …
//
// Packets and selections of sockets cross this boundary, never wire bytes: each
// adapter has its own format of cluster messages. A namespace delivers to its own
// sockets first, by itself, and calls its adapter only for the other nodes, so a
// node keeps serving its sockets whatever happens to the cluster.
//
// The package also has the room table of a namespace's own sockets, [Table], and
// [Memory], an adapter that works like those for Redis and connects the servers of
// one process. All adapters must pass the suite in package adaptertest.
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
	// ErrUnavailable: the cluster could not be reached, or did not accept the
	// message in time. Some nodes may have got it.
	ErrUnavailable = errors.New("adapter: cluster unavailable")
	// ErrAway: the cluster is disconnected and the message was dropped at once.
	// It is an ErrUnavailable.
	ErrAway = fmt.Errorf("%w: away", ErrUnavailable)
	// ErrTimeout: some nodes or clients did not answer in time. It is returned
	// together with the answers of the others.
	ErrTimeout = errors.New("adapter: not all answers received in time")
	// ErrClosed: the adapter is closed.
	ErrClosed = errors.New("adapter: closed")
)

// Selection selects the sockets of a namespace that are in at least one of
// Rooms (all sockets if Rooms is empty) and in none of Except. Each socket is
// in the room named by its id.
type Selection struct {
	Rooms, Except []string
}

// Haste says how long the delivery of a packet waits for slow clients.
type Haste uint8

const (
	// Patient waits as for a packet that this node sends.
	Patient Haste = iota
	// Hurried waits only for clients that are reading and would otherwise be
	// disconnected.
	Hurried
	// Pressed does not wait.
	Pressed
)

// Flags say how a packet is delivered.
type Flags struct {
	// Volatile drops the packet for a client that cannot take it immediately.
	Volatile bool
	// Uncompressed turns off compression of the packet for clients.
	Uncompressed bool
	// Haste is set if other packets wait behind this one.
	Haste Haste
	// Foreign excludes the sockets of this package's servers: only other kinds
	// of servers in the cluster, such as Node's, deliver the packet. Only
	// Broadcast uses it.
	Foreign bool
	// Timeout is how long clients have to acknowledge, for BroadcastWithAck.
	Timeout time.Duration
	// Accepted, if not nil, gets the outcome of a Broadcast that returned nil:
	// nil when the cluster has accepted the packet, or ErrUnavailable if no
	// confirmation came in time. It is not sent to other nodes.
	Accepted *Acceptance
}

// Acceptance is a function that is called once with the outcome of a broadcast.
type Acceptance struct{ call func(error) }

// OnAcceptance returns an [Acceptance] that calls the function. The function is
// called on a goroutine of the adapter, in the order of the broadcasts,
// possibly before Broadcast has returned. It must not block.
func OnAcceptance(call func(error)) *Acceptance { return &Acceptance{call} }

// Resolve calls the function. Adapters call Resolve at most once; a may be nil.
func (a *Acceptance) Resolve(err error) {
	if a != nil {
		a.call(err)
	}
}

// Args are a list of arguments and the attachments that their placeholders
// name. List is JSON without brackets: "1,\"a\"" for two arguments, "" for
// none.
type Args struct {
	List        []byte
	Attachments [][]byte
}

// SocketInfo describes a socket to other nodes.
type SocketInfo struct {
	ID    string
	Rooms []string // including the socket's own
	// Handshake and Data are JSON objects in the format of Node's servers.
	Handshake, Data []byte
}

// Adapter connects a namespace of this node with the same namespace on the
// other nodes.
//
// Its methods are safe for concurrent use. None of them affects this node's own
// sockets. Nobody may change a packet after passing it to an adapter.
//
// Order: what one goroutine broadcasts to a room arrives at each other node in
// the order of the calls. Methods with a context may block, at most until the
// context ends.
type Adapter interface {
	// Broadcast delivers an event to the selected sockets of the other nodes.
	// It blocks, for a bounded time, while the cluster is slower than the
	// senders. It returns nil when the packet is being sent, ErrUnavailable if
	// the cluster did not take it in time, and ErrAway at once if the cluster
	// is disconnected. If Broadcast returns nil, Flags.Accepted is called once,
	// with the outcome; otherwise never.
	Broadcast(ctx context.Context, p *packet.Packet, sel Selection, flags Flags) error

	// BroadcastWithAck is Broadcast that returns the clients' answers and the
	// number of clients that got the event. If ctx ends first it returns the
	// answers received so far and ErrTimeout.
	BroadcastWithAck(ctx context.Context, p *packet.Packet, sel Selection, flags Flags) (answers []Args, clients int, err error)

	// FetchSockets returns the selected sockets of the other nodes; if not all
	// nodes answered, those of the others and ErrTimeout.
	FetchSockets(ctx context.Context, sel Selection) ([]SocketInfo, error)

	// Join, Leave and Disconnect act on the selected sockets of the other
	// nodes. They do not wait for the effect.
	Join(ctx context.Context, sel Selection, rooms []string) error
	Leave(ctx context.Context, sel Selection, rooms []string) error
	Disconnect(ctx context.Context, sel Selection, closeConn bool) error

	// ServerSideEmit delivers an event to the program on each other node.
	ServerSideEmit(ctx context.Context, event string, args Args) error
	// ServerSideEmitWithAck is ServerSideEmit that returns the answer of each
	// node.
	ServerSideEmitWithAck(ctx context.Context, event string, args Args) ([]Args, error)

	// ServerCount returns the number of nodes, including this one.
	ServerCount(ctx context.Context) (int, error)
	// AllRooms returns the rooms of the other nodes, without duplicates and
	// without the sockets' own rooms.
	AllRooms(ctx context.Context) ([]string, error)

	// RoomCreated and RoomDeleted are called when this node's first socket has
	// joined a room and when its last has left it, for sockets' own rooms too.
	// They are called in order, under the lock of the room table, and must not
	// block.
	RoomCreated(room string)
	RoomDeleted(room string)

	// AwaitRoom waits until the subscription to a room of this node is in effect:
	// broadcasts that other nodes send to it afterwards arrive here. It returns
	// at once if the adapter does not wait for that, the cluster is disconnected,
	// or the room does not exist. It blocks for a bounded time, at most until ctx
	// ends.
	AwaitRoom(ctx context.Context, room string)

	// Close leaves the cluster and waits until the adapter's goroutines have
	// ended.
	Close() error
}

// Local is a namespace as its adapter sees it: the sockets of this node. Its
// methods are safe for concurrent use, and block at most until clients that are
// reading have got what is queued.
type Local interface {
	// Name returns the namespace's name.
	Name() string
	// DeliverBroadcast delivers an event to the selected sockets.
	DeliverBroadcast(p *packet.Packet, sel Selection, flags Flags)
	// DeliverBroadcastWithAck delivers an event with an acknowledgement id of
	// this node, and calls ack for each answer until ctx ends, possibly before
	// it returns. It returns the number of clients that got the event.
	DeliverBroadcastWithAck(ctx context.Context, p *packet.Packet, sel Selection, flags Flags, ack func(Args)) (clients int)
	// LocalSockets describes the selected sockets.
	LocalSockets(sel Selection) []SocketInfo
	// JoinLocal, LeaveLocal and DisconnectLocal act on the selected sockets.
	JoinLocal(sel Selection, rooms []string)
	LeaveLocal(sel Selection, rooms []string)
	DisconnectLocal(sel Selection, closeConn bool)
	// LocalRooms returns the rooms of this node, without the sockets' own.
	LocalRooms() []string
	// HasRoom reports whether a socket of this node is in the room, or a client that is
	// away and may be recovered.
	HasRoom(room string) bool
	// EventsLost is called when broadcasts of other nodes may not have arrived: clients
	// that are away now cannot be recovered, because they would miss them.
	EventsLost()
	// DeliverServerSide passes an event of another node to the program. reply,
	// if not nil, is called with the answer, at most once.
	DeliverServerSide(event string, args Args, reply func(Args))
}

// Factory makes the adapter of a namespace. It must not wait for the cluster,
// without which a node still serves its own sockets. It is called without locks,
// and may ask the server for other namespaces, but not for the one that it makes
// the adapter for: that exists when the factory has returned, and a program that asks
// for it waits. If a namespace is removed and created again, the factory is called
// after the previous adapter is closed.
type Factory func(Local) Adapter
