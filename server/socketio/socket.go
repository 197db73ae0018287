package socketio

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

type socketState uint8

const (
	connecting socketState = iota // middleware decides
	connected
	disconnected
)

// Socket is a client's connection to one namespace. Its methods are safe for
// concurrent use.
type Socket struct {
	client *client
	ns     *Namespace // nil until it is known that there is one
	nsName string
	id     string
	since  time.Time

	// Guarded by client.mu.
	joined bool // counts as connected
	known  bool // is not anonymous
	held   int  // bytes of CONNECT, until it is decided about

	membership adapter.Membership[*Socket] // the room table's
	ctx        socketContext

	mu       sync.Mutex // guards all below
	state    socketState
	working  bool // a goroutine runs handlers
	told     bool // the disconnect handlers have been called
	greeted  bool // the functions of OnConnect have returned
	forget   bool // auth is not to be kept longer than that
	auth     Value
	reason   Reason
	inbox    inbox
	acks     map[uint64]ackFunc
	handlers map[string]Handler // the socket's own
	rooms    []string           // at the time of the disconnect
	data     any
	dataJSON []byte
	stored   *stored
}

// noAuth is what a client sent that sent nothing with CONNECT.
var noAuth = Value{JSON: []byte("{}")}

func newSocket(c *client, p packet.Packet) *Socket {
	// 20 characters are how other servers' adapters tell sockets' own rooms.
	s := &Socket{client: c, nsName: p.Namespace, id: engineio.NewID(), since: time.Now(), working: true}
	s.ctx.socket = s
	s.auth.JSON = p.Data
	if len(p.Data) == 0 {
		s.auth = noAuth
	}
	s.held = len(p.Namespace) + len(p.Data)
	return s
}

// ID is the socket's id, 20 characters. Unlike the session's it is no secret.
func (s *Socket) ID() string { return s.id }

// Namespace is the namespace that the socket is connected to; nil while a
// pattern decides whether there is one.
func (s *Socket) Namespace() *Namespace { return s.ns }

// Session is the connection that carries the socket.
func (s *Socket) Session() *engineio.Session { return s.client.session }

// Membership is for the room table.
func (s *Socket) Membership() *adapter.Membership[*Socket] { return &s.membership }

// Connected reports whether the socket is connected.
func (s *Socket) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == connected
}

// Context ends when the socket disconnects.
func (s *Socket) Context() context.Context { return &s.ctx }

// Data returns what SetData was given last.
func (s *Socket) Data() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data
}

// SetData gives the socket a value of the program's own, which Data returns here
// and FetchSockets, as JSON, on every server. It is encoded by this call, as an
// argument of Emit is: what the program changes in v afterwards reaches other
// servers by the next SetData, and is nobody's race. The error wraps ErrEncode,
// and leaves the data that there was, if v cannot be encoded, or not without
// attachments (a []byte, a Value with binary parts).
func (s *Socket) SetData(v any) error {
	text, attachments, err := AppendArg(nil, nil, v)
	if err != nil {
		return err
	}
	if len(attachments) > 0 {
		return fmt.Errorf("%w: data of a socket with binary parts", ErrEncode)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data, s.dataJSON = v, text
	return nil
}

// Handle sets the socket's own handler of an event, which goes before that of
// the namespace; nil removes it. It panics for the events for which
// [Handlers.Handle] does.
func (s *Socket) Handle(event string, h Handler) {
	mustHandle(event)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.handlers == nil {
		s.handlers = make(map[string]Handler)
	}
	s.handlers[event] = h
}

// Rooms returns the names of the socket's rooms, its own first. In a disconnect
// handler they are the rooms that it was in.
func (s *Socket) Rooms() []string {
	if rooms := s.ns.sockets.RoomsOf(s); rooms != nil {
		return rooms
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rooms
}

// In reports whether the socket is in a room.
func (s *Socket) In(room string) bool { return s.ns.sockets.In(s, room) }

// Join adds the socket to rooms. It returns ErrDisconnected on a socket that is
// not connected. Where the adapter says so it then waits, within bounds or until
// ctx ends, for the cluster to know.
func (s *Socket) Join(ctx context.Context, rooms ...string) error {
	if !s.ns.sockets.Join(s, rooms...) {
		return ErrDisconnected
	}
	for _, room := range rooms {
		s.ns.adapter.AwaitRoom(ctx, room)
	}
	return nil
}

// Leave takes the socket out of rooms. No broadcast to them that starts after
// it has returned reaches the socket.
func (s *Socket) Leave(_ context.Context, rooms ...string) error {
	s.ns.sockets.Leave(s, rooms...)
	return nil
}

// Disconnect disconnects the socket from its namespace; the client does not
// come back by itself. With closeConn the client's other sockets are
// disconnected too, and its session is closed, as it is without closeConn in a
// namespace with [Namespace.CloseUnused] if the client uses no other. To have the
// client come back, close the connection alone: s.Session().Close().
func (s *Socket) Disconnect(closeConn bool) {
	if closeConn {
		s.client.disconnect()
		return
	}
	s.disconnect()
}

func (s *Socket) disconnect() {
	if !s.Connected() {
		return
	}
	s.client.remove(s, true)
	if s.close(ReasonServerDisconnect) {
		s.post(frames(&packet.Packet{Type: packet.Disconnect, Namespace: s.nsName}, false))
		if s.ns.closeUnused.Load() {
			s.client.closeUnused()
		}
	}
}

// post queues frames and has them written, without waiting for a client that is
// behind: many may be disconnected one after the other.
func (s *Socket) post(fs []engineio.Frame) {
	s.client.server.engine.Batch(func(b *engineio.Batch) { b.Add(s.client.session, fs...) }).Settle()
}

// send queues frames and has them written. It waits while the client is behind.
func (s *Socket) send(fs []engineio.Frame) error {
	if err := s.client.session.Send(fs...); err != nil {
		return fmt.Errorf("%w: %w", ErrDisconnected, err)
	}
	return nil
}

// close ends the socket, and reports false where that has happened already. The
// disconnect handlers follow when those of events have returned: of events that
// the client sent before it went, but not of any that waited when the server
// disconnected it.
func (s *Socket) close(reason Reason) bool {
	s.mu.Lock()
	was := s.state
	if was == disconnected {
		s.mu.Unlock()
		return false
	}
	s.state = disconnected
	s.reason = reason
	if reason == ReasonServerDisconnect {
		s.inbox.events = nil
	}
	acks := s.unanswered()
	s.inbox.release()
	s.ctx.cancel()
	s.mu.Unlock()
	for _, f := range acks {
		f(adapter.Args{}, ErrDisconnected)
	}
	if was == connected {
		s.unlist()
	}
	s.work()
	return true
}

// dismissed reports whether the server has disconnected the socket.
func (s *Socket) dismissed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == disconnected && s.reason == ReasonServerDisconnect
}

// unlist takes the socket out of the room table and notes where it was.
func (s *Socket) unlist() {
	rooms := s.ns.sockets.Remove(s)
	if rooms == nil {
		return
	}
	s.mu.Lock()
	s.rooms = append([]string{s.id}, rooms...)
	s.mu.Unlock()
}
