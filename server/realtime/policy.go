package realtime

import (
	"context"

	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/ident"
)

// Policy decides what users may do. The handlers of the documented events call
// its methods with the claims of the requesting socket, before they act. The methods
// must be safe for concurrent use and may block until ctx ends. nil allows; an error
// refuses: [ErrUnauthorized], one of those with a reason such as [ErrNotMember], or
// another [*Error], which the client gets.
type Policy interface {
	// JoinRoom: may the user enter the room? It is also called for each room of a
	// socket that sends a token with other rights, and if a socket publishes to a
	// room that only another device of its user is in.
	JoinRoom(ctx context.Context, user auth.Claims, room ident.ID) error
	// PublishUpdate: may the user publish to the update's room? member is true if
	// this socket is in the room, or if another device of the user is in it and
	// JoinRoom permits the room for this socket's claims.
	PublishUpdate(ctx context.Context, user auth.Claims, member bool, u *Update) error
	// PublishNotification: may the user notify n.TargetUserID?
	PublishNotification(ctx context.Context, user auth.Claims, n *Notification) error
}

// DefaultPolicy is the policy of handlers/README.md. A user may enter any room or, if
// the token has the claim rooms, those that it names; publish to the rooms that it is
// in; and notify any user. A user with the role admin may publish to any room.
type DefaultPolicy struct {
	// NotifyAdminOnly lets only users with the role admin notify others.
	NotifyAdminOnly bool
}

const adminRole = "admin"

// JoinRoom implements [Policy].
func (DefaultPolicy) JoinRoom(_ context.Context, user auth.Claims, room ident.ID) error {
	if user.MayJoin(room) {
		return nil
	}
	return ErrRoomNotAllowed
}

// PublishUpdate implements [Policy].
func (DefaultPolicy) PublishUpdate(_ context.Context, user auth.Claims, member bool, _ *Update) error {
	if member || user.HasRole(adminRole) {
		return nil
	}
	return ErrNotMember
}

// PublishNotification implements [Policy].
func (p DefaultPolicy) PublishNotification(_ context.Context, user auth.Claims, _ *Notification) error {
	if !p.NotifyAdminOnly || user.HasRole(adminRole) {
		return nil
	}
	return ErrAdminOnly
}
