package realtime

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/socketio"
)

// session is the service's state of a socket.
type session struct {
	since time.Time

	// Owned by the goroutine that runs the socket's handlers.
	pings   window
	refused socketio.Refusals
	counted bool // in the statistics, as a connection

	// moves is held while a connected socket joins or leaves a room, or is registered
	// or unregistered, until the cluster knows. So moves happen one at a time, in the
	// same order in the presence and in the Socket.IO namespace. It is taken before
	// mu, which must not be held while waiting. A disconnect does not take it: moves
	// that find the socket disconnected have no effect.
	moves sync.Mutex

	// mu guards the fields below. It is taken before any lock of the presence or the
	// namespace.
	mu         sync.Mutex
	claims     auth.Claims // UserID is zero until the socket has a user
	registered bool        // the socket is a device of the user in claims
	timer      *time.Timer // ends the connection: authentication timeout, or token expiry
	events     *window     // the user's, or the socket's own before it has one
	ended      bool

	inherited bool       // the claims are those of the socket before
	rooms     []ident.ID // of the socket before, or when it disconnected and may be recovered
}

var sessions = socketio.NewKey[*session]()

// sessionOf returns nil for a socket of another namespace.
func sessionOf(s *socketio.Socket) *session {
	sess, _ := sessions.Get(s)
	return sess
}

// SocketData is the data of a socket that other servers can read, see
// [socketio.Socket.Data]. Node servers store the same, see compat/MIGRATION.md.
type SocketData struct {
	UserID ident.ID `json:"userId"`
}

// AppendArg implements [socketio.ArgAppender], for speed: each socket has a SocketData.
func (d SocketData) AppendArg(dst []byte, attachments [][]byte) ([]byte, [][]byte, error) {
	return append(d.UserID.AppendJSON(append(dst, `{"userId":`...)), '}'), attachments, nil
}

// verifyHandshake is the connection middleware. It refuses invalid tokens, and
// missing ones if AuthRequired is set.
func (svc *Service) verifyHandshake(ctx context.Context, s *socketio.Socket) error {
	sess := &session{since: time.Now(), events: new(window)}
	sessions.Set(s, sess)
	s.ForgetAuth()
	token, err := sentToken(s)
	if err != nil {
		return svc.refuse(s, err)
	}
	if isMissing(token) {
		if svc.opts.AuthRequired {
			return svc.refuse(s, auth.ErrTokenMissing)
		}
		return nil
	}
	claims, err := svc.verify(ctx, token)
	if err != nil {
		return svc.refuse(s, err)
	}
	// Only register counts the socket; this check refuses most sockets beyond the
	// limit before they are connected.
	if most := svc.opts.MaxSocketsPerUser; most > 0 && svc.limits.sockets(claims.UserID.Key()) >= most {
		return svc.refuseSocket(s)
	}
	sess.claims = claims
	s.SetAnonymous(false) // here: the client may send as soon as CONNECT is answered
	return nil
}

// refuseSocket returns the refusal for a user that has too many sockets.
func (svc *Service) refuseSocket(s *socketio.Socket) error {
	svc.tooManySockets(s)
	e := ErrTooManySockets
	return bare(s, &socketio.ConnectError{Message: e.Message, Data: map[string]Code{"code": e.Code}})
}

func (svc *Service) tooManySockets(s *socketio.Socket) {
	svc.counters.limitedSockets.Add(1)
	svc.onRefused(s, string(ErrTooManySockets.Code), ErrTooManySockets)
}

func (svc *Service) refuse(s *socketio.Socket, err error) error {
	svc.onRefused(s, auth.Code(err), err)
	return bare(s, refusal(err))
}

// verify verifies a token as received. The claims have no Raw.
func (svc *Service) verify(ctx context.Context, token socketio.Value) (auth.Claims, error) {
	claims, err := verify(ctx, svc.opts.Verifier, token)
	claims.Raw = nil
	return claims, err
}

// connected runs when CONNECT has been answered.
func (svc *Service) connected(ctx context.Context, s *socketio.Socket) error {
	svc.counters.connections.Add(1)
	svc.onConnected(s)
	sess := sessionOf(s)
	sess.counted = true
	svc.disinherit(s, sess)
	claims := svc.Claims(s)
	if claims.UserID.IsZero() {
		svc.awaitAuthentication(s, sess)
		return nil
	}
	reply, err := svc.registerClient(s, claims)
	if err == ErrTooManySockets {
		// Other sockets were registered since verifyHandshake. When the client
		// reconnects, that refuses it.
		sess.mu.Lock()
		sess.claims = auth.Claims{}
		sess.mu.Unlock()
		svc.counters.errors.Add(1)
		s.Emit(ctx, "error", ErrTooManySockets.Message, EventError{Error: *ErrTooManySockets, Event: eventAuthenticate})
		s.Session().Close()
		return nil
	}
	if err != nil {
		return err
	}
	svc.rejoin(s, sess)
	return s.Emit(ctx, "authenticated", reply)
}

func (svc *Service) awaitAuthentication(s *socketio.Socket, sess *session) {
	if svc.opts.AuthTimeout < 0 {
		return
	}
	sess.mu.Lock()
	defer sess.mu.Unlock()
	if sess.ended || !sess.claims.UserID.IsZero() {
		return
	}
	within := svc.opts.AuthTimeout
	if since := s.AnonymousSince(); !since.IsZero() { // leaving and joining the namespace does not restart it
		within -= time.Since(since)
	}
	sess.timer = time.AfterFunc(within, func() {
		sess.mu.Lock()
		late := !sess.ended && sess.claims.UserID.IsZero()
		sess.ended = sess.ended || late // as in expire
		sess.mu.Unlock()
		if !late {
			return // ended or authenticated at the last moment
		}
		svc.counters.authTimeouts.Add(1)
		svc.onExpired(s, ident.ID{})
		s.Disconnect(false)
	})
}

// Authenticate verifies a token that a client sent and registers the socket to its
// user, which must equal user unless that is zero. If the socket has a user already,
// the token must be the same user's; it replaces the previous one, and the socket
// leaves the rooms that the new one does not allow. Errors are [*Error] with a
// reason, or those of [Service.RegisterUser].
func (svc *Service) Authenticate(ctx context.Context, s *socketio.Socket, token socketio.Value, user ident.ID) (Authenticated, error) {
	claims, err := svc.verify(ctx, token)
	if errors.Is(err, auth.ErrUnavailable) {
		return Authenticated{}, ErrUnavailable
	}
	reason := auth.Code(err)
	switch current := svc.Claims(s).UserID; {
	case err != nil:
	case !current.IsZero() && !current.Equal(claims.UserID):
		reason, err = reasonUserMismatch, errUserMismatch
	case !user.IsZero() && !user.Equal(claims.UserID):
		reason, err = auth.Code(auth.ErrTokenInvalid), errUserMismatch
	}
	if err != nil {
		svc.onRefused(s, reason, err)
		return Authenticated{}, authenticationFailed(reason)
	}
	return svc.registerClient(s, claims)
}

// errUserMismatch is for the log.
var errUserMismatch = errors.New("realtime: token of another user")

// registerClient is RegisterUser with the limit MaxSocketsPerUser.
func (svc *Service) registerClient(s *socketio.Socket, claims auth.Claims) (Authenticated, error) {
	out, err := svc.registerUser(s, claims, svc.opts.MaxSocketsPerUser)
	if err == ErrTooManySockets {
		svc.tooManySockets(s)
	}
	return out, err
}

// RegisterUser makes the socket a device of the claims' user. When the claims
// expire, the connection is closed, unless they have been replaced or
// [Options.IgnoreExpiry] is set. If the socket has a user already, the claims must be
// the same user's and replace the previous ones; the socket then leaves the rooms
// that the policy allowed with the previous claims and does not allow with these,
// and the client gets room-left for each. Errors are [*Error], or
// socketio.ErrDisconnected.
func (svc *Service) RegisterUser(s *socketio.Socket, claims auth.Claims) (Authenticated, error) {
	return svc.registerUser(s, claims, 0)
}

func (svc *Service) registerUser(s *socketio.Socket, claims auth.Claims, most int) (Authenticated, error) {
	sess := sessionOf(s)
	if sess == nil || claims.UserID.IsZero() {
		return Authenticated{}, ErrInternal
	}
	before := svc.Claims(s)
	user, fresh, err := svc.register(s, sess, claims, most)
	if err != nil {
		return Authenticated{}, err
	}
	if !fresh {
		svc.narrow(s, before, claims)
	}
	if fresh {
		svc.onAuthenticated(s, user)
	}
	return Authenticated{UserID: user, SocketID: s.ClientID(), Timestamp: time.Now()}, nil
}

// narrow removes the socket from the rooms that the policy allowed with the claims
// before and does not allow now. The client gets room-left for each, the other
// members user-left as usual. Rooms that the policy allowed neither way were joined
// by the program, and stay.
func (svc *Service) narrow(s *socketio.Socket, before, now auth.Claims) {
	if before.AnyRoom == now.AnyRoom && slices.Equal(before.Rooms, now.Rooms) &&
		slices.Equal(before.Roles, now.Roles) && bytes.Equal(before.Raw, now.Raw) {
		return
	}
	ctx := s.Context()
	for _, room := range svc.RoomsForUser(now.UserID) {
		if !s.In(roomName(room)) || svc.policy.JoinRoom(ctx, now, room) == nil || svc.policy.JoinRoom(ctx, before, room) != nil {
			continue
		}
		left, err := svc.LeaveRoom(ctx, s, room)
		if err != nil {
			return // the socket disconnected, which ended all memberships
		}
		s.Emit(ctx, "room-left", left)
	}
}

// register makes the socket a device of the claims' user, or replaces its claims;
// fresh reports whether it had no user. It returns ErrTooManySockets if the user
// already has most sockets (0: no limit).
func (svc *Service) register(s *socketio.Socket, sess *session, claims auth.Claims, most int) (user ident.ID, fresh bool, err error) {
	sess.moves.Lock()
	defer sess.moves.Unlock()
	defer svc.ns.Hold(s.Context(), userRoom(claims.UserID))() // waits for the cluster
	sess.mu.Lock()
	defer sess.mu.Unlock()
	user, fresh = claims.UserID, !sess.registered
	switch {
	case !fresh && !user.Equal(sess.claims.UserID):
		return user, false, authenticationFailed(reasonUserMismatch)
	case sess.ended:
		return user, false, socketio.ErrDisconnected
	case fresh:
		if err := svc.addDevice(s, sess, user, most); err != nil {
			return user, false, err
		}
	default:
		user = sess.claims.UserID // as written in the socket's first token
		claims.UserID = user
	}
	sess.claims = claims
	svc.expire(s, sess)
	return user, fresh, nil
}

// addDevice is register for a socket without a user. It waits for nothing: session.mu
// is held.
func (svc *Service) addDevice(s *socketio.Socket, sess *session, user ident.ID, most int) error {
	events := svc.limits.user(user.Key(), most)
	if events == nil {
		return ErrTooManySockets
	}
	room := userRoom(user)
	svc.ns.To(s.ID()).Local().Join(s.Context(), room)
	if !s.In(room) {
		svc.limits.release(events)
		return socketio.ErrDisconnected
	}
	svc.graces.stop(s.ID())
	svc.presence.Connect(s.ID(), user)
	s.SetAnonymous(false)
	sess.registered, sess.events = true, events
	if s.Data() == nil {
		s.SetData(SocketData{UserID: user}) // cannot fail
	}
	return nil
}

// expire sets the timer for the expiry of the claims, which sends the event error
// and closes the connection. It sends no DISCONNECT, so that the official client
// reconnects and asks its auth function for a token. The caller holds session.mu.
func (svc *Service) expire(s *socketio.Socket, sess *session) {
	if sess.timer != nil {
		sess.timer.Stop()
		sess.timer = nil
	}
	at := sess.claims.ExpiresAt
	if at.IsZero() || svc.opts.IgnoreExpiry {
		return
	}
	user := sess.claims.UserID
	sess.timer = time.AfterFunc(time.Until(at), func() {
		sess.mu.Lock()
		renewed := sess.ended || !sess.claims.ExpiresAt.Equal(at)
		sess.ended = sess.ended || !renewed // from now on authenticate fails
		sess.mu.Unlock()
		if renewed {
			return
		}
		svc.onExpired(s, user)
		svc.counters.errors.Add(1)
		e := authenticationFailed(auth.Code(auth.ErrTokenExpired))
		s.Emit(s.Context(), "error", e.Message, EventError{Error: *e, Event: eventAuthenticate})
		s.Session().Close()
	})
}

// UnregisterUser removes the socket from its user's devices. The socket leaves its
// rooms, whose members get user-left if it was the user's last device there, and
// stays connected as an anonymous one.
func (svc *Service) UnregisterUser(_ context.Context, s *socketio.Socket) {
	sess := sessionOf(s)
	if sess == nil {
		return
	}
	sess.moves.Lock()
	defer sess.moves.Unlock()
	svc.unregister(s, sess)
}

func (svc *Service) unregister(s *socketio.Socket, sess *session) {
	sess.mu.Lock()
	if sess.timer != nil {
		sess.timer.Stop()
	}
	if sess.registered {
		svc.limits.release(sess.events)
		rooms := []string{userRoom(sess.claims.UserID)}
		for _, room := range s.Rooms() {
			if strings.HasPrefix(room, roomPrefix) {
				rooms = append(rooms, room)
			}
		}
		s.Leave(rooms...)
		s.SetAnonymous(true)
	}
	sess.registered, sess.claims, sess.events = false, auth.Claims{}, new(window)
	sess.mu.Unlock()
	svc.presence.Disconnect(s.ID())
}

// disconnected runs after the socket's last handler.
func (svc *Service) disconnected(_ context.Context, s *socketio.Socket, reason socketio.Reason) {
	sess := sessionOf(s)
	if most := svc.opts.MaxRefusedEvents; most > 0 && sess.refused.Count() > most/2 && s.Session().Open() {
		// Otherwise the client could join again at once with a new count.
		s.Session().CloseWithReason(ReasonRefusals, nil)
	}
	sess.mu.Lock()
	sess.ended = true
	user := sess.claims.UserID
	sess.mu.Unlock()
	if reason == socketio.ReasonShutdown || !svc.leaveForNow(s, sess) {
		svc.unregister(s, sess)
	}
	if !sess.counted {
		return // another function of OnConnect refused it before connected ran
	}
	svc.counters.disconnections.Add(1)
	svc.onDisconnected(s, user, reason, time.Since(sess.since))
}

// Claims is [ClaimsOf]; the UserID is zero if the socket has no user.
func (svc *Service) Claims(s *socketio.Socket) auth.Claims {
	claims, _ := ClaimsOf(s)
	return claims
}
