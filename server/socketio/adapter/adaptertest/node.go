package adaptertest

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// settleEvent is the event that cluster.settle broadcasts. Sockets count it
// apart from other events.
const settleEvent = "adaptertest-settle"

// Node is a namespace of one node as adapters see it. Its sockets record what
// they receive. It implements [adapter.Local] and is safe for concurrent use.
type Node struct {
	Adapter adapter.Adapter
	// ServerSide, if not nil, handles events of other nodes. It must be set
	// before the first one arrives.
	ServerSide func(event string, args adapter.Args, reply func(adapter.Args))

	// Lost counts the calls of EventsLost.
	Lost atomic.Int64

	name  string
	table *adapter.Table[*Socket]
}

// Start creates a node and closes its adapter at the end of the test.
func Start(t testing.TB, factory adapter.Factory, namespace string) *Node {
	n := &Node{name: namespace, table: adapter.NewTable(func(s *Socket) *adapter.Membership[*Socket] { return &s.ms })}
	n.Adapter = factory(n)
	n.table.Created = n.Adapter.RoomCreated
	n.table.Deleted = n.Adapter.RoomDeleted
	t.Cleanup(func() { n.Adapter.Close() })
	return n
}

// Connect adds a socket that is in the rooms.
func (n *Node) Connect(id string, rooms ...string) *Socket {
	s := &Socket{node: n, id: id}
	n.table.Add(s, nil)
	n.table.Join(s, rooms...)
	return s
}

func (n *Node) sockets(sel adapter.Selection) (list []*Socket) {
	n.table.Each(sel, func(s *Socket) { list = append(list, s) })
	return list
}

// Name implements [adapter.Local].
func (n *Node) Name() string { return n.name }

// DeliverBroadcast implements [adapter.Local].
func (n *Node) DeliverBroadcast(p *packet.Packet, sel adapter.Selection, flags adapter.Flags) {
	for _, s := range n.sockets(sel) {
		s.receive(p, flags)
	}
}

// DeliverBroadcastWithAck implements [adapter.Local].
func (n *Node) DeliverBroadcastWithAck(ctx context.Context, p *packet.Packet, sel adapter.Selection, flags adapter.Flags, ack func(adapter.Args)) int {
	sockets := n.sockets(sel)
	for _, s := range sockets {
		s.receive(p, flags)
		if s.Answer != nil && ctx.Err() == nil {
			ack(*s.Answer)
		}
	}
	return len(sockets)
}

// LocalSockets implements [adapter.Local].
func (n *Node) LocalSockets(sel adapter.Selection) (infos []adapter.SocketInfo) {
	for _, s := range n.sockets(sel) {
		handshake, data := s.describe()
		infos = append(infos, adapter.SocketInfo{ID: s.id, Rooms: s.Rooms(), Handshake: handshake, Data: data})
	}
	return infos
}

// JoinLocal implements [adapter.Local].
func (n *Node) JoinLocal(sel adapter.Selection, rooms []string) {
	for _, s := range n.sockets(sel) {
		n.table.Join(s, rooms...)
	}
}

// LeaveLocal implements [adapter.Local].
func (n *Node) LeaveLocal(sel adapter.Selection, rooms []string) {
	for _, s := range n.sockets(sel) {
		n.table.Leave(s, rooms...)
	}
}

// DisconnectLocal implements [adapter.Local].
func (n *Node) DisconnectLocal(sel adapter.Selection, closeConn bool) {
	for _, s := range n.sockets(sel) {
		s.disconnect(closeConn)
	}
}

// LocalRooms implements [adapter.Local].
func (n *Node) LocalRooms() []string { return n.table.Rooms() }

// EventsLost implements [adapter.Local].
func (n *Node) EventsLost() { n.Lost.Add(1) }

// HasRoom implements [adapter.Local].
func (n *Node) HasRoom(room string) bool { return n.table.Has(room) }

// DeliverServerSide implements [adapter.Local].
func (n *Node) DeliverServerSide(event string, args adapter.Args, reply func(adapter.Args)) {
	if n.ServerSide != nil {
		n.ServerSide(event, args, reply)
	}
}

// Received is an event that a socket received.
type Received struct {
	// Data is the JSON array of the event's name and arguments.
	Data        string
	Attachments []string
	Flags       adapter.Flags
}

// Socket is a socket of a [Node]. Its methods are safe for concurrent use.
type Socket struct {
	// Answer is sent as the acknowledgement of events; nil: none is sent.
	Answer *adapter.Args

	node *Node
	id   string
	ms   adapter.Membership[*Socket]

	mu           sync.Mutex
	got          []Received
	settled      map[string]bool // by the node that broadcast
	disconnected string          // "", "socket" or "connection"
}

// ID is used by the room table.
func (s *Socket) ID() string { return s.id }

// Rooms returns the socket's rooms in order, including its own.
func (s *Socket) Rooms() []string {
	rooms := s.node.table.RoomsOf(s)
	slices.Sort(rooms)
	return rooms
}

// Join and Leave change the socket's rooms as a program on its node does.
func (s *Socket) Join(rooms ...string)  { s.node.table.Join(s, rooms...) }
func (s *Socket) Leave(rooms ...string) { s.node.table.Leave(s, rooms...) }

func (s *Socket) describe() (handshake, data []byte) {
	return []byte(`{"address":"127.0.0.1","auth":{"of":"` + s.id + `"},"headers":{},"issued":1700000000000,"query":{"EIO":"4"},"secure":false,"time":"now","url":"/","xdomain":false}`),
		[]byte(`{"name":"` + s.id + `","n":[1,2.5,null]}`)
}

func (s *Socket) receive(p *packet.Packet, flags adapter.Flags) {
	r := Received{Data: string(p.Data), Flags: flags}
	for _, a := range p.Attachments {
		r.Attachments = append(r.Attachments, string(a))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.Contains(r.Data, settleEvent) {
		var args []string
		if json.Unmarshal(p.Data, &args) == nil && len(args) == 2 {
			if s.settled == nil {
				s.settled = make(map[string]bool)
			}
			s.settled[args[1]] = true
		}
		return
	}
	s.got = append(s.got, r)
}

func (s *Socket) disconnect(closeConn bool) {
	s.node.table.Remove(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disconnected = "socket"
	if closeConn {
		s.disconnected = "connection"
	}
}

// Disconnected returns "socket" if the socket has been disconnected,
// "connection" if its connection was closed too, and "" otherwise.
func (s *Socket) Disconnected() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.disconnected
}

// Received returns the events that the socket has received.
func (s *Socket) Received() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// Len returns the number of events that the socket has received.
func (s *Socket) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got)
}

func (s *Socket) hasSettled(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settled[token]
}
