package socketio

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
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
	adapter adapter.Adapter
	ids     atomic.Uint64 // of acknowledgements
	posts   posts

	closeUnused, anonymous atomic.Bool

	refs int // sockets, connecting ones included; guarded by Server.mu
}

func (srv *Server) newNamespace(name string, h *Handlers, p *Pattern) *Namespace {
	ns := &Namespace{Handlers: h, server: srv, name: name, pattern: p, sockets: adapter.NewTable[*Socket]()}
	ns.adapter = srv.opts.Adapter(local{ns})
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

// Socket returns this server's socket with the id, or nil.
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

// Hold subscribes this server to a room, whether it has sockets in it or not,
// and returns when other servers' broadcasts to the room arrive here, or when
// [Socket.Join] would stop waiting for that. The subscription lasts at least
// until release is called; a socket that joins meanwhile need not wait.
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
// server as a [Value]. It waits until ctx ends, or 5 s if ctx has no deadline.
// With an error it returns the answers that were received.
func (ns *Namespace) ServerSideEmitWithAck(ctx context.Context, event string, args ...any) ([]any, error) {
	ctx, cancel := ns.server.bound(ctx, 0)
	defer cancel()
	a, err := ns.encodeServerSide(event, args)
	if err != nil {
		return nil, err
	}
	answers, err := ns.adapter.ServerSideEmitWithAck(ctx, event, a)
	out := make([]any, len(answers))
	for i, a := range answers {
		out[i] = firstValue(a)
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

func encodeArgs(args []any) (adapter.Args, error) {
	data, attachments, err := encodeAck(args)
	return adapter.Args{List: inner(data), Attachments: attachments}, err
}

// firstValue returns the first of a list of arguments, or null.
func firstValue(a adapter.Args) Value {
	v := values(a)
	if len(v) == 0 {
		return Value{}
	}
	return v[0].(Value)
}

// requestTimeout is how long other servers have to answer if the caller's
// context has no deadline.
const requestTimeout = 5 * time.Second

// bound returns ctx with a timeout of d, or, if d is 0 and ctx has no deadline,
// of requestTimeout.
func (srv *Server) bound(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 {
		d = requestTimeout
		if _, ok := ctx.Deadline(); ok {
			return ctx, func() {}
		}
	}
	return context.WithTimeout(ctx, d)
}

// local implements adapter.Local: a namespace as its adapter sees it.
type local struct{ *Namespace }

var _ adapter.Local = local{}

func (l local) LocalRooms() []string { return l.sockets.Rooms() }

func (l local) DeliverBroadcast(p *packet.Packet, sel adapter.Selection, flags adapter.Flags) {
	if l.takes(p) {
		l.deliver(context.Background(), p, sel, flags, nil)
	}
}

func (l local) DeliverBroadcastWithAck(ctx context.Context, p *packet.Packet, sel adapter.Selection, flags adapter.Flags, ack func(adapter.Args)) int {
	if !l.takes(p) {
		return 0
	}
	return l.deliverWithAck(ctx, p, sel, flags, func(a adapter.Args, err error) {
		if err == nil {
			ack(a)
		}
	})
}

// takes reports whether another server's broadcast is within the limits of this
// server and of its clients.
func (l local) takes(p *packet.Packet) bool {
	err := l.server.checkDepth(p.Data, 1)
	if err == nil && len(p.Attachments) > 0 {
		err = l.server.checkAttachments(p.Data, p.Attachments)
	}
	if err == nil {
		return true
	}
	l.server.limits.refused(err)
	if f := l.server.opts.Hooks.BroadcastDropped; f != nil {
		f(l.Namespace, err)
	}
	return false
}

func (l local) LocalSockets(sel adapter.Selection) []adapter.SocketInfo {
	var infos []adapter.SocketInfo
	for _, s := range l.selected(sel) {
		infos = append(infos, s.info())
	}
	return infos
}

func (l local) JoinLocal(sel adapter.Selection, rooms []string) {
	for _, s := range l.selected(sel) {
		l.sockets.Join(s, rooms...)
	}
}

func (l local) LeaveLocal(sel adapter.Selection, rooms []string) {
	for _, s := range l.selected(sel) {
		l.sockets.Leave(s, rooms...)
	}
}

func (l local) DisconnectLocal(sel adapter.Selection, closeConn bool) {
	for _, s := range l.selected(sel) {
		s.Disconnect(closeConn)
	}
}

func (l local) DeliverServerSide(event string, args adapter.Args, reply func(adapter.Args)) {
	f := l.set.Load().serverSide[event]
	if f == nil {
		return
	}
	if err := l.server.CheckArgument(args.List); err != nil {
		l.server.failed(nil, event, err)
		return
	}
	l.server.spawn(func() {
		ctx, cancel := l.server.bound(context.Background(), 0)
		defer cancel()
		var out any
		err := Guard(func() (err error) { out, err = f(ctx, values(args)); return err })
		var a adapter.Args
		if err == nil && reply != nil {
			a, err = encodeArgs([]any{out})
		}
		if err != nil {
			l.server.failed(nil, event, err)
			return
		}
		if reply != nil {
			reply(a)
		}
	})
}
