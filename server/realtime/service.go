package realtime

import (
	"context"
	"fmt"
	"time"

	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/socketio"
)

// Options configures a [Service].
type Options struct {
	// Namespace is where the service lives. Required.
	Namespace *socketio.Namespace
	// Verifier verifies tokens. Without one none is accepted, and the program
	// calls RegisterUser by itself.
	Verifier *auth.Verifier
	// Presence knows the users of the cluster. Default: of this node alone.
	Presence presence.Presence
	// Policy decides what users may do. Default: [DefaultPolicy].
	Policy Policy
	// AuthRequired refuses sockets without a token at the handshake. Default:
	// they may connect, and authenticate within AuthTimeout.
	AuthRequired bool
	// AuthTimeout is how long a socket may stay connected without a user.
	// Negative: forever. Default: 30 s.
	AuthTimeout time.Duration
	// IgnoreExpiry keeps the connections of sockets whose token expires, as long as
	// they last: tokens are checked when they come, and no more. Default: the
	// client gets the event error, code unauthenticated, reason token_expired, and
	// its connection is closed, with all its namespaces; the official client
	// connects again by itself, and asks its auth function for a token.
	IgnoreExpiry bool
	// RateLimit is how many events a user may send within RateWindow, over all
	// his sockets on this node; pings count apart, per socket. Negative: any
	// number. Default: 100 in 60 s.
	RateLimit  int
	RateWindow time.Duration
	// MaxRefusedEvents is how many events of a socket may be refused within
	// RateWindow, as beyond RateLimit, invalid, or not allowed; one more ends its
	// connection with [ReasonRefusals], and the client may come back.
	// Default: any number.
	MaxRefusedEvents int
	// MaxSocketsPerUser bounds the sockets on this node that clients register
	// to one user. Default: any number, since all devices of a service may be
	// one user.
	MaxSocketsPerUser int
	// MaxRoomsPerSocket bounds the rooms that a client puts its socket into.
	// Negative: any number. Default: 1000.
	MaxRoomsPerSocket int
	// PresenceMax is up to how many users of a room its members are told of
	// those who come and go. Negative: never. Default: 1000.
	PresenceMax int
	// Degraded tells whether the cluster is away. Default: it never is.
	Degraded func() Degradation
	// ClusterGaps counts when messages of other nodes may have been lost. Default:
	// never.
	ClusterGaps func() Gaps
	// ClusterRequired makes a degraded node unhealthy, unless it is connected.
	ClusterRequired bool
	// Audit observes. Functions that are nil are not called.
	Audit Audit
}

// Audit has functions that are told what happens, by the goroutine that it
// happens to. They must return soon.
type Audit struct {
	// Connected and Disconnected: a socket has come, and has gone after a while.
	Connected    func(s *socketio.Socket)
	Disconnected func(s *socketio.Socket, user ident.ID, reason socketio.Reason, after time.Duration)
	// Authenticated: a socket has been registered to a user.
	Authenticated func(s *socketio.Socket, user ident.ID)
	// Refused: a client was not let in as the user that it wants to be, with the
	// code that it reads: of [auth.Code], user_mismatch, or a [Code].
	Refused func(s *socketio.Socket, code string, err error)
	// Expired: a socket is disconnected because it did not authenticate in time
	// (the zero user), or because its token has expired.
	Expired func(s *socketio.Socket, user ident.ID)
	// Failed: an event ended with an error. Default: those that the client reads as
	// an internal error are logged with slog.Default, at level Error.
	Failed func(s *socketio.Socket, event string, err error)
}

// Service is the documented service. Its methods are safe for concurrent use.
type Service struct {
	opts      Options
	ns        *socketio.Namespace
	presence  presence.Presence
	policy    Policy
	limits    *limiter
	strangers strangers
	counters  counters
	started   time.Time
}

// New returns a service and installs in the namespace what it needs: a
// middleware that verifies tokens, one for events that counts and limits them,
// functions that register and unregister devices, [socketio.Namespace.CloseUnused]
// and [socketio.Namespace.StartAnonymous]: a socket is anonymous while it has no
// user. What a client sends with CONNECT is dropped once the functions of OnConnect
// have returned, see [socketio.Socket.ForgetAuth]. The handlers of the
// documented events are package handlers' affair.
func New(opts Options) (*Service, error) {
	if opts.Namespace == nil {
		return nil, fmt.Errorf("realtime: no namespace")
	}
	if opts.Presence == nil {
		opts.Presence = presence.NewMemory().Node()
	}
	if opts.Policy == nil {
		opts.Policy = DefaultPolicy{}
	}
	if opts.AuthTimeout == 0 {
		opts.AuthTimeout = 30 * time.Second
	}
	if opts.RateLimit == 0 {
		opts.RateLimit = 100
	}
	if opts.RateWindow == 0 {
		opts.RateWindow = time.Minute
	}
	if opts.MaxRoomsPerSocket == 0 {
		opts.MaxRoomsPerSocket = 1000
	}
	if opts.PresenceMax == 0 {
		opts.PresenceMax = 1000
	}
	svc := &Service{
		opts:     opts,
		ns:       opts.Namespace,
		presence: opts.Presence,
		policy:   opts.Policy,
		limits:   newLimiter(opts.RateLimit, opts.RateWindow),
		started:  time.Now(),
	}
	svc.presence.Watch(presence.Watch{Event: svc.announce, Limit: opts.PresenceMax, Shown: maxUsersShown})
	svc.ns.CloseUnused()
	svc.ns.StartAnonymous()
	svc.ns.Use(svc.verifyHandshake)
	svc.ns.OnConnect(svc.connected)
	svc.ns.OnDisconnect(svc.disconnected)
	svc.ns.UseEvent(svc.admit)
	return svc, nil
}

// Namespace is where the service lives.
func (svc *Service) Namespace() *socketio.Namespace { return svc.ns }

// userRoom and roomName are the Socket.IO rooms that stand for users and rooms.
func userRoom(user string) string { return "user:" + user }
func roomName(room string) string { return "room:" + room }

// SendToUser sends an event to every device of the user, on any node. delivered
// tells whether the user has one; where the cluster has servers without presence
// they are asked, for 500 ms at most. For errors see [Service.PublishUpdate].
func (svc *Service) SendToUser(ctx context.Context, user ident.ID, event string, args ...any) (delivered bool, err error) {
	delivered = svc.presence.View().Connected(user.Key())
	if err := svc.emit(ctx, userRoom(user.Key()), event, args...); err != nil {
		return false, err
	}
	return delivered || svc.elsewhere(ctx, user.Key()), nil
}

// emitThen is emit that does not wait for the cluster: done gets, once, possibly
// before it returns, what emit would have returned.
func (svc *Service) emitThen(ctx context.Context, room string, done func(error), event string, args ...any) {
	op := svc.ns.To(room).OnAccepted(func(err error) { done(svc.published(err)) })
	if err := op.Emit(ctx, event, args...); err != nil {
		done(svc.published(err))
	}
}

// EmitToRoom sends an event to everyone in the room.
func (svc *Service) EmitToRoom(ctx context.Context, room ident.ID, event string, args ...any) error {
	return svc.emit(ctx, roomName(room.Key()), event, args...)
}

// Broadcast sends an event to all sockets, also to those without a user.
func (svc *Service) Broadcast(ctx context.Context, event string, args ...any) error {
	return svc.published(svc.ns.All().EmitAccepted(ctx, event, args...))
}

func (svc *Service) emit(ctx context.Context, room, event string, args ...any) error {
	return svc.published(svc.ns.To(room).EmitAccepted(ctx, event, args...))
}

// DisconnectUser disconnects all devices of the user, on any node, after the
// event force-disconnect {reason}. They do not come back by themselves. It
// returns how many there were.
func (svc *Service) DisconnectUser(ctx context.Context, user ident.ID, reason string) (devices int, err error) {
	devices = len(svc.UserSockets(user.Key()))
	op := svc.ns.To(userRoom(user.Key()))
	err = op.Emit(ctx, "force-disconnect", map[string]string{"reason": reason})
	if e := op.Disconnect(ctx, false); err == nil {
		err = e
	}
	return devices, svc.clusterAway(err)
}

// UserID returns the user that a socket is a device of, on any node.
func (svc *Service) UserID(socketID string) (ident.ID, bool) {
	return svc.presence.View().User(socketID)
}

// UserSockets returns the ids of the user's sockets. Users and rooms are named
// by their canonical text in the methods that ask: "42" for 42, too.
func (svc *Service) UserSockets(user string) []string { return svc.presence.View().Devices(user) }

// IsUserConnected reports whether the user has a device.
func (svc *Service) IsUserConnected(user string) bool { return svc.presence.View().Connected(user) }

// ConnectedUsersCount is the number of users that have a device.
func (svc *Service) ConnectedUsersCount() int {
	users, _ := svc.presence.View().Counts()
	return users
}

// ConnectedUsers returns the users that have a device, ordered by their text.
func (svc *Service) ConnectedUsers() []ident.ID { return svc.presence.View().Users() }

// Rooms returns the rooms that have a user, ordered by their text.
func (svc *Service) Rooms() []ident.ID { return svc.presence.View().Rooms() }

// RoomsForUser returns the rooms that the user is in.
func (svc *Service) RoomsForUser(user string) []ident.ID { return svc.presence.View().RoomsOf(user) }

// UsersInRoom returns up to limit users of the room and how many there are.
func (svc *Service) UsersInRoom(room string, limit int) (users []ident.ID, total int) {
	return svc.presence.View().Members(room, limit)
}

// IsUserInRoom reports whether the user is in the room, with any device.
func (svc *Service) IsUserInRoom(user, room string) bool {
	return svc.presence.View().In(user, room)
}
