package realtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/socketio"
)

// session is what the service keeps with a socket.
type session struct {
	since time.Time

	// Owned by the goroutine that runs the socket's handlers.
	pings   window
	refused socketio.Refusals
	counted bool // as a connection

	// moves is held by whoever puts the socket into a room or takes it out, or
	// ends its being a device, until the cluster knows: one move at a time, the same
	// in the presence and in the Socket.IO namespace. It is taken before mu, which
	// nobody holds who waits.
	moves sync.Mutex

	// mu guards all below. It is taken before any lock of the presence and of the
	// namespace.
	mu     sync.Mutex
	claims auth.Claims // of no user until the socket has one
	timer  *time.Timer // ends the connection: not authenticated in time, or token expired
	events *window     // the user's, or the socket's own before it has one
	ended  bool
}

type sessionKey struct{}

func sessionOf(s *socketio.Socket) *session {
	sess, _ := s.Load(sessionKey{}).(*session)
	return sess
}

// SocketData is what the service tells other servers about a socket, see
// [socketio.Socket.Data]: servers on Node keep the same.
type SocketData struct {
	UserID ident.ID `json:"userId"`
}

// AppendArg implements [socketio.ArgAppender]: each socket is given one.
func (d SocketData) AppendArg(dst []byte, attachments [][]byte) ([]byte, [][]byte, error) {
	return append(d.UserID.AppendJSON(append(dst, `{"userId":`...)), '}'), attachments, nil
}

// verifyHandshake is the middleware: a wrong token refuses the connection, none
// at all where one is required.
func (svc *Service) verifyHandshake(ctx context.Context, s *socketio.Socket) error {
	sess := &session{since: time.Now(), events: new(window)}
	s.Store(sessionKey{}, sess)
	s.ForgetAuth()
	var handshake struct {
		Token socketio.Value `json:"token"`
	}
	if err := s.Handshake().Auth.Decode(&handshake); err != nil {
		return svc.refuse(s, auth.ErrTokenInvalid)
	}
	if isMissing(handshake.Token) {
		if svc.opts.AuthRequired {
			return svc.refuse(s, auth.ErrTokenMissing)
		}
		return nil
	}
	claims, err := svc.verify(ctx, handshake.Token)
	if err != nil {
		return svc.refuse(s, err)
	}
	// The place is taken when the socket is registered; most of those for whom
	// there will be none are told here.
	if most := svc.opts.MaxSocketsPerUser; most > 0 && svc.limits.sockets(claims.UserID.Key()) >= most {
		return svc.refuseSocket(s)
	}
	sess.claims = claims
	s.SetAnonymous(false) // now, since once CONNECT is answered the client may send
	return nil
}

// refuseSocket is refuse of a user who has too many sockets.
func (svc *Service) refuseSocket(s *socketio.Socket) error {
	svc.tooManySockets(s)
	e := ErrTooManySockets
	return &socketio.ConnectError{Message: e.Message, Data: map[string]Code{"code": e.Code}}
}

func (svc *Service) tooManySockets(s *socketio.Socket) {
	svc.counters.limitedSockets.Add(1)
	if f := svc.opts.Audit.Refused; f != nil {
		f(s, string(ErrTooManySockets.Code), ErrTooManySockets)
	}
}

func (svc *Service) refuse(s *socketio.Socket, err error) error {
	code := auth.Code(err)
	if f := svc.opts.Audit.Refused; f != nil {
		f(s, code, err)
	}
	return &socketio.ConnectError{Message: "Authentication failed", Data: map[string]string{"code": code}}
}

// isMissing reports whether a client that sent this for a token has none: an empty
// or null one is what frontends send before they have one.
func isMissing(token socketio.Value) bool { return token.IsNull() || string(token.JSON) == `""` }

// verify verifies a token as it came.
func (svc *Service) verify(ctx context.Context, token socketio.Value) (auth.Claims, error) {
	if isMissing(token) {
		return auth.Claims{}, auth.ErrTokenMissing
	}
	var text string
	if len(token.JSON) > auth.MaxTokenLength+2 || json.Unmarshal(token.JSON, &text) != nil || svc.opts.Verifier == nil {
		return auth.Claims{}, auth.ErrTokenInvalid
	}
	claims, err := svc.opts.Verifier.Verify(ctx, text)
	claims.Raw = nil
	return claims, err
}

// connected runs when CONNECT has been answered.
func (svc *Service) connected(_ context.Context, s *socketio.Socket) error {
	svc.counters.connections.Add(1)
	if f := svc.opts.Audit.Connected; f != nil {
		f(s)
	}
	sess := sessionOf(s)
	sess.counted = true
	claims := svc.Claims(s)
	if claims.UserID.IsZero() {
		svc.awaitAuthentication(s, sess)
		return nil
	}
	reply, err := svc.registerClient(s, claims)
	if err == ErrTooManySockets {
		// Others were faster. When it comes back by itself it is refused.
		sess.mu.Lock()
		sess.claims = auth.Claims{}
		sess.mu.Unlock()
		svc.counters.errors.Add(1)
		s.Emit("error", ErrTooManySockets.Message, EventError{Error: *ErrTooManySockets, Event: eventAuthenticate})
		s.Session().Close()
		return nil
	}
	if err != nil {
		return err
	}
	return s.Emit("authenticated", reply)
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
	if since := s.AnonymousSince(); !since.IsZero() { // that of a client that has left and joined again goes on
		within -= time.Since(since)
	}
	sess.timer = time.AfterFunc(within, func() {
		sess.mu.Lock()
		late := !sess.ended && sess.claims.UserID.IsZero()
		sess.ended = sess.ended || late // as in expire
		sess.mu.Unlock()
		if !late {
			return // in the last moment
		}
		svc.counters.authTimeouts.Add(1)
		svc.expired(s, ident.ID{})
		s.Disconnect(false)
	})
}

// expired calls the audit, on a timer's goroutine.
func (svc *Service) expired(s *socketio.Socket, user ident.ID) {
	if f := svc.opts.Audit.Expired; f != nil {
		svc.guard(func() { f(s, user) })
	}
}

// Authenticate verifies a token that a client sent and registers the socket to
// its user, which must be user where that is given. On a socket that has a user
// the token must be the same user's and replaces the one before: the socket leaves
// the rooms that it no longer allows. Errors are [*Error], with the reason.
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
		if f := svc.opts.Audit.Refused; f != nil {
			f(s, reason, err)
		}
		return Authenticated{}, authenticationFailed(reason)
	}
	return svc.registerClient(s, claims)
}

// errUserMismatch is for the log.
var errUserMismatch = errors.New("realtime: token of another user")

// registerClient is RegisterUser on behalf of a client, whose user may have so
// many sockets.
func (svc *Service) registerClient(s *socketio.Socket, claims auth.Claims) (Authenticated, error) {
	out, err := svc.registerUser(s, claims, svc.opts.MaxSocketsPerUser)
	if err == ErrTooManySockets {
		svc.tooManySockets(s)
	}
	return out, err
}

// RegisterUser makes the socket a device of the user whom the claims name, with
// the rights that they give. When they expire the connection is closed, unless
// they have been replaced or [Options.IgnoreExpiry] is set. On a socket that has a user it
// replaces the claims; another user's are refused. The socket leaves the rooms that
// the policy allowed by the claims before and does not allow by these; the client
// gets room-left for each. It returns an [*Error], or socketio.ErrDisconnected.
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
	if f := svc.opts.Audit.Authenticated; f != nil && fresh {
		f(s, user)
	}
	return Authenticated{UserID: user, SocketID: s.ID(), Timestamp: time.Now()}, nil
}

// narrow ends the memberships of a socket that its claims gave it before and do
// not give it now. The client reads room-left, as if it had left, for each; the
// others in the room are informed as always. Rooms that the policy never allowed
// are the program's doing, and stay.
func (svc *Service) narrow(s *socketio.Socket, before, now auth.Claims) {
	if before.AnyRoom == now.AnyRoom && slices.Equal(before.Rooms, now.Rooms) &&
		slices.Equal(before.Roles, now.Roles) && bytes.Equal(before.Raw, now.Raw) {
		return
	}
	ctx := s.Context()
	for _, room := range svc.RoomsForUser(now.UserID.Key()) {
		if !s.In(roomName(room.Key())) || svc.policy.JoinRoom(ctx, now, room) == nil || svc.policy.JoinRoom(ctx, before, room) != nil {
			continue
		}
		left, err := svc.LeaveRoom(ctx, s, room)
		if err != nil {
			return // the socket has gone, and with it all memberships
		}
		s.Emit("room-left", left)
	}
}

// register reports whether the socket had no user. It returns ErrTooManySockets
// where its user has that many already.
func (svc *Service) register(s *socketio.Socket, sess *session, claims auth.Claims, most int) (user ident.ID, fresh bool, err error) {
	sess.moves.Lock()
	defer sess.moves.Unlock()
	// It waits for the cluster, here, so that the join below does not.
	defer svc.ns.Hold(s.Context(), userRoom(claims.UserID.Key()))()
	sess.mu.Lock()
	defer sess.mu.Unlock()
	user, has := svc.presence.View().User(s.ID())
	switch {
	case has && !user.Equal(claims.UserID):
		return user, false, authenticationFailed(reasonUserMismatch)
	case sess.ended:
		return user, false, socketio.ErrDisconnected
	case has:
		user = sess.claims.UserID // as the socket's first token has it
		claims.UserID = user
	default:
		user = claims.UserID
		events := svc.limits.user(user.Key(), most)
		if events == nil {
			return user, false, ErrTooManySockets
		}
		if err := s.Join(s.Context(), userRoom(user.Key())); err != nil {
			svc.limits.release(events)
			return user, false, err
		}
		svc.presence.Connect(s.ID(), user)
		s.SetAnonymous(false)
		sess.events = events
		if s.Data() == nil {
			s.SetData(SocketData{UserID: user}) // which cannot fail
		}
	}
	sess.claims = claims
	svc.expire(s, sess)
	return user, !has, nil
}

// expire sets the timer for the end of the claims: it closes the connection
// behind the event error, without a DISCONNECT, after which the official client
// would not come back. So it does, and asks its auth function for a token.
// session.mu is held.
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
		sess.ended = sess.ended || !renewed // who authenticates from now on is told that it is too late
		sess.mu.Unlock()
		if renewed {
			return
		}
		svc.expired(s, user)
		svc.counters.errors.Add(1)
		e := authenticationFailed(auth.Code(auth.ErrTokenExpired))
		s.Emit("error", e.Message, EventError{Error: *e, Event: eventAuthenticate})
		s.Session().Close()
	})
}

// UnregisterUser makes the socket no longer a device of its user: it leaves the
// rooms, whose members are sent user-left if it was the user's last device there,
// and stays connected, as an anonymous one.
func (svc *Service) UnregisterUser(ctx context.Context, s *socketio.Socket) {
	sess := sessionOf(s)
	if sess == nil {
		return
	}
	sess.moves.Lock()
	defer sess.moves.Unlock()
	sess.mu.Lock()
	if sess.timer != nil {
		sess.timer.Stop()
	}
	if user, has := svc.presence.View().User(s.ID()); has {
		svc.limits.release(sess.events)
		rooms := []string{userRoom(user.Key())}
		for _, room := range s.Rooms() {
			if strings.HasPrefix(room, roomName("")) {
				rooms = append(rooms, room)
			}
		}
		s.Leave(ctx, rooms...)
		s.SetAnonymous(true)
	}
	sess.claims, sess.events = auth.Claims{}, new(window)
	sess.mu.Unlock()
	svc.presence.Disconnect(s.ID())
}

// disconnected runs after the socket's last handler.
func (svc *Service) disconnected(s *socketio.Socket, reason socketio.Reason) {
	sess := sessionOf(s)
	if most := svc.opts.MaxRefusedEvents; most > 0 && sess.refused.Count() > most/2 && s.Session().Open() {
		// Not to be back with another count a moment later.
		s.Session().CloseWithReason(ReasonRefusals, nil)
	}
	sess.mu.Lock()
	sess.ended = true
	user := sess.claims.UserID
	sess.mu.Unlock()
	svc.UnregisterUser(context.Background(), s)
	if !sess.counted {
		return // another function of OnConnect refused it before the service knew
	}
	svc.counters.disconnections.Add(1)
	if f := svc.opts.Audit.Disconnected; f != nil {
		f(s, user, reason, time.Since(sess.since))
	}
}

// Claims returns what the socket's token says; those of no user, which have a
// zero UserID, where the socket has none.
func (svc *Service) Claims(s *socketio.Socket) auth.Claims {
	sess := sessionOf(s)
	if sess == nil {
		return auth.Claims{}
	}
	sess.mu.Lock()
	defer sess.mu.Unlock()
	return sess.claims
}
