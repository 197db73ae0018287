package realtime

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/socketio"
)

// session is what the service keeps with a socket.
type session struct {
	since time.Time
	pings window // owned by the socket's handlers

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

// verifyHandshake is the middleware: a wrong token refuses the connection, none
// at all where one is required.
func (svc *Service) verifyHandshake(ctx context.Context, s *socketio.Socket) error {
	sess := &session{since: time.Now(), events: new(window)}
	s.Store(sessionKey{}, sess)
	var handshake struct {
		Token socketio.Value `json:"token"`
	}
	if err := s.Handshake().Auth.Decode(&handshake); err != nil {
		return refusal("token_invalid")
	}
	text := string(handshake.Token.JSON)
	if handshake.Token.IsNull() || text == `""` {
		if svc.opts.AuthRequired {
			return svc.refuse(s, auth.ErrTokenMissing)
		}
		return nil
	}
	claims, err := svc.verify(ctx, handshake.Token)
	if err != nil {
		return svc.refuse(s, err)
	}
	sess.claims = claims
	return nil
}

func (svc *Service) refuse(s *socketio.Socket, err error) error {
	code := auth.Code(err)
	if f := svc.opts.Audit.Refused; f != nil {
		f(s, code, err)
	}
	return refusal(code)
}

func refusal(code string) error {
	return &socketio.ConnectError{Message: "Authentication failed", Data: map[string]string{"code": code}}
}

// verify verifies a token as it came.
func (svc *Service) verify(ctx context.Context, token socketio.Value) (auth.Claims, error) {
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
	if sess.claims.UserID.IsZero() {
		svc.awaitAuthentication(s, sess)
		return nil
	}
	reply, err := svc.RegisterUser(s, sess.claims)
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
	sess.timer = time.AfterFunc(svc.opts.AuthTimeout, func() {
		if f := svc.opts.Audit.Expired; f != nil {
			f(s, ident.ID{})
		}
		s.Disconnect(false)
	})
}

// Authenticate verifies a token that a client sent and registers the socket to
// its user, which must be user where that is given. On a socket that has a user
// the token must be the same user's and replaces the one before. Errors are
// [*Error], with the reason.
func (svc *Service) Authenticate(ctx context.Context, s *socketio.Socket, token socketio.Value, user ident.ID) (Authenticated, error) {
	claims, err := svc.verify(ctx, token)
	if err == nil && !user.IsZero() && !user.Equal(claims.UserID) {
		err = auth.ErrTokenInvalid
	}
	if errors.Is(err, auth.ErrUnavailable) {
		return Authenticated{}, ErrUnavailable
	}
	if err != nil {
		if f := svc.opts.Audit.Refused; f != nil {
			f(s, auth.Code(err), err)
		}
		return Authenticated{}, authenticationFailed(auth.Code(err))
	}
	return svc.RegisterUser(s, claims)
}

// RegisterUser makes the socket a device of the user whom the claims name, with
// the rights that they give, until they expire. On a socket that has a user it
// replaces the claims; another user's are refused. It returns an [*Error], or
// socketio.ErrDisconnected.
func (svc *Service) RegisterUser(s *socketio.Socket, claims auth.Claims) (Authenticated, error) {
	sess := sessionOf(s)
	if sess == nil || claims.UserID.IsZero() {
		return Authenticated{}, ErrInternal
	}
	sess.mu.Lock()
	defer sess.mu.Unlock()
	user, has := svc.presence.View().User(s.ID())
	if has && !user.Equal(claims.UserID) {
		return Authenticated{}, authenticationFailed("token_invalid")
	}
	if sess.ended {
		return Authenticated{}, socketio.ErrDisconnected
	}
	if has {
		claims.UserID = user // as it was sent first
	}
	sess.claims = claims
	svc.expire(s, sess)
	if !has {
		if err := s.Join(s.Context(), userRoom(claims.UserID.Key())); err != nil {
			return Authenticated{}, err
		}
		svc.presence.Connect(s.ID(), claims.UserID)
		sess.events = svc.limits.user(claims.UserID.Key())
		if s.Data() == nil {
			s.SetData(SocketData{UserID: claims.UserID})
		}
		if f := svc.opts.Audit.Authenticated; f != nil {
			f(s, claims.UserID)
		}
	}
	return Authenticated{UserID: claims.UserID, SocketID: s.ID(), Timestamp: time.Now()}, nil
}

// expire sets the timer for the end of the claims. session.mu is held.
func (svc *Service) expire(s *socketio.Socket, sess *session) {
	if sess.timer != nil {
		sess.timer.Stop()
		sess.timer = nil
	}
	at := sess.claims.ExpiresAt
	if at.IsZero() {
		return
	}
	user := sess.claims.UserID
	sess.timer = time.AfterFunc(time.Until(at), func() {
		sess.mu.Lock()
		renewed := !sess.claims.ExpiresAt.Equal(at)
		sess.mu.Unlock()
		if renewed {
			return
		}
		if f := svc.opts.Audit.Expired; f != nil {
			f(s, user)
		}
		svc.counters.errors.Add(1)
		e := authenticationFailed("token_expired")
		s.Emit("error", e.Message, EventError{Error: *e, Event: "authenticate"})
		s.Disconnect(false)
	})
}

// UnregisterUser makes the socket no longer a device of its user: it leaves the
// rooms, whose members are told, and stays connected.
func (svc *Service) UnregisterUser(ctx context.Context, s *socketio.Socket) {
	sess := sessionOf(s)
	if sess == nil {
		return
	}
	sess.mu.Lock()
	user := sess.claims.UserID
	if sess.timer != nil {
		sess.timer.Stop()
	}
	events := sess.events
	sess.claims, sess.events = auth.Claims{}, new(window)
	sess.mu.Unlock()
	if user.IsZero() {
		return
	}
	if _, has := svc.presence.View().User(s.ID()); has {
		svc.limits.release(events)
	}
	for _, d := range svc.presence.Disconnect(s.ID()) {
		s.Leave(ctx, roomName(d.Room.Key()))
		if d.Last {
			svc.announce(ctx, s, d.Room, user, "user-left", "offline")
		}
	}
	s.Leave(ctx, userRoom(user.Key()))
}

// disconnected runs after the socket's last handler.
func (svc *Service) disconnected(s *socketio.Socket, reason socketio.Reason) {
	sess := sessionOf(s)
	sess.mu.Lock()
	sess.ended = true
	user := sess.claims.UserID
	sess.mu.Unlock()
	svc.UnregisterUser(context.Background(), s)
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
