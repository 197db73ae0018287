package socketio

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// Namespace is a group of sockets, one per client at most, that share handlers
// and rooms and have nothing to do with other namespaces. Its methods are safe
// for concurrent use.
type Namespace struct {
	*Handlers

	server  *Server
	name    string
	pattern *Pattern // that created it, or nil
	sockets *adapter.Table[*Socket]
	log     *eventLog // nil without recovery
	adapter adapter.Adapter
	ids     atomic.Uint64 // of acknowledgements
	posts   posts

	closeUnused, anonymous atomic.Bool
	checkRecovered         atomic.Bool
	watchesOutgoing        atomic.Bool // a socket has, or had, an OutgoingFunc

	refs int // sockets, connecting ones included; guarded by Server.mu
}

func (srv *Server) newNamespace(name string, h *Handlers, p *Pattern) *Namespace {
	ns := &Namespace{Handlers: h, server: srv, name: name, pattern: p, sockets: adapter.NewTable(membershipOf)}
	ns.newLog()
	ns.adapter = srv.opts.Adapter(local{ns})
	ns.sockets.Alias = clientAlias
	ns.sockets.Created = ns.adapter.RoomCreated
	ns.sockets.Deleted = ns.adapter.RoomDeleted
	return ns
}

// Name returns the namespace's name, "/" for the root.
func (ns *Namespace) Name() string { return ns.name }

// Server returns the server that the namespace belongs to.
func (ns *Namespace) Server() *Server { return ns.server }

// CloseUnused makes Disconnect close the client's connection, after DISCONNECT
// is sent, if the client uses no other namespace. Without it the connection
// stays open for Options.ConnectTimeout, as on Node, and the client may connect
// to a namespace again.
func (ns *Namespace) CloseUnused() { ns.closeUnused.Store(true) }

// Count returns the number of sockets connected to this server.
func (ns *Namespace) Count() int { return ns.sockets.Len() }

// Socket returns this server's socket with the id, or with the ClientID, or nil.
func (ns *Namespace) Socket(id string) *Socket {
	s, _ := ns.sockets.Get(id)
	return s
}

// Sockets returns this server's sockets in the room, or all if room is "".
func (ns *Namespace) Sockets(room string) []*Socket {
	var sel adapter.Selection
	if room != "" {
		sel.Rooms = []string{room}
	}
	var list []*Socket
	ns.sockets.Each(sel, func(s *Socket) { list = append(list, s) })
	return list
}

// Rooms returns the rooms of this server's sockets, without the sockets' own.
func (ns *Namespace) Rooms() []string { return ns.sockets.Rooms() }

// HasRoom reports whether a socket of this server is in the room.
func (ns *Namespace) HasRoom(room string) bool { return ns.sockets.Has(room) }

// RoomSize returns the number of this server's sockets in the room. It is as cheap as
// HasRoom.
func (ns *Namespace) RoomSize(room string) int { return ns.sockets.Size(room) }

// AwayCount returns the number of clients in the room that are away, and that may come back
// to this server and be recovered: they will get what is sent to the room meanwhile.
func (ns *Namespace) AwayCount(room string) int {
	return len(ns.awaySessions(adapter.Selection{Rooms: []string{room}}))
}

// Hold subscribes this server to a room, even if it has no sockets in it. It waits
// until the subscription is in effect, so that other servers' later broadcasts to the
// room arrive here, but no longer than [Socket.Join] would wait. The subscription lasts
// at least until release is called; a socket that joins meanwhile need not wait.
func (ns *Namespace) Hold(ctx context.Context, room string) (release func()) {
	ns.sockets.Hold(room)
	ns.adapter.AwaitRoom(ctx, room)
	return func() { ns.sockets.Unhold(room) }
}

// AllRooms returns the rooms of all servers' sockets. If not all servers
// answered it returns those that it has, and an error.
func (ns *Namespace) AllRooms(ctx context.Context) ([]string, error) {
	ctx, cancel := ns.server.bound(ctx, 0)
	defer cancel()
	rooms := ns.sockets.Rooms()
	others, err := ns.adapter.AllRooms(ctx)
	seen := make(map[string]bool, len(rooms))
	for _, r := range rooms {
		seen[r] = true
	}
	for _, r := range others {
		if !seen[r] {
			rooms = append(rooms, r)
		}
	}
	return rooms, err
}

// ServerCount returns the number of servers in the cluster, this one included.
func (ns *Namespace) ServerCount(ctx context.Context) (int, error) {
	ctx, cancel := ns.server.bound(ctx, 0)
	defer cancel()
	return ns.adapter.ServerCount(ctx)
}

// ServerSideEmit sends an event to the other servers' programs, see
// [Handlers.HandleServerSide]. Errors: ErrReserved, those that wrap ErrEncode or
// ErrArguments, and the adapter's.
func (ns *Namespace) ServerSideEmit(ctx context.Context, event string, args ...any) error {
	a, err := ns.encodeServerSide(event, args)
	if err != nil {
		return err
	}
	return ns.adapter.ServerSideEmit(ctx, event, a)
}

// ServerSideEmitWithAck is ServerSideEmit that returns the answer of each other
// server. It waits until ctx ends, or 5 s if ctx has no deadline. With an error
// it returns the answers that were received.
func (ns *Namespace) ServerSideEmitWithAck(ctx context.Context, event string, args ...any) (Args, error) {
	ctx, cancel := ns.server.bound(ctx, 0)
	defer cancel()
	a, err := ns.encodeServerSide(event, args)
	if err != nil {
		return nil, err
	}
	answers, err := ns.adapter.ServerSideEmitWithAck(ctx, event, a)
	out := make(Args, len(answers))
	for i, a := range answers {
		out[i] = firstArg(a)
	}
	return out, err
}

func (ns *Namespace) encodeServerSide(event string, args []any) (adapter.Args, error) {
	if reservedServerSide(event) {
		return adapter.Args{}, fmt.Errorf("%w: %q", ErrReserved, event)
	}
	a, err := encodeArgs(args)
	if err == nil {
		err = ns.server.checkDepth(a.List, 0)
	}
	return a, err
}
