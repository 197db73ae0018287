package socket

import (
	"context"

	"github.com/puente-io/puente/compat/zishang520/types"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// AdapterConstructor connects the servers of a cluster: the builders of package
// redis/adapter. Adapters that a program has written itself do not fit.
type AdapterConstructor interface {
	// Open returns what makes the adapters of namespaces, and what closes them all.
	Open() (adapter.Factory, func() error, error)
}

// AdapterBuilder is the default, a server without a cluster.
type AdapterBuilder struct{}

// Open implements AdapterConstructor.
func (*AdapterBuilder) Open() (adapter.Factory, func() error, error) {
	return adapter.NewMemory().Factory(), func() error { return nil }, nil
}

func open(c AdapterConstructor) (adapter.Factory, func() error, error) {
	if c == nil {
		c = new(AdapterBuilder)
	}
	return c.Open()
}

// Adapter shows the rooms of a namespace on this server. What it returns are copies.
type Adapter interface {
	Nsp() Namespace
	// Rooms returns the sockets of each room.
	Rooms() *types.Map[Room, *types.Set[SocketId]]
	// Sids returns the rooms of each socket.
	Sids() *types.Map[SocketId, *types.Set[Room]]
	// Sockets returns the sockets that are in at least one of the rooms, or all if there
	// are none.
	Sockets(rooms *types.Set[Room]) *types.Set[SocketId]
	// SocketRooms returns the rooms of a socket, or nil.
	SocketRooms(SocketId) *types.Set[Room]
	// ServerCount returns the number of servers in the cluster, this one included, or 1
	// if the cluster cannot be asked.
	ServerCount() int64
}

type view struct{ *namespace }

func (n *namespace) Adapter() Adapter { return view{n} }

func (v view) Nsp() Namespace { return v.namespace }

func (v view) Rooms() *types.Map[Room, *types.Set[SocketId]] {
	rooms := new(types.Map[Room, *types.Set[SocketId]])
	v.sockets.Range(func(id SocketId, s *Socket) bool {
		for _, r := range s.Rooms().Keys() {
			members, _ := rooms.LoadOrStore(r, types.NewSet[SocketId]())
			members.Add(id)
		}
		return true
	})
	return rooms
}

func (v view) Sids() *types.Map[SocketId, *types.Set[Room]] {
	sids := new(types.Map[SocketId, *types.Set[Room]])
	v.sockets.Range(func(id SocketId, s *Socket) bool { sids.Store(id, s.Rooms()); return true })
	return sids
}

func (v view) Sockets(rooms *types.Set[Room]) *types.Set[SocketId] {
	sel := adapter.Selection{}
	if rooms != nil {
		sel.Rooms = names(rooms.Keys())
	}
	ids := types.NewSet[SocketId]()
	for _, s := range v.selected(sel) {
		ids.Add(SocketId(s.ID()))
	}
	return ids
}

func (v view) SocketRooms(id SocketId) *types.Set[Room] {
	if s, ok := v.sockets.Load(id); ok {
		return s.Rooms()
	}
	return nil
}

func (v view) ServerCount() int64 {
	n, err := v.live().ServerCount(context.Background())
	if err != nil {
		return 1
	}
	return int64(n)
}

// selected returns this server's selected sockets.
func (n *namespace) selected(sel adapter.Selection) []*socketio.Socket {
	io := n.live()
	if io == nil {
		return nil
	}
	rooms := sel.Rooms
	if len(rooms) == 0 {
		rooms = []string{""}
	}
	seen := make(map[*socketio.Socket]bool)
	var list []*socketio.Socket
	for _, room := range rooms {
		for _, s := range io.Sockets(room) {
			if !seen[s] && !in(s, sel.Except) {
				seen[s] = true
				list = append(list, s)
			}
		}
	}
	return list
}

func in(s *socketio.Socket, rooms []string) bool {
	for _, r := range rooms {
		if s.In(r) {
			return true
		}
	}
	return false
}

// observe returns a factory whose adapters also pass to this package what it cannot
// learn from package socketio in another way.
func (s *Server) observe(next adapter.Factory) adapter.Factory {
	return func(l adapter.Local) adapter.Adapter {
		local := observedLocal{Local: l, server: s}
		return &observedAdapter{Adapter: next(local), local: local}
	}
}

type observedAdapter struct {
	adapter.Adapter
	local observedLocal
}

// Close also removes a child whose last socket has disconnected.
func (a *observedAdapter) Close() error {
	err := a.Adapter.Close()
	if n := a.local.namespace(); n != nil && n.dynamic {
		a.local.server.namespaces.CompareAndDelete(n.name, n)
	}
	return err
}

type observedLocal struct {
	adapter.Local
	server *Server
}

// namespace returns the namespace, or nil if it is not there yet.
func (l observedLocal) namespace() *namespace {
	n, _ := l.server.namespaces.Load(l.Name())
	return n
}

// DeliverServerSide passes the event to the listeners, which know whether an answer is
// expected.
func (l observedLocal) DeliverServerSide(event string, args adapter.Args, reply func(adapter.Args)) {
	if n := l.namespace(); n != nil {
		n.receive(event, args, reply)
	}
}
