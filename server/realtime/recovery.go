package realtime

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/socketio"
)

// This file has what the service does for sockets that are recovered. The server gives them
// back their rooms; the service their user, if the client may still be it, and its place in
// the presence.
//
//	connected ─► away, its user stays ─ PresenceGrace ─► away, its user has left ─ window ─► expired
//	    ▲                │                                          │
//	    └── nothing is announced                                    │
//	    └── user-joined is announced ◄──────────────────────────────┘

// mayRecover decides whether the client of a socket goes on as the user that it was, and
// with which rooms.
func (svc *Service) mayRecover(ctx context.Context, s *socketio.Socket, rooms []string) (keep []string, ok bool) {
	before, _ := sessions.Before(s)
	if before == nil {
		return nil, false
	}
	was, left := svc.was(before)
	sess := sessionOf(s)
	sess.mu.Lock()
	now := sess.claims
	sess.rooms = left // in case it disconnects before it is registered
	sess.mu.Unlock()
	switch {
	case was.UserID.IsZero():
		return rooms, true // and becomes the user of its token, if it has one now
	case now.UserID.IsZero():
		if !was.ExpiresAt.IsZero() && !svc.opts.IgnoreExpiry && !time.Now().Before(was.ExpiresAt) {
			return nil, false
		}
		svc.inherit(s, sess, was)
		now = was
	case !now.UserID.Equal(was.UserID):
		return nil, false
	}
	for _, room := range left {
		// As in narrow: those that neither token allows were joined by the program.
		if svc.policy.JoinRoom(ctx, now, room) != nil && svc.policy.JoinRoom(ctx, was, room) == nil {
			rooms = slices.DeleteFunc(rooms, func(name string) bool { return name == roomName(room) })
		}
	}
	return rooms, true
}

// was returns the claims of the socket before, and the rooms that its user was in. Its
// disconnect handlers may not have run yet: the user is in the presence until they have set
// session.rooms.
func (svc *Service) was(before *session) (claims auth.Claims, rooms []ident.ID) {
	before.mu.Lock()
	claims = before.claims
	before.mu.Unlock()
	rooms = svc.RoomsForUser(claims.UserID)
	before.mu.Lock()
	defer before.mu.Unlock()
	for _, room := range before.rooms {
		if !slices.ContainsFunc(rooms, room.Equal) {
			rooms = append(rooms, room)
		}
	}
	return claims, rooms
}

// inherit gives the socket the claims of the one before. The client has shown its secret.
func (svc *Service) inherit(s *socketio.Socket, sess *session, claims auth.Claims) {
	sess.mu.Lock()
	defer sess.mu.Unlock()
	sess.claims, sess.inherited = claims, true
	s.SetAnonymous(false)
}

// disinherit takes them back if the socket could not be recovered.
func (svc *Service) disinherit(s *socketio.Socket, sess *session) {
	sess.mu.Lock()
	defer sess.mu.Unlock()
	if sess.inherited && !s.Recovered() {
		sess.claims = auth.Claims{}
		s.SetAnonymous(true)
	}
	if sess.inherited = false; !s.Recovered() {
		sess.rooms = nil
	}
}

// rejoin gives a recovered socket back its rooms in the presence, if its user has left them
// meanwhile, and takes it out of those that it has not got back.
func (svc *Service) rejoin(s *socketio.Socket, sess *session) {
	if !s.Recovered() {
		return
	}
	sess.mu.Lock()
	rooms := sess.rooms
	sess.mu.Unlock()
	sess.moves.Lock()
	defer sess.moves.Unlock()
	for _, room := range rooms {
		switch {
		case s.In(roomName(room)):
			svc.presence.Join(s.ID(), room, func(presence.Placement) {})
		case s.Connected():
			svc.presence.Leave(s.ID(), room, nil)
		}
	}
	svc.pending.forget(svc.Claims(s).UserID)
}

// leaveForNow keeps a socket that has disconnected, and may be recovered, in the presence
// for PresenceGrace. It reports false for a socket that cannot be recovered.
func (svc *Service) leaveForNow(s *socketio.Socket, sess *session) bool {
	if !s.Away() {
		return false
	}
	sess.mu.Lock()
	defer sess.mu.Unlock()
	if sess.timer != nil {
		sess.timer.Stop()
	}
	if !sess.registered {
		return true
	}
	sess.registered = false
	svc.limits.release(sess.events)
	in := s.Rooms()
	for _, room := range svc.RoomsForUser(sess.claims.UserID) {
		if !slices.ContainsFunc(sess.rooms, room.Equal) {
			sess.rooms = append(sess.rooms, room)
		}
	}
	sess.rooms = slices.DeleteFunc(sess.rooms, func(room ident.ID) bool { return !slices.Contains(in, roomName(room)) })
	svc.graces.start(s.ID(), svc.opts.PresenceGrace, svc.presence.Disconnect)
	return true
}

// expired is called for a socket that will not be recovered any more.
func (svc *Service) expired(_ context.Context, e socketio.ExpiredSession) {
	svc.graces.end(e.ID, svc.presence.Disconnect)
	for _, room := range e.Rooms {
		key, ok := strings.CutPrefix(room, userPrefix)
		if !ok || svc.ns.AwayCount(room) > 0 {
			continue
		}
		if user, n := svc.pending.take(key); n > 0 {
			if f := svc.opts.Hooks.Undelivered; f != nil {
				svc.guard(func() { f(user, n) })
			}
		}
	}
}

// hasDevice reports whether the user has a device that is connected. One that is away
// counts only for the presence.
func (svc *Service) hasDevice(user ident.ID) bool {
	if svc.graces.none() {
		return svc.IsUserConnected(user)
	}
	return slices.ContainsFunc(svc.UserSockets(user), func(id string) bool { return !svc.graces.has(id) })
}

// isPending reports whether a notification that was not delivered will be if the user
// comes back, and counts it then.
func (svc *Service) isPending(delivered bool, user ident.ID) bool {
	room := userRoom(user)
	if delivered || svc.ns.AwayCount(room) == 0 {
		return false
	}
	svc.pending.add(user)
	if svc.ns.AwayCount(room) > 0 {
		return true
	}
	svc.pending.forget(user) // expired has not seen it
	return false
}
