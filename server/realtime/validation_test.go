package realtime_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/realtime"
)

const (
	allowedType     = "type must be one of INFO, SUCCESS, ERROR, ALERT, WARNING"
	allowedName     = "type must be a string of 1 to 256 characters without control characters"
	allowedTitle    = "title must be a string of 1 to 100 characters"
	allowedMessage  = "message must be a string of up to 500 characters"
	allowedPriority = "priority must be one of low, normal, high"
)

// The message of an invalid argument names the field and what is allowed.
func TestValidationMessages(t *testing.T) {
	n := start(t, func(o *options) { o.RateLimit = -1 })
	c := n.member("ana", "r")
	note := func(fields string) string { return `{"targetUserId":"ana","type":"INFO","title":"t",` + fields + `}` }
	for _, tc := range []struct{ event, arg, message string }{
		{"join-room", `null`, "roomId must be " + ident.Allowed},
		{"join-room", `{}`, "roomId must be " + ident.Allowed},
		{"join-room", `{"roomId":null}`, "roomId must be " + ident.Allowed},
		{"join-room", `""`, "roomId must be " + ident.Allowed},
		{"join-room", `1.5`, "roomId must be " + ident.Allowed},
		{"join-room", `{"roomId":true}`, "roomId must be " + ident.Allowed},
		{"join-room", `{"roomId":{"a":1}}`, "roomId must be " + ident.Allowed},
		{"join-room", `["r"]`, "roomId must be " + ident.Allowed},
		{"join-room", `"a\u0007"`, "roomId must be " + ident.Allowed},
		{"leave-room", `9007199254740992`, "roomId must be " + ident.Allowed},
		{"leave-room", `"` + strings.Repeat("a", 257) + `"`, "roomId must be " + ident.Allowed},
		{"authenticate", `"token"`, "argument must be an object"},
		{"publish-update", `[]`, "argument must be an object"},
		{"publish-update", `null`, "argument must be an object"},
		{"publish-update", `{"type":"x"}`, "roomId must be " + ident.Allowed},
		{"publish-update", `{"roomId":"r"}`, allowedName},
		{"publish-update", `{"roomId":"r","type":""}`, allowedName},
		{"publish-update", `{"roomId":"r","type":7}`, allowedName},
		{"publish-update", `{"roomId":"r","type":"a\tb"}`, allowedName},
		{"publish-update", `{"roomId":"r","type":"` + strings.Repeat("é", 257) + `"}`, allowedName},
		{"publish-notification", `{"type":"INFO","title":"t"}`, "targetUserId must be " + ident.Allowed},
		{"publish-notification", `{"targetUserId":false,"type":"INFO","title":"t"}`, "targetUserId must be " + ident.Allowed},
		{"publish-notification", `{"targetUserId":"ana","title":"t"}`, allowedType},
		{"publish-notification", `{"targetUserId":"ana","type":"info","title":"t"}`, allowedType},
		{"publish-notification", `{"targetUserId":"ana","type":"INFO"}`, allowedTitle},
		{"publish-notification", note(`"title":"` + strings.Repeat("é", 101) + `"`), allowedTitle},
		{"publish-notification", note(`"title":["t"]`), allowedTitle},
		{"publish-notification", note(`"message":"` + strings.Repeat("m", 501) + `"`), allowedMessage},
		{"publish-notification", note(`"message":5`), allowedMessage},
		{"publish-notification", note(`"priority":"urgent"`), allowedPriority},
		{"publish-notification", note(`"payload":[]`), "payload must be an object"},
		{"publish-notification", note(`"payload":"text"`), "payload must be an object"},
	} {
		arg := tc.arg
		if len(arg) > 60 {
			arg = arg[:60]
		}
		t.Run(tc.event+" "+arg, func(t *testing.T) {
			mustFail(t, c.Ask(tc.event, json.RawMessage(tc.arg)), "invalid", tc.message)
		})
	}
	nothing(t, c)
}

func TestValidationLimits(t *testing.T) {
	n := start(t)
	c := n.member("ana", "r")
	for _, room := range []string{`"` + strings.Repeat("é", 256) + `"`, `9007199254740991`, `-1`, `42.0`, `"a b/c?*"`} {
		mustSucceed(t, c.Ask("join-room", json.RawMessage(room)))
	}
	mustSucceed(t, c.Ask("publish-update", map[string]any{"roomId": "r", "type": strings.Repeat("😀", 256), "unknown": 1}))
	c.Next("update")
	mustSucceed(t, c.Ask("publish-notification", map[string]any{
		"targetUserId": "ana", "type": "WARNING", "title": strings.Repeat("😀", 100), "message": strings.Repeat("é", 500),
		"priority": "low", "unknown": 1,
	}))
	if e := c.Next("notification"); !strings.Contains(e.Arg(0), `"priority":"low"`) {
		t.Errorf("got %s", e.Arg(0))
	}
	// targetUserId goes before userId.
	mustSucceed(t, c.Ask("publish-notification", map[string]any{"targetUserId": "ana", "userId": "ben", "type": "INFO", "title": "t"}))
	c.Next("notification")
}

// Field names match exactly, as in JavaScript: one of another case is an unknown
// field, and does not stand in for, or override, the right one.
func TestFieldNamesMatchExactly(t *testing.T) {
	n := start(t)
	c := n.connect(map[string]any{"Token": "no token", "TOKEN": "no token"}) // counts as no token
	mustFail(t, c.Ask("join-room", "r"), "unauthenticated", "Unauthorized")
	token := sign(t, id("ana"))
	if a := c.Ask("authenticate", map[string]any{"TOKEN": token}); !strings.Contains(a.Arg(0), `"reason":"token_missing"`) {
		t.Errorf("TOKEN: %s", a.Arg(0))
	}
	mustSucceed(t, c.Ask("authenticate", json.RawMessage(`{"token":"`+token+`","Token":"x","USERID":"ben"}`)))
	c.Next("authenticated")
	for _, tc := range []struct{ event, arg, message string }{
		{"join-room", `{"ROOMID":"r"}`, "roomId must be " + ident.Allowed},
		{"leave-room", `{"roomid":"r"}`, "roomId must be " + ident.Allowed},
		{"publish-update", `{"RoomId":"r","type":"x"}`, "roomId must be " + ident.Allowed},
		{"publish-update", `{"roomId":"r","Type":"x"}`, allowedName},
		{"publish-notification", `{"targetuserid":"ana","type":"INFO","title":"t"}`, "targetUserId must be " + ident.Allowed},
		{"publish-notification", `{"UserID":"ana","type":"INFO","title":"t"}`, "targetUserId must be " + ident.Allowed},
		{"publish-notification", `{"targetUserId":"ana","type":"INFO","Title":"t"}`, allowedTitle},
	} {
		mustFail(t, c.Ask(tc.event, json.RawMessage(tc.arg)), "invalid", tc.message)
	}
	mustSucceed(t, c.Ask("join-room", json.RawMessage(`{"roomId":"r","ROOMID":"other"}`)))
	if !n.IsUserInRoom(id("ana"), id("r")) || n.IsUserInRoom(id("ana"), id("other")) {
		t.Errorf("rooms %v", n.RoomsForUser(id("ana")))
	}
	mustSucceed(t, c.Ask("publish-notification", json.RawMessage(
		`{"targetUserId":"ana","TARGETUSERID":"ben","type":"INFO","title":"t","PAYLOAD":[],"Priority":"x","Message":5}`)))
	want(t, c.Next("notification"), `{"type":"INFO","title":"t","message":"","payload":null,"priority":"normal","from":"ana","timestamp":T}`)
	// The same name in another spelling is the same name.
	mustSucceed(t, c.Ask("leave-room", json.RawMessage(`{"\u0072oomId":"r"}`)))
	if n.IsUserInRoom(id("ana"), id("r")) {
		t.Error("a name with an escape was not read")
	}
	nothing(t, c)
}

// Every event takes one argument: further arguments are ignored.
func TestArgumentsBeyondTheFirst(t *testing.T) {
	n := start(t)
	c := n.device("ana")
	want(t, c.Ask("ping", map[string]any{"x": 1}, 2), `{"timestamp":T}`)
	c.Next("pong")
	want(t, c.Ask("join-room", 42, "43", []int{44}), `{"success":true,"roomId":42,"users":["ana"],"total":1,"timestamp":T}`)
	if rooms := n.RoomsForUser(id("ana")); len(rooms) != 1 {
		t.Errorf("rooms %v", rooms)
	}
	c.Emit("leave-room", map[string]any{"roomId": "42"}, "other")
	want(t, c.Next("room-left"), `{"success":true,"roomId":"42","timestamp":T}`)
	nothing(t, c)
}

// Publishing from Go returns errors for invalid values, too.
func TestValidationFromGo(t *testing.T) {
	n := start(t)
	c := n.member("ana", "r")
	for message, err := range map[string]error{
		"roomId must be " + ident.Allowed:       updateError(n, realtime.Update{Type: "x"}),
		allowedName:                             updateError(n, realtime.Update{RoomID: id("r")}),
		"targetUserId must be " + ident.Allowed: noteError(n, realtime.Notification{Type: "INFO", Title: "t"}),
		allowedType:                             noteError(n, realtime.Notification{TargetUserID: id("ana"), Title: "t"}),
		allowedTitle:                            noteError(n, realtime.Notification{TargetUserID: id("ana"), Type: "INFO"}),
		allowedPriority:                         noteError(n, realtime.Notification{TargetUserID: id("ana"), Type: "INFO", Title: "t", Priority: "x"}),
	} {
		if public := realtime.Public(err); err == nil || public.Code != realtime.CodeInvalid || public.Message != message {
			t.Errorf("got %v, want %s", err, message)
		}
	}
	nothing(t, c)
}

func updateError(n *node, u realtime.Update) error {
	_, err := n.PublishUpdate(n.t.Context(), &u)
	return err
}

func noteError(n *node, note realtime.Notification) error {
	_, err := n.PublishNotification(n.t.Context(), &note)
	return err
}
