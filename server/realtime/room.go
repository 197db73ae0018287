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

// JoinRoom adds the socket, which must have a user, to a room. The others there
// are told unless the user has been in the room with another device. Joining
// again changes nothing. It returns an [*Error], or socketio.ErrDisconnected.
func (svc *Service) JoinRoom(ctx context.Context, s *socketio.Socket, room ident.ID) (RoomJoined, error) {
	if room.IsZero() {
		return RoomJoined{}, Invalid("roomId", ident.Allowed)
	}
	user, first, err := svc.enter(ctx, s, room)
	if err != nil {
		return RoomJoined{}, err
	}
	if first {
		svc.announce(ctx, s, room, user, "user-joined", "online")
	}
	users, total := svc.UsersInRoom(room.Key(), maxUsersShown)
	return RoomJoined{RoomID: room, Users: users, Total: total, Timestamp: time.Now()}, nil
}

// LeaveRoom takes the socket out of a room. The others there are told when it
// was the user's last device. After it has returned the socket gets no update of
// the room. Leaving a room that the socket is not in changes nothing.
func (svc *Service) LeaveRoom(ctx context.Context, s *socketio.Socket, room ident.ID) (RoomLeft, error) {
	if room.IsZero() {
		return RoomLeft{}, Invalid("roomId", ident.Allowed)
	}
	user, last, err := svc.exit(ctx, s, room)
	if err != nil {
		return RoomLeft{}, err
	}
	if last {
		svc.announce(ctx, s, room, user, "user-left", "offline")
	}
	return RoomLeft{RoomID: room, Timestamp: time.Now()}, nil
}

// enter adds the socket to the room in the namespace and in the presence, as
// one step for whoever else moves the socket.
func (svc *Service) enter(ctx context.Context, s *socketio.Socket, room ident.ID) (user ident.ID, first bool, err error) {
	user, unlock, err := svc.lockDevice(s)
	if err != nil {
		return user, false, err
	}
	defer unlock()
	if err := s.Join(ctx, roomName(room.Key())); err != nil {
		return user, false, err
	}
	_, first = svc.presence.Join(s.ID(), room)
	return user, first, nil
}

func (svc *Service) exit(ctx context.Context, s *socketio.Socket, room ident.ID) (user ident.ID, last bool, err error) {
	user, unlock, err := svc.lockDevice(s)
	if err != nil {
		return user, false, err
	}
	defer unlock()
	if err := s.Leave(ctx, roomName(room.Key())); err != nil {
		return user, false, err
	}
	_, last = svc.presence.Leave(s.ID(), room)
	return user, last, nil
}

// lockDevice keeps others from moving the socket, which must have a user.
func (svc *Service) lockDevice(s *socketio.Socket) (user ident.ID, unlock func(), err error) {
	sess := sessionOf(s)
	if sess == nil {
		return user, nil, ErrUnauthenticated
	}
	sess.mu.Lock()
	user, ok := svc.UserID(s.ID())
	if !ok {
		sess.mu.Unlock()
		return user, nil, ErrUnauthenticated
	}
	return user, sess.mu.Unlock, nil
}

// announce tells the others in a room that a user has come or gone. In a
// crowded room nobody is told: each of n users would be told of n others.
// That the cluster does not take it is no error of the join.
func (svc *Service) announce(ctx context.Context, s *socketio.Socket, room, user ident.ID, event, status string) {
	if svc.presence.View().MemberCount(room.Key()) > svc.opts.PresenceMax {
		return
	}
	svc.announceTo(ctx, svc.ns.To(roomName(room.Key())).Except(s.ID()), room, user, event, status)
}

func (svc *Service) announceTo(ctx context.Context, others socketio.Operator, room, user ident.ID, event, status string) {
	now := time.Now()
	svc.clusterAway(others.Emit(ctx, event, Movement{UserID: user, RoomID: room, Timestamp: now}))
	svc.clusterAway(others.Emit(ctx, "user-presence", PresenceChange{UserID: user, RoomID: room, Status: status, Timestamp: now}))
}

// told tells this node's sockets of users who have come and gone without that
// anybody announced it, see [presence.Presence.Watch]; the other nodes tell
// theirs.
func (svc *Service) told(changes []presence.Change) {
	for _, c := range changes {
		room := roomName(c.Room.Key())
		if !svc.ns.HasRoom(room) || svc.presence.View().MemberCount(c.Room.Key()) > svc.opts.PresenceMax {
			continue
		}
		event, status := "user-left", "offline"
		if c.Joined {
			event, status = "user-joined", "online"
		}
		others := svc.ns.To(room).Except(userRoom(c.User.Key())).Local()
		svc.announceTo(context.Background(), others, c.Room, c.User, event, status)
	}
}

// AuthorizeJoin asks the policy whether the socket's user may enter the room,
// and refuses where the socket is in as many rooms as it may be.
func (svc *Service) AuthorizeJoin(ctx context.Context, s *socketio.Socket, room ident.ID) error {
	if err := svc.authorize(s, func(c auth.Claims) error { return svc.policy.JoinRoom(ctx, c, room) }); err != nil {
		return err
	}
	most := svc.opts.MaxRoomsPerSocket
	if most < 0 || svc.presence.View().RoomCount(s.ID()) < most || s.In(roomName(room.Key())) {
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

// isMember reports whether the socket counts as a member of the room: its user is
// in it, with this socket, or with another one, if this socket's own claims
// would let it join. A device with a narrow token gains nothing by its user's
// other devices.
func (svc *Service) isMember(ctx context.Context, s *socketio.Socket, c auth.Claims, room ident.ID) bool {
	return svc.IsUserInRoom(c.UserID.Key(), room.Key()) &&
		(s.In(roomName(room.Key())) || svc.policy.JoinRoom(ctx, c, room) == nil)
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
