package socket

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/puente-io/puente/compat/zishang520/engine"
	"github.com/puente-io/puente/compat/zishang520/types"
	"github.com/puente-io/puente/server/socketio"
)

// Socket is a client's connection to a namespace. It emits the client's events, and
// "disconnecting", "disconnect" and "error".
type Socket struct {
	*StrictEventEmitter
	*state
	flags flags
}

// flags modify one Emit. A Socket with flags is a view of the client's socket.
type flags struct {
	volatile, uncompressed, local bool
	timeout                       time.Duration
}

// phase is the stage of a socket's life.
type phase int32

const (
	connecting phase = iota // middleware decides
	connected
	disconnecting // the listeners of "disconnecting" run
	disconnected
)

// state is what the views of a socket share.
type state struct {
	io   *socketio.Socket
	nsp  *namespace
	self *Socket // without flags

	phase atomic.Int32
	data  atomic.Pointer[any]

	mu      sync.Mutex
	waiting []func() // what middleware has emitted and joined, until the socket is connected
	any     anyListeners
	sent    anyListeners
	unwatch func() // ends the calls of sent, or nil
	fns     []SocketMiddleware
}

func newSocket(io *socketio.Socket, nsp *namespace) *Socket {
	s := &Socket{StrictEventEmitter: NewStrictEventEmitter(), state: &state{io: io, nsp: nsp}}
	s.self = s
	return s
}

// Id returns the id of the socket.
func (s *Socket) Id() SocketId { return SocketId(s.io.ID()) }

// Nsp returns the namespace that the socket is connected to.
func (s *Socket) Nsp() Namespace { return s.nsp }

// Handshake returns the socket's handshake. Each call builds a new one.
func (s *Socket) Handshake() *Handshake { return newHandshake(s.io) }

// Recovered returns false: no connection state is recovered.
func (s *Socket) Recovered() bool { return false }

// Connected reports whether the socket is connected. It is not yet while middleware
// runs, and still is while the listeners of "disconnecting" do.
func (s *Socket) Connected() bool {
	return phase(s.phase.Load()) == disconnecting || s.io.Connected()
}

// Disconnected is the opposite of Connected.
func (s *Socket) Disconnected() bool { return !s.Connected() }

// Request returns the request that opened the connection.
func (s *Socket) Request() *types.HttpContext { return s.Conn().Request() }

// Conn returns the connection that carries the socket. It emits "upgrade" and "close".
func (s *Socket) Conn() engine.Socket { return s.nsp.server.running().endpoint.Socket(s.io.Session()) }

// SetData keeps a value with the socket. Other servers' FetchSockets get its JSON of
// this moment.
func (s *Socket) SetData(v any) {
	s.data.Store(&v)
	if !s.nsp.server.clustered() {
		return // nobody else asks for it, so it need not be encodable
	}
	text, _, err := appendValue(nil, nil, v)
	if err != nil {
		text = nil
	}
	s.io.SetData(socketio.Value{JSON: text})
}

// Data returns the last value of SetData, or nil.
func (s *Socket) Data() any {
	if v := s.data.Load(); v != nil {
		return *v
	}
	return nil
}

// Rooms returns the rooms that the socket is in, its own among them. It returns none
// once the socket has disconnected.
func (s *Socket) Rooms() *types.Set[Room] {
	rooms := types.NewSet[Room]()
	if phase(s.phase.Load()) != disconnected {
		for _, r := range s.io.Rooms() {
			rooms.Add(Room(r))
		}
	}
	return rooms
}

// Join adds the socket to rooms. In a middleware it does so once the socket is
// connected.
func (s *Socket) Join(rooms ...Room) {
	s.whenConnected(func() { s.io.Join(context.Background(), names(rooms)...) })
}

// Leave removes the socket from a room.
func (s *Socket) Leave(room Room) {
	s.whenConnected(func() { s.io.Leave(string(room)) })
}

// whenConnected calls f now, or, while middleware decides, when the socket connects.
func (s *Socket) whenConnected(f func()) {
	s.mu.Lock()
	if phase(s.phase.Load()) == connecting {
		s.waiting = append(s.waiting, f)
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	f()
}

// Disconnect disconnects the socket from its namespace, or closes the client's whole
// connection.
func (s *Socket) Disconnect(closeConnection bool) *Socket {
	s.io.Disconnect(closeConnection)
	return s
}

// connected is called once CONNECT has been answered.
func (s *Socket) connected() {
	s.nsp.sockets.Store(s.Id(), s)
	s.mu.Lock()
	for len(s.waiting) > 0 {
		waiting := s.waiting
		s.waiting = nil
		s.mu.Unlock()
		for _, f := range waiting {
			f()
		}
		s.mu.Lock()
	}
	s.phase.Store(int32(connected))
	s.mu.Unlock()
	s.nsp.emitted("connect", s)
	s.nsp.emitted("connection", s)
}

// disconnected is called when the socket has disconnected.
func (s *Socket) disconnected(reason socketio.Reason) {
	args := []any{string(reason)}
	if reason != socketio.ReasonClientDisconnect && reason != socketio.ReasonServerDisconnect {
		args = append(args, nil) // the description of the transport's end
	}
	s.phase.Store(int32(disconnecting))
	s.EmitReserved("disconnecting", args...)
	s.phase.Store(int32(disconnected))
	s.nsp.sockets.Delete(s.Id())
	s.EmitReserved("disconnect", args...)
}

// view returns a view with changed flags.
func (s *Socket) view(change func(*flags)) *Socket {
	v := *s
	change(&v.flags)
	return &v
}

// Volatile returns the socket for one Emit that is dropped if the client cannot take it
// immediately.
func (s *Socket) Volatile() *Socket { return s.view(func(f *flags) { f.volatile = true }) }

// Compress returns the socket for one Emit whose event may be compressed, or not.
func (s *Socket) Compress(on bool) *Socket { return s.view(func(f *flags) { f.uncompressed = !on }) }

// Timeout returns the socket for one Emit that waits so long for the acknowledgement.
func (s *Socket) Timeout(d time.Duration) *Socket { return s.view(func(f *flags) { f.timeout = d }) }

// Broadcast returns an operator for all other sockets of the namespace.
func (s *Socket) Broadcast() *BroadcastOperator {
	return &BroadcastOperator{nsp: s.nsp, except: []string{s.io.ID()}, flags: s.flags}
}

// To returns an operator for the other sockets in the rooms.
func (s *Socket) To(rooms ...Room) *BroadcastOperator { return s.Broadcast().To(rooms...) }

// In is To.
func (s *Socket) In(rooms ...Room) *BroadcastOperator { return s.To(rooms...) }

// Except returns an operator for the other sockets that are not in the rooms.
func (s *Socket) Except(rooms ...Room) *BroadcastOperator { return s.Broadcast().Except(rooms...) }

// Local returns an operator for the other sockets of this server.
func (s *Socket) Local() *BroadcastOperator { return s.Broadcast().Local() }

func names(rooms []Room) []string {
	list := make([]string, len(rooms))
	for i, r := range rooms {
		list[i] = string(r)
	}
	return list
}
