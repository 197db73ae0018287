package realtime

import (
	"context"
	"errors"
	"time"

	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/socketio"
)

// Options configures a [Service].
type Options struct {
	// Namespace is the namespace of the service. Required.
	Namespace *socketio.Namespace
	// Verifier verifies tokens. If it is nil, tokens are refused and the program
	// must call RegisterUser.
	Verifier *auth.Verifier
	// Cluster connects the service with other nodes. The namespace's server must use its
	// adapter. Default: there are no other nodes.
	Cluster Cluster
	// Presence knows the users of the cluster. Default: that of Cluster, or that of this
	// node only.
	Presence presence.Presence
	// Policy decides what users may do. Default: [DefaultPolicy].
	Policy Policy
	// Public are the events that sockets without a user may send besides authenticate
	// and ping. All others, the program's own included, are refused as unauthenticated
	// and do not reach their handlers. Until a socket has a user, its events count
	// towards a limit of its own.
	Public []string
	// AuthRequired refuses sockets without a token at the handshake. Default: they
	// may connect and must authenticate within AuthTimeout.
	AuthRequired bool
	// AuthTimeout is how long a socket may stay connected without a user.
	// Negative: forever. Default: 30 s.
	AuthTimeout time.Duration
	// IgnoreExpiry keeps connections open after their token has expired: tokens are
	// checked only on arrival. Default: the client gets the event error (code
	// unauthenticated, reason token_expired) and its connection is closed with all
	// its namespaces. The official client then reconnects and asks its auth function
	// for a token.
	IgnoreExpiry bool
	// RateLimit is how many events a user may send within RateWindow over all its
	// sockets on this node. Pings have the same limit, per socket. Negative: no
	// limit, for either. Default: 100 in 60 s.
	RateLimit  int
	RateWindow time.Duration
	// MaxRefusedEvents is how many events of a socket may be refused within
	// RateWindow, because of RateLimit, or as invalid or not allowed. The next one
	// closes the connection with [ReasonRefusals]; the client may reconnect.
	// Default: no limit.
	MaxRefusedEvents int
	// MaxSocketsPerUser bounds the sockets that one user may have on this node;
	// [Service.RegisterUser] is not bound by it. Default: no limit, because the
	// devices of a machine-to-machine service may all use one user id.
	MaxSocketsPerUser int
	// MaxRoomsPerSocket bounds the rooms that a client joins with one socket.
	// Negative: no limit. Default: 1000.
	MaxRoomsPerSocket int
	// PresenceMax is the number of users in a room above which joins and leaves are
	// not announced there. Negative: they never are. Default: 1000.
	PresenceMax int
	// PresenceGrace is how long a user stays connected, and in its rooms, whose last
	// client has lost its connection and may be recovered, see
	// [socketio.RecoveryOptions]. If it comes back in time nothing is announced.
	// Negative: no time at all. Default: 3 s.
	PresenceGrace time.Duration
	// ClusterRequired makes a degraded node unhealthy unless it still reaches the
	// cluster, see [Degraded].
	ClusterRequired bool
	// Hooks observe the service.
	Hooks Hooks
}

// Service is the service of one node, see the package comment. Its methods are safe for
// concurrent use.
type Service struct {
	opts     Options
	ns       *socketio.Namespace
	presence presence.Presence
	policy   Policy
	limits   *limiter
	foreign  foreignNodes
	counters counters
	started  time.Time
	graces   graces
	pending  pendingNotifications
}

// New returns a service and sets up its namespace. It installs middleware that verifies
// tokens, limits events and refuses those of sockets without a user (see
// [Options.Public]), and functions that register and unregister devices. It calls
// [socketio.Namespace.CloseUnused] and [socketio.Namespace.StartAnonymous]: a socket is
// anonymous while it has no user. When the functions of OnConnect have returned, the
// auth payload of the CONNECT is dropped, see [socketio.Socket.ForgetAuth].
//
// Package handlers installs the handlers of the documented events.
func New(opts Options) (*Service, error) {
	if opts.Namespace == nil {
		return nil, errors.New("realtime: Options.Namespace must be set")
	}
	if opts.Presence == nil && opts.Cluster != nil {
		opts.Presence = opts.Cluster.Presence()
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
	if opts.RateWindow < 0 {
		opts.RateLimit, opts.MaxRefusedEvents = -1, -1
	}
	if opts.PresenceGrace == 0 {
		opts.PresenceGrace = 3 * time.Second
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
	svc.ns.CheckRecovered()
	svc.ns.OnRecovery(svc.mayRecover)
	svc.ns.OnSessionExpired(svc.expired)
	return svc, nil
}

// Namespace returns the namespace of the service.
func (svc *Service) Namespace() *socketio.Namespace { return svc.ns }

// userRoom and roomName return the Socket.IO room of a user and of a room.
func userRoom(user ident.ID) string { return userPrefix + user.Key() }
func roomName(room ident.ID) string { return roomPrefix + room.Key() }

const (
	userPrefix = "user:"
	roomPrefix = "room:"
)

// SendToUser sends an event to every device of the user, on any node. delivered
// reports whether the user has one that is connected. If the presence knows none and the cluster has
// servers without presence, it asks them, for up to 500 ms. For errors see
// [Service.PublishUpdate].
func (svc *Service) SendToUser(ctx context.Context, user ident.ID, event string, args ...any) (delivered bool, err error) {
	delivered = svc.hasDevice(user)
	if err := svc.emit(ctx, userRoom(user), event, args...); err != nil {
		return false, err
	}
	return delivered || svc.hasForeignDevice(ctx, user), nil
}

// emitThen is emit without waiting for the cluster. It calls done once with what
// emit would have returned, possibly before emitThen returns.
func (svc *Service) emitThen(ctx context.Context, room string, done func(error), event string, args ...any) {
	op := svc.ns.To(room).OnAccepted(func(err error) { done(svc.published(err)) })
	if err := op.Emit(ctx, event, args...); err != nil {
		done(svc.published(err))
	}
}

// EmitToRoom sends an event to everyone in the room.
func (svc *Service) EmitToRoom(ctx context.Context, room ident.ID, event string, args ...any) error {
	return svc.emit(ctx, roomName(room), event, args...)
}

// Broadcast sends an event to all sockets, including those without a user.
func (svc *Service) Broadcast(ctx context.Context, event string, args ...any) error {
	return svc.published(svc.ns.All().EmitAccepted(ctx, event, args...))
}

func (svc *Service) emit(ctx context.Context, room, event string, args ...any) error {
	return svc.published(svc.ns.To(room).EmitAccepted(ctx, event, args...))
}

// DisconnectUser sends all devices of the user, on any node, the event
// force-disconnect {reason} and disconnects them; clients do not reconnect by
// themselves. It returns how many devices there were.
func (svc *Service) DisconnectUser(ctx context.Context, user ident.ID, reason string) (devices int, err error) {
	devices = len(svc.UserSockets(user))
	op := svc.ns.To(userRoom(user))
	err = op.Emit(ctx, "force-disconnect", map[string]string{"reason": reason})
	if e := op.Disconnect(ctx, false); err == nil {
		err = e
	}
	return devices, svc.clusterAway(err)
}

// UserID returns the user of a socket, on whichever node the socket is. It reports false
// if the socket has no user.
func (svc *Service) UserID(socketID string) (ident.ID, bool) {
	return svc.presence.View().User(socketID)
}

// UserSockets returns the ids of the user's sockets.
func (svc *Service) UserSockets(user ident.ID) []string {
	return svc.presence.View().Devices(user.Key())
}

// IsUserConnected reports whether the user has a device.
func (svc *Service) IsUserConnected(user ident.ID) bool {
	return svc.presence.View().Connected(user.Key())
}

// ConnectedUsersCount returns the number of users that have a device.
func (svc *Service) ConnectedUsersCount() int {
	users, _ := svc.presence.View().Counts()
	return users
}

// ConnectedUsers returns the users that have a device, sorted by [ident.ID.Key].
func (svc *Service) ConnectedUsers() []ident.ID { return svc.presence.View().Users() }

// Rooms returns the rooms that have a user, sorted by [ident.ID.Key].
func (svc *Service) Rooms() []ident.ID { return svc.presence.View().Rooms() }

// RoomsForUser returns the rooms that the user is in.
func (svc *Service) RoomsForUser(user ident.ID) []ident.ID {
	return svc.presence.View().RoomsOf(user.Key())
}

// UsersInRoom returns up to limit users of the room, and the total number.
func (svc *Service) UsersInRoom(room ident.ID, limit int) (users []ident.ID, total int) {
	return svc.presence.View().Members(room.Key(), limit)
}

// IsUserInRoom reports whether the user is in the room, with any device.
func (svc *Service) IsUserInRoom(user, room ident.ID) bool {
	return svc.presence.View().In(user.Key(), room.Key())
}
