package realtime_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/realtime"
)

func TestDefaultPolicyUpdates(t *testing.T) {
	n := start(t)
	member, outsider := n.member("ana", "r"), n.device("ben")
	update := map[string]any{"roomId": "r", "type": "x"}
	mustFail(t, outsider.Ask("publish-update", update), "unauthorized", `Unauthorized","reason":"not_a_member`)
	nothing(t, member)
	for _, admin := range []auth.Grant{{Roles: []string{"admin"}}, {Roles: []string{"user", "admin"}}} {
		mustSucceed(t, n.device("root", admin).Ask("publish-update", update))
		want(t, member.Next("update"), `{"roomId":"r","type":"x","payload":null,"from":"root","timestamp":T}`)
	}
	for _, no := range []auth.Grant{{Roles: []string{"Admin"}}, {Roles: []string{"administrator"}}} {
		mustFail(t, n.device("cid", no).Ask("publish-update", update), "unauthorized", `Unauthorized","reason":"not_a_member`)
	}
	// Membership belongs to the user, so ana's second device may publish too.
	mustSucceed(t, n.device("ana").Ask("publish-update", update))
}

// What a socket may publish is decided by its own claims: a device with a narrow
// token gains nothing by the memberships of the user's other devices.
func TestPublishingChecksTheSocketsOwnClaims(t *testing.T) {
	n := start(t)
	wide := n.member("ana", "secret", "order-1")
	narrow := n.device("ana", auth.Grant{Rooms: []string{"order-*"}})
	mustFail(t, narrow.Ask("publish-update", map[string]any{"roomId": "secret", "type": "x"}), "unauthorized", `Unauthorized","reason":"not_a_member`)
	nothing(t, wide)
	mustSucceed(t, narrow.Ask("publish-update", map[string]any{"roomId": "order-1", "type": "x"}))
	wide.Next("update")
	// The program has put the device into this room, so it may publish.
	if _, err := n.JoinRoom(t.Context(), n.socket(narrow), id("secret")); err != nil {
		t.Fatal(err)
	}
	mustSucceed(t, narrow.Ask("publish-update", map[string]any{"roomId": "secret", "type": "x"}))
	// Roles belong to the token: another device of an admin without the role is no admin.
	admin := n.device("root", auth.Grant{Roles: []string{"admin"}})
	mustSucceed(t, admin.Ask("publish-update", map[string]any{"roomId": "order-1", "type": "x"}))
	mustFail(t, n.device("root").Ask("publish-update", map[string]any{"roomId": "order-1", "type": "x"}), "unauthorized", `Unauthorized","reason":"not_a_member`)
}

func TestDefaultPolicyRooms(t *testing.T) {
	n := start(t)
	c := n.device("ana", auth.Grant{Rooms: []string{"order-*", "lobby", "42"}})
	for _, room := range []any{"order-1", "order-", "lobby", 42, "42"} {
		mustSucceed(t, c.Ask("join-room", room))
	}
	for _, room := range []any{"my-order-1", "order", "lobby2", "Lobby", 421} {
		mustFail(t, c.Ask("join-room", room), "unauthorized", `Unauthorized","reason":"room_not_allowed`)
	}
	mustFail(t, n.device("ben", auth.Grant{Rooms: []string{}}).Ask("join-room", "lobby"), "unauthorized", `Unauthorized","reason":"room_not_allowed`)
	mustSucceed(t, n.device("cid", auth.Grant{Rooms: []string{"*"}}).Ask("join-room", "anything"))
}

func TestNotifyPolicyAdmin(t *testing.T) {
	n := start(t, func(o *options) { o.Policy = realtime.DefaultPolicy{NotifyAdminOnly: true} })
	note := map[string]any{"targetUserId": "ana", "type": "INFO", "title": "Hi"}
	mustFail(t, n.device("ana").Ask("publish-notification", note), "unauthorized", `Unauthorized","reason":"admin_only`)
	mustSucceed(t, n.device("root", auth.Grant{Roles: []string{"admin"}}).Ask("publish-notification", note))
}

// ownPolicy is a program's.
type ownPolicy struct{}

func (ownPolicy) JoinRoom(_ context.Context, user auth.Claims, room ident.ID) error {
	if room.Key() != user.UserID.Key() {
		return &realtime.Error{Code: "not_yours", Message: "This is not your room"}
	}
	return nil
}

func (ownPolicy) PublishUpdate(_ context.Context, _ auth.Claims, member bool, u *realtime.Update) error {
	if u.Type == "secret" || member != (u.RoomID.Key() == "ana") {
		return errors.New("a reason that is no client's business")
	}
	return nil
}

func (ownPolicy) PublishNotification(ctx context.Context, _ auth.Claims, _ *realtime.Notification) error {
	return realtime.ErrUnauthorized
}

// Without the hook EventFailed, the text of an error that the client reads as an internal one
// is in slog's default log; other errors are not logged.
func TestInternalErrorsAreLogged(t *testing.T) {
	var log strings.Builder
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	n := start(t, func(o *options) { o.Policy = ownPolicy{} })
	c := n.device("ana")
	c.Ask("join-room", "ben")
	c.Ask("join-room", map[string]any{})
	c.Ask("publish-notification", map[string]any{"targetUserId": "ana", "type": "INFO", "title": "Hi"})
	c.Ask("publish-update", map[string]any{"roomId": "r", "type": "secret"})
	n.io.Close(t.Context()) // the handlers have returned then
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=ERROR") ||
		!strings.Contains(got, "a reason that is no client's business") || !strings.Contains(got, "event=publish-update") {
		t.Errorf("logged %q", got)
	}
}

func TestPolicyIsReplaced(t *testing.T) {
	n := start(t, func(o *options) { o.Policy = ownPolicy{} })
	c := n.device("ana")
	mustFail(t, c.Ask("join-room", "ben"), "not_yours", "This is not your room")
	mustSucceed(t, c.Ask("join-room", "ana"))
	mustSucceed(t, c.Ask("publish-update", map[string]any{"roomId": "ana", "type": "x"}))
	mustSucceed(t, c.Ask("publish-update", map[string]any{"roomId": "elsewhere", "type": "x"}))
	mustFail(t, c.Ask("publish-update", map[string]any{"roomId": "ana", "type": "secret"}), "internal", "Internal error")
	mustFail(t, c.Ask("publish-notification", map[string]any{"targetUserId": "ana", "type": "INFO", "title": "Hi"}), "unauthorized", "Unauthorized")
	// The policy is not asked about what the program does.
	if _, err := n.PublishUpdate(t.Context(), &realtime.Update{RoomID: id("ana"), Type: "secret"}); err != nil {
		t.Error(err)
	}
}
