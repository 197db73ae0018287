package socket

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/puente-io/puente/compat/zishang520/events"
	"github.com/puente-io/puente/compat/zishang520/types"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// Namespace is a group of sockets, one per client at most. It emits "connection" (and
// "connect") with each new *Socket, and what other servers emit with ServerSideEmit;
// the namespace "/" also emits "new_namespace".
type Namespace interface {
	On(event string, listeners ...events.Listener) error
	Once(event string, listeners ...events.Listener) error
	EmitReserved(event string, args ...any)
	EmitUntyped(event string, args ...any)
	Listeners(event string) []events.Listener
	// EventEmitter returns the emitter, which can also remove listeners.
	EventEmitter() *StrictEventEmitter

	// Name returns the namespace's name, "/" for the root.
	Name() string
	Server() *Server
	// Adapter shows the rooms of this server.
	Adapter() Adapter
	// Sockets returns this server's sockets. Do not change the map.
	Sockets() *types.Map[SocketId, *Socket]
	// Use adds a middleware. Middleware runs in the order of the calls.
	Use(NamespaceMiddleware) Namespace

	// These return operators for sockets of the namespace on all servers.
	To(...Room) *BroadcastOperator
	In(...Room) *BroadcastOperator
	Except(...Room) *BroadcastOperator
	Local() *BroadcastOperator
	Volatile() *BroadcastOperator
	Compress(bool) *BroadcastOperator
	Timeout(time.Duration) *BroadcastOperator

	// These act on all sockets of the namespace, see BroadcastOperator.
	Emit(event string, args ...any) error
	EmitWithAck(event string, args ...any) func(Ack)
	Send(...any) Namespace
	Write(...any) Namespace
	FetchSockets() func(func([]*RemoteSocket, error))
	SocketsJoin(...Room)
	SocketsLeave(...Room)
	DisconnectSockets(closeConnection bool)
	// Deprecated: use FetchSockets, which also finds the sockets of other servers.
	AllSockets() (*types.Set[SocketId], error)

	// ServerSideEmit emits an event to the listeners of the other servers. If the last
	// argument is an Ack it gets the first argument of each answer, and an error if some
	// did not come within 5 s. ServerSideEmit returns an error if this server has no
	// adapter, the name is reserved or an argument cannot be encoded.
	ServerSideEmit(event string, args ...any) error
	// ServerSideEmitWithAck returns a function that calls ServerSideEmit with its
	// argument.
	ServerSideEmitWithAck(event string, args ...any) func(Ack) error
}

// errNoCluster: there are no other servers.
var errNoCluster = errors.New("this adapter does not support the ServerSideEmit() functionality")

// namespace is a namespace, or a parent, see pattern.
type namespace struct {
	*StrictEventEmitter
	server   *Server
	name     string
	sockets  *types.Map[SocketId, *Socket]
	incoming queue // events of other servers

	mu  sync.Mutex
	fns []NamespaceMiddleware

	// io is the namespace of the current node, or nil: either there is no node yet, or
	// this is a parent.
	io     atomic.Pointer[socketio.Namespace]
	parent *namespace // whose pattern matched, or nil
	// dynamic: a client's CONNECT made it, so it may go with its last socket.
	dynamic bool
	*pattern
}

func newNamespace(server *Server, name string) *namespace {
	return &namespace{StrictEventEmitter: NewStrictEventEmitter(), server: server, name: name, sockets: new(types.Map[SocketId, *Socket])}
}

func (n *namespace) Name() string                           { return n.name }
func (n *namespace) Server() *Server                        { return n.server }
func (n *namespace) Sockets() *types.Map[SocketId, *Socket] { return n.sockets }
func (n *namespace) EventEmitter() *StrictEventEmitter      { return n.StrictEventEmitter }

// emitted calls the listeners of an event.
func (n *namespace) emitted(event string, args ...any) { n.StrictEventEmitter.Emit(event, args...) }

func (n *namespace) Use(m NamespaceMiddleware) Namespace {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fns = append(slices.Clip(n.fns), m)
	return n
}

func (n *namespace) middleware() []NamespaceMiddleware {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.fns
}

// admit runs the middleware for a socket.
func (n *namespace) admit(ctx context.Context, s *Socket) error {
	for _, m := range n.middleware() {
		passed := make(chan *ExtendedError, 1)
		m(s, func(err *ExtendedError) {
			select {
			case passed <- err:
			default: // next has been called twice
			}
		})
		select {
		case err := <-passed:
			if err != nil {
				return &socketio.ConnectError{Message: err.message, Data: connectData(err.data)}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// connectData is the data of a refusal as package socketio sends it, or nil.
func connectData(data any) any {
	if data == nil {
		return nil
	}
	text, _, err := appendValue(nil, nil, data)
	if err != nil {
		return nil
	}
	return socketio.Value{JSON: text}
}

// live returns the namespace of the current node.
func (n *namespace) live() *socketio.Namespace {
	n.server.running()
	return n.io.Load()
}

func (n *namespace) operator() *BroadcastOperator { return &BroadcastOperator{nsp: n} }

func (n *namespace) To(rooms ...Room) *BroadcastOperator     { return n.operator().To(rooms...) }
func (n *namespace) In(rooms ...Room) *BroadcastOperator     { return n.operator().In(rooms...) }
func (n *namespace) Except(rooms ...Room) *BroadcastOperator { return n.operator().Except(rooms...) }
func (n *namespace) Local() *BroadcastOperator               { return n.operator().Local() }
func (n *namespace) Volatile() *BroadcastOperator            { return n.operator().Volatile() }
func (n *namespace) Compress(on bool) *BroadcastOperator     { return n.operator().Compress(on) }
func (n *namespace) Timeout(d time.Duration) *BroadcastOperator {
	return n.operator().Timeout(d)
}

func (n *namespace) Emit(event string, args ...any) error { return n.operator().Emit(event, args...) }

func (n *namespace) EmitWithAck(event string, args ...any) func(Ack) {
	return n.operator().EmitWithAck(event, args...)
}

func (n *namespace) Send(args ...any) Namespace {
	n.Emit("message", args...)
	return n
}

func (n *namespace) Write(args ...any) Namespace { return n.Send(args...) }

func (n *namespace) FetchSockets() func(func([]*RemoteSocket, error)) {
	return n.operator().FetchSockets()
}
func (n *namespace) SocketsJoin(rooms ...Room)  { n.operator().SocketsJoin(rooms...) }
func (n *namespace) SocketsLeave(rooms ...Room) { n.operator().SocketsLeave(rooms...) }
func (n *namespace) DisconnectSockets(closeConnection bool) {
	n.operator().DisconnectSockets(closeConnection)
}
func (n *namespace) AllSockets() (*types.Set[SocketId], error) { return n.operator().AllSockets() }

func (n *namespace) ServerSideEmit(event string, args ...any) error {
	if n.pattern != nil || !n.server.clustered() {
		return errNoCluster
	}
	plain, ack := splitAck(args)
	list, err := encode(plain)
	if err != nil {
		return err
	}
	if ack == nil {
		return n.live().ServerSideEmit(context.Background(), event, list...)
	}
	io := n.live()
	go func() {
		values, err := io.ServerSideEmitWithAck(context.Background(), event, list...)
		answers, decodeErr := appendDecoded([]any{}, values)
		n.server.guard(event, func() { ack(answers, errors.Join(err, decodeErr)) })
	}()
	return nil
}

func (n *namespace) ServerSideEmitWithAck(event string, args ...any) func(Ack) error {
	return func(ack Ack) error { return n.ServerSideEmit(event, append(args[:len(args):len(args)], ack)...) }
}

// receive passes an event of another server to the listeners. reply, if not nil, takes
// the answer.
func (n *namespace) receive(event string, args adapter.Args, reply func(adapter.Args)) {
	n.incoming.add(func() {
		n.server.guard(event, func() {
			list, err := decodeArgs(args)
			if err != nil {
				n.server.report(event, err)
				return
			}
			if reply != nil {
				list = append(list, n.answer(event, reply))
			}
			n.EmitUntyped(event, list...)
		})
	})
}

// answer returns the function that answers an event of another server, once.
func (n *namespace) answer(event string, reply func(adapter.Args)) Ack {
	var once sync.Once
	return func(args []any, _ error) {
		once.Do(func() {
			list, err := encode(args)
			if err != nil {
				n.server.report(event, err)
				return
			}
			var a adapter.Args
			for i, arg := range list {
				if i > 0 {
					a.List = append(a.List, ',')
				}
				a.List, a.Attachments, _ = socketio.AppendArg(a.List, a.Attachments, arg) // encoded already
			}
			reply(a)
		})
	}
}

// queue runs functions one after the other on a goroutine that ends when there are no
// more.
type queue struct {
	mu      sync.Mutex
	waiting []func()
	running bool
}

func (q *queue) add(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, f)
	if !q.running {
		q.running = true
		go q.run()
	}
}

func (q *queue) run() {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.running = false
			q.mu.Unlock()
			return
		}
		f := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.mu.Unlock()
		f()
	}
}
