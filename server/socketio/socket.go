package socketio

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
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
	ns     *Namespace // nil until it is found or created
	nsName string
	id     string
	since  time.Time

	// Guarded by client.mu.
	joined bool // counted in client.joined
	known  bool // not anonymous
	held   int  // bytes of CONNECT, until it is accepted or refused

	membership adapter.Membership[*Socket] // owned by the room table
	ctx        socketContext
	rec        *socketRecovery             // nil without recovery, and in protocol 3
	own        atomic.Pointer[ownHandlers] // nil: none

	mu        sync.Mutex // guards all below
	state     socketState
	working   bool // a goroutine is running handlers
	ended     bool // the disconnect handlers have been called, or need not be
	greeted   bool // the OnConnect functions have returned
	recovered bool
	forget    bool // drop auth once greeted
	auth      Value
	reason    Reason
	inbox     inbox
	acks      map[uint64]pendingAck
	rooms     []string // at the time of the disconnect
	data      any
	dataJSON  []byte
	kept      *kept
}

// noAuth is the auth of a client that sent none with CONNECT.
var noAuth = Value{JSON: []byte("{}")}

func newSocket(c *client, p packet.Packet) *Socket {
	// Other servers' adapters recognize sockets' own rooms by their 20 characters.
	s := &Socket{client: c, nsName: p.Namespace, id: engineio.NewID(), since: time.Now(), working: true}
	s.ctx.socket = s
	s.auth.JSON = p.Data
	if len(p.Data) == 0 {
		s.auth = noAuth
	}
	s.held = len(p.Namespace) + len(p.Data)
	if c.server.recovery != nil && c.session.Protocol() == 4 {
		s.rec = &socketRecovery{handled: make(chan struct{})}
		s.readResumption()
	}
	return s
}

// ID returns the socket's id, 20 characters. Unlike the session id it is not
// secret. A client of protocol 3 knows the socket by another id, see [Socket.ClientID].
func (s *Socket) ID() string { return s.id }

// Namespace returns the namespace that the socket is connected to, or nil while
// a pattern decides whether it exists.
func (s *Socket) Namespace() *Namespace { return s.ns }

// Session returns the connection that carries the socket.
func (s *Socket) Session() *engineio.Session { return s.client.session }

func membershipOf(s *Socket) *adapter.Membership[*Socket] { return &s.membership }

// Connected reports whether the socket is connected.
func (s *Socket) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == connected
}

// Context returns a context that ends when the socket disconnects.
func (s *Socket) Context() context.Context { return &s.ctx }

// Data returns the last value of SetData, or nil.
func (s *Socket) Data() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data
}

// SetData stores a value of the program with the socket. On this server Data returns v;
// on every server FetchSockets returns its JSON. v is encoded during the
// call, as an argument of Emit is; later changes in v reach other servers with
// the next SetData and do not race with anything. If v cannot be encoded, or
// only with attachments (a []byte, a Value with binary parts), SetData returns
// an error that wraps ErrEncode and keeps the previous data.
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

// Rooms returns the names of the socket's rooms, its own first. In a disconnect
// handler it returns the rooms that the socket was in.
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

// Join adds the socket to rooms. It returns ErrDisconnected if the socket is
// not connected. With an adapter that requires it, Join then waits until the
// cluster delivers to the rooms, for a bounded time or until ctx ends.
func (s *Socket) Join(ctx context.Context, rooms ...string) error {
	if !s.join(rooms) {
		return ErrDisconnected
	}
	for _, room := range rooms {
		s.ns.adapter.AwaitRoom(ctx, room)
	}
	return nil
}

// Leave removes the socket from the rooms; it ignores those that the socket is not in. A
// broadcast to them that starts after Leave has returned does not reach the socket.
// Leave does not wait for the cluster.
func (s *Socket) Leave(rooms ...string) {
	var left []string
	s.ns.locked(func() {
		left = s.ns.sockets.Leave(s, rooms...)
		if s.recoverable() {
			for _, room := range left {
				s.ns.log.Leave(s.rec.session, room)
			}
		}
	})
	s.roomsLeft(left)
}

// join is Join without waiting; it reports false if the socket is not connected.
func (s *Socket) join(rooms []string) bool {
	var joined []string
	var ok bool
	s.ns.locked(func() {
		joined, ok = s.ns.sockets.Join(s, rooms...)
		if ok && s.recoverable() {
			for _, room := range joined {
				s.ns.log.Join(s.rec.session, room)
			}
		}
	})
	s.roomsJoined(joined)
	return ok
}

// Disconnect disconnects the socket from its namespace; the client does not
// reconnect by itself. With closeConn it disconnects the client's other sockets
// too and closes the session. Without closeConn the session is closed only if
// the namespace has [Namespace.CloseUnused] and the client uses no other
// namespace. To make the client reconnect, close only the connection:
// s.Session().Close().
func (s *Socket) Disconnect(closeConn bool) {
	if closeConn {
		s.client.disconnect()
		s.forsake()
		return
	}
	s.disconnect()
}

func (s *Socket) disconnect() {
	if !s.Connected() {
		s.forsake()
		return
	}
	s.client.remove(s, true)
	if s.close(ReasonServerDisconnect) {
		farewell, _ := s.client.message(&packet.Packet{Type: packet.Disconnect, Namespace: s.nsName}, false)
		s.post(farewell)
		if s.ns.closeUnused.Load() {
			s.client.closeUnused()
		}
		return
	}
	s.forsake() // its connection was lost at the same time
}

// queue queues a message for the client and starts writing it. It does not wait.
func (s *Socket) queue(m *engineio.Message) (queued engineio.Queued, err error) {
	queued = s.client.server.engine.Batch(func(b *engineio.Batch) { err = b.Add(s.client.session, m) })
	if err != nil {
		return queued, fmt.Errorf("%w: %w", ErrDisconnected, err)
	}
	return queued, nil
}

// post is queue that waits only for the machine, not for a slow client, because
// many sockets may be disconnected in a row.
func (s *Socket) post(m *engineio.Message) {
	queued, _ := s.queue(m)
	queued.Settle()
}

// send is queue that waits as Emit does.
func (s *Socket) send(ctx context.Context, m *engineio.Message) error {
	queued, err := s.queue(m)
	queued.Wait(ctx, engineio.Patient)
	return err
}

// close ends the socket; it reports false if it had ended before. The
// disconnect handlers run after the event handlers: events that the client sent
// before it disconnected are still handled, but if the server disconnected it,
// waiting events are dropped.
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
		s.inbox.events = slices.DeleteFunc(s.inbox.events, func(e *Event) bool { return e.mark == nil })
	}
	acks := s.takeAcks(true)
	for _, p := range acks {
		if p.then != nil {
			s.inbox.events = append(s.inbox.events, s.answered(p, adapter.Args{}, ErrDisconnected))
		}
	}
	s.inbox.release()
	s.ctx.cancel()
	s.mu.Unlock()
	for _, p := range acks {
		if p.then == nil {
			p.take(adapter.Args{}, ErrDisconnected)
		}
	}
	if was == connected {
		s.unlist()
	}
	s.work()
	return true
}

// dismissed reports whether the server disconnected the socket.
func (s *Socket) dismissed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == disconnected && s.reason == ReasonServerDisconnect
}

// unlist removes the socket from the room table and keeps the names of its
// rooms.
func (s *Socket) unlist() {
	var rooms []string
	listed, let := false, false
	s.ns.locked(func() {
		if !s.recoverable() {
			rooms = s.ns.sockets.Remove(s)
			listed = rooms != nil
		} else if listed = s.ns.sockets.In(s, s.id); listed {
			rooms = s.rec.session.Rooms()
			s.leftRooms(rooms)     // before disconnect handlers, which may run already, ask for them
			s.ns.hold(s.id, rooms) // before they lose their last member
			s.ns.sockets.Remove(s)
			let = !s.store(rooms)
		}
	})
	if let {
		s.ns.let(s.id, rooms)
	}
	if !listed {
		return
	}
	s.leftRooms(rooms)
	s.roomsLeft(rooms)
}

// leftRooms keeps the names of the rooms that the socket was in.
func (s *Socket) leftRooms(rooms []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rooms = append([]string{s.id}, rooms...)
}
