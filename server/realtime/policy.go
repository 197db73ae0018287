package realtime

import (
	"context"

	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/ident"
)

// Policy decides what users may do. Its methods are called by the handlers of
// the documented events, before anything happens, with the claims of the socket
// that asks; they may block, until ctx ends, and are safe for concurrent use. nil allows; an error refuses, with
// [ErrUnauthorized], [ErrNotMember] or an [*Error] of the policy's own for the client to read.
type Policy interface {
	// JoinRoom: may the user enter the room? It is asked too when a socket brings
	// a token with other rights, for each of its rooms, and when it publishes to a
	// room that only another device of its user is in.
	JoinRoom(ctx context.Context, user auth.Claims, room ident.ID) error
	// PublishUpdate: may the user publish to the update's room? member says
	// whether the user is in it, with this socket, or with another one and JoinRoom
	// allows it for this socket's claims.
	PublishUpdate(ctx context.Context, user auth.Claims, member bool, u *Update) error
	// PublishNotification: may the user notify the other?
	PublishNotification(ctx context.Context, user auth.Claims, n *Notification) error
}

// DefaultPolicy is the documented policy: a user may enter any room, or those
// that his token's claim rooms names; update the rooms that he is in; and
// notify anyone. A user with the role admin may update any room.
type DefaultPolicy struct {
	// NotifyAdminOnly lets only users with the role admin notify others.
	NotifyAdminOnly bool
}

const adminRole = "admin"

// JoinRoom implements [Policy].
func (DefaultPolicy) JoinRoom(_ context.Context, user auth.Claims, room ident.ID) error {
	return allow(user.MayJoin(room.Key()))
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
	return allow(!p.NotifyAdminOnly || user.HasRole(adminRole))
}

func allow(ok bool) error {
	if ok {
		return nil
	}
	return ErrUnauthorized
}
