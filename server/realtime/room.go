package realtime

import (
	"context"
	"time"

	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/socketio"
)

// maxUsersShown bounds the users in the answer to a join.
const maxUsersShown = 1000

// JoinRoom adds the socket, which must have a user, to a room. The other members
// get user-joined unless another device of the user is in the room. Joining again
// changes nothing. Errors are [*Error], or socketio.ErrDisconnected. A handler that
// sends the result to the client should use AnswerJoin.
func (svc *Service) JoinRoom(ctx context.Context, s *socketio.Socket, room ident.ID) (joined RoomJoined, err error) {
	err = svc.AnswerJoin(ctx, s, room, func(r RoomJoined) { joined = r })
	return joined, err
}

// AnswerJoin is JoinRoom that calls answer with the result, once, before it
// returns nil. What answer sends to the socket is ordered with the room's events:
// later joins and leaves are announced after it, and earlier ones are not announced
// to the socket. So answer must not block. AnswerJoin returns when the cluster has
// the join, or has not accepted it in time. If answer panics, AnswerJoin returns an
// error that wraps socketio.ErrPanic, and the socket has joined.
func (svc *Service) AnswerJoin(ctx context.Context, s *socketio.Socket, room ident.ID, answer func(RoomJoined)) error {
	if room.IsZero() {
		return Invalid("roomId", ident.Allowed)
	}
	sess := sessionOf(s)
	if sess == nil {
		return ErrUnauthenticated
	}
	// Hold and Ready wait for the cluster, so no lock but sess.moves is held here.
	sess.moves.Lock()
	defer sess.moves.Unlock()
	name := roomName(room)
	defer svc.ns.Hold(ctx, name)()
	select {
	case <-svc.presence.Ready():
	case <-ctx.Done():
	}
	if _, ok := svc.UserID(s.ID()); !ok {
		return ErrUnauthenticated
	}
	done := make(chan error, 1)
	svc.presence.Join(s.ID(), room, func(at presence.Placement) {
		if !at.OK {
			done <- socketio.ErrDisconnected
			return
		}
		svc.ns.To(s.ID()).Local().Join(ctx, name)
		done <- socketio.Guard(func() error { // on a goroutine of the presence
			answer(RoomJoined{RoomID: room, Users: at.Users, Total: at.Total, Timestamp: time.Now()})
			return nil
		})
	})
	return <-done
}

// LeaveRoom removes the socket from a room. The other members get user-left if it
// was the user's last device there. After LeaveRoom has returned, the socket gets no
// update of the room. Leaving a room that the socket is not in changes nothing.
// LeaveRoom returns when the cluster has the leave, or has not accepted it in time.
func (svc *Service) LeaveRoom(ctx context.Context, s *socketio.Socket, room ident.ID) (RoomLeft, error) {
	if room.IsZero() {
		return RoomLeft{}, Invalid("roomId", ident.Allowed)
	}
	sess := sessionOf(s)
	if sess == nil {
		return RoomLeft{}, ErrUnauthenticated
	}
	sess.moves.Lock()
	defer sess.moves.Unlock()
	if _, ok := svc.UserID(s.ID()); !ok {
		return RoomLeft{}, ErrUnauthenticated
	}
	s.Leave(roomName(room))
	done := make(chan struct{})
	svc.presence.Leave(s.ID(), room, func() { close(done) })
	<-done
	return RoomLeft{RoomID: room, Timestamp: time.Now()}, nil
}

// announce sends a join or leave to the room's members, see [presence.Watch]. It
// does not block, because the goroutine that changed the room calls it, and recovers
// panics, which would end the process there. If the cluster does not accept an
// announcement, it is lost to servers without presence.
func (svc *Service) announce(e presence.Event) {
	svc.guard(func() { svc.post(e) })
}

func (svc *Service) post(e presence.Event) {
	event, status := "user-left", "offline"
	if e.Joined {
		event, status = "user-joined", "online"
	}
	now := time.Now()
	movement := Movement{UserID: e.User, RoomID: e.Room, Timestamp: now}
	change := PresenceChange{UserID: e.User, RoomID: e.Room, Status: status, Timestamp: now}
	post := func(others socketio.Operator) {
		others = others.Except(userRoom(e.User))
		others.Post(event, movement)
		others.Post("user-presence", change)
	}
	room := svc.ns.To(roomName(e.Room))
	switch {
	case !e.Local:
	case len(e.Only) > 0:
		post(svc.ns.To(e.Only...).Local())
	default:
		post(room.Except(e.Except...).Local())
	}
	if e.Foreign {
		post(room.Foreign())
	}
}

// AuthorizeJoin asks the policy whether the socket's user may enter the room, and
// refuses if the socket is in [Options.MaxRoomsPerSocket] rooms already.
func (svc *Service) AuthorizeJoin(ctx context.Context, s *socketio.Socket, room ident.ID) error {
	if err := svc.authorize(s, func(c auth.Claims) error { return svc.policy.JoinRoom(ctx, c, room) }); err != nil {
		return err
	}
	most := svc.opts.MaxRoomsPerSocket
	if most < 0 || svc.presence.View().RoomCount(s.ID()) < most || s.In(roomName(room)) {
		return nil
	}
	svc.counters.limitedRooms.Add(1)
	return tooManyRooms(most)
}

// AuthorizeUpdate asks the policy whether the socket's user may publish the
// update.
func (svc *Service) AuthorizeUpdate(ctx context.Context, s *socketio.Socket, u *Update) error {
	return svc.authorize(s, func(c auth.Claims) error {
		return svc.policy.PublishUpdate(ctx, c, svc.isMember(ctx, s, c, u.RoomID), u)
	})
}

// isMember reports whether the socket counts as a member of the room: it is in the
// room itself, or another device of its user is and its own claims would let it
// join. So a device with a narrow token gains nothing from the user's other devices.
func (svc *Service) isMember(ctx context.Context, s *socketio.Socket, c auth.Claims, room ident.ID) bool {
	return svc.IsUserInRoom(c.UserID, room) &&
		(s.In(roomName(room)) || svc.policy.JoinRoom(ctx, c, room) == nil)
}

// AuthorizeNotification asks the policy whether the socket's user may publish
// the notification.
func (svc *Service) AuthorizeNotification(ctx context.Context, s *socketio.Socket, n *Notification) error {
	return svc.authorize(s, func(c auth.Claims) error { return svc.policy.PublishNotification(ctx, c, n) })
}

func (svc *Service) authorize(s *socketio.Socket, ask func(auth.Claims) error) error {
	claims := svc.Claims(s)
	if claims.UserID.IsZero() {
		return ErrUnauthenticated
	}
	return ask(claims)
}
