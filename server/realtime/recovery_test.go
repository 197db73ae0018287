package realtime_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/socketio"
)

// visitor is a client that may lose its connection and come back, as the official one does.
type visitor struct {
	*raw.Client
	n     *node
	token string

	mu          sync.Mutex
	pid, offset string
}

// visit connects a device of the user that may come back.
func (n *node) visit(user string, grants ...auth.Grant) *visitor {
	n.t.Helper()
	v := &visitor{n: n, token: sign(n.t, id(user), grants...)}
	if refusal := v.connect(); refusal != "" {
		n.t.Fatal(refusal)
	}
	return v
}

// connect connects, or returns the refusal.
func (v *visitor) connect() (refusal string) {
	v.n.t.Helper()
	v.mu.Lock()
	sent := map[string]string{"token": v.token, "pid": v.pid, "offset": v.offset}
	v.mu.Unlock()
	for name, value := range sent {
		if value == "" {
			delete(sent, name)
		}
	}
	v.Client, refusal = raw.Try(v.n.t, v.n.url, raw.Options{Auth: sent, NetDial: v.n.dial, OnPacket: v.packet})
	if refusal == "" {
		v.Next("authenticated")
	}
	return refusal
}

func (v *visitor) packet(text string) (handled bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var ids struct{ PID string }
	if answer, ok := strings.CutPrefix(text, "40{"); ok && json.Unmarshal([]byte("{"+answer), &ids) == nil {
		v.pid = ids.PID
	}
	var args []any
	if list, ok := strings.CutPrefix(text, "42["); ok && json.Unmarshal([]byte("["+list), &args) == nil {
		if offset, ok := args[len(args)-1].(string); ok {
			v.offset = offset
		}
	}
	return false
}

// lose breaks the connection, and waits until the server knows.
func (v *visitor) lose() {
	v.n.t.Helper()
	v.Reset()
	<-v.Done()
	synctest.Wait()
}

func recovering(o *options) {
	inMemory(o)
	o.io.Recovery.Window = time.Minute
}

// A user whose client is back soon has been there all the time. One that is away for longer
// leaves its rooms and comes back to them.
func TestRecoveredUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, recovering)
		bob := n.member("bob", "r")
		bob.Clear()
		ana := n.visit("ana")
		mustSucceed(t, ana.Ask("join-room", "r"))
		bob.Next("user-joined")
		bob.Next("user-presence")
		sid := ana.ID()
		check := func() {
			t.Helper()
			if ana.ID() != sid || !n.IsUserInRoom(id("ana"), id("r")) || len(n.UserSockets(id("ana"))) != 1 {
				t.Errorf("recovered: %v, in the room: %v, sockets %q", ana.ID() == sid, n.IsUserInRoom(id("ana"), id("r")), n.UserSockets(id("ana")))
			}
			mustSucceed(t, bob.Ask("publish-update", map[string]any{"roomId": "r", "type": "x", "payload": map[string]any{}}))
			ana.Next("update")
			bob.Next("update")
		}
		for range 2 {
			ana.lose()
			time.Sleep(2 * time.Second)
			mustSucceed(t, bob.Ask("publish-update", map[string]any{"roomId": "r", "type": "missed", "payload": map[string]any{}}))
			bob.Next("update")
			if !n.IsUserConnected(id("ana")) {
				t.Error("ana is not connected within the grace")
			}
			ana.connect()
			ana.Next("update")
			check()
			nothing(t, bob)
		}
		ana.lose()
		time.Sleep(4 * time.Second)
		bob.Next("user-left")
		bob.Next("user-presence")
		if n.IsUserConnected(id("ana")) {
			t.Error("ana is connected after the grace")
		}
		ana.connect()
		bob.Next("user-joined")
		bob.Next("user-presence")
		check()
		nothing(t, bob)
		ana.lose()
		time.Sleep(2 * time.Minute)
		bob.Next("user-left")
		bob.Next("user-presence")
		ana.connect()
		if ana.ID() == sid || n.IsUserInRoom(id("ana"), id("r")) {
			t.Error("recovered after the window")
		}
		nothing(t, bob)
		ana.Close()
	})
}

// A client that is back before the handlers of its lost socket have returned, or that loses its
// connection again before it is registered, has been there all the time, too. A new token
// still decides about its rooms.
func TestRecoveredUserWhileHandlersRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, recovering)
		n.Namespace().Handle("work", socketio.HandlerFunc(func(context.Context, *socketio.Socket, *socketio.Event) error {
			time.Sleep(2 * time.Second)
			return nil
		}))
		bob := n.member("bob", "r")
		ana := n.visit("ana")
		mustSucceed(t, ana.Ask("join-room", "r"))
		mustSucceed(t, ana.Ask("join-room", "s"))
		bob.Next("user-joined")
		bob.Next("user-presence")
		sid := ana.ID()
		ana.token = sign(t, id("ana"), auth.Grant{Rooms: []string{"r"}})
		ana.Send(`42["work"]`)
		synctest.Wait()
		ana.Reset()
		<-ana.Done()
		auth := map[string]string{"token": ana.token, "pid": ana.pid, "offset": ana.offset}
		again, _ := raw.Try(t, n.url, raw.Options{Auth: auth, NetDial: n.dial})
		synctest.Wait()
		again.Reset() // its socket is connected, and waits for the handlers
		<-again.Done()
		ana.connect()
		if ana.ID() != sid || !n.IsUserInRoom(id("ana"), id("r")) || n.IsUserInRoom(id("ana"), id("s")) || n.socket(ana.Client).In("room:s") {
			t.Errorf("recovered: %v, rooms %v and %q", ana.ID() == sid, n.RoomsForUser(id("ana")), n.socket(ana.Client).Rooms())
		}
		nothing(t, bob)
	})
}

// A client that leaves, and one that the program disconnects while it is away, have no
// grace.
func TestNoGrace(t *testing.T) {
	for name, leave := range map[string]func(n *node, v *visitor){
		"DISCONNECT": func(_ *node, v *visitor) { v.Send("41"); synctest.Wait() },
		"DisconnectUser while it is away": func(n *node, v *visitor) {
			v.lose()
			if _, err := n.DisconnectUser(context.Background(), id("ana"), "banned"); err != nil {
				n.t.Error(err)
			}
			synctest.Wait()
		},
		"disconnectSockets while it is away": func(n *node, v *visitor) {
			v.lose()
			if err := n.Namespace().To("room:r").Disconnect(context.Background(), true); err != nil {
				n.t.Error(err)
			}
			synctest.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t, recovering)
				ana := n.visit("ana")
				mustSucceed(t, ana.Ask("join-room", "r"))
				sid := ana.ID()
				leave(n, ana)
				if n.IsUserConnected(id("ana")) || n.IsUserInRoom(id("ana"), id("r")) {
					t.Error("ana is still there")
				}
				ana.connect()
				if ana.ID() == sid {
					t.Error("recovered")
				}
			})
		})
	}
}

// The token is checked as at every CONNECT. What is stored waits for a better one.
func TestRecoveryChecksTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, recovering)
		ana := n.visit("ana", auth.Grant{TTL: 10 * time.Second})
		mustSucceed(t, ana.Ask("join-room", "r"))
		mustSucceed(t, ana.Ask("join-room", "s"))
		sid := ana.ID()
		time.Sleep(11 * time.Second) // the server closes the connection
		<-ana.Done()
		if refusal := ana.connect(); refusal != `{"message":"Authentication failed","data":{"code":"token_expired"}}` {
			t.Errorf("the expired token: %q", refusal)
		}
		ana.token = sign(t, id("ana"), auth.Grant{Rooms: []string{"r"}})
		if refusal := ana.connect(); refusal != "" || ana.ID() != sid {
			t.Errorf("a fresh token: %q, recovered: %v", refusal, ana.ID() == sid)
		}
		if !n.IsUserInRoom(id("ana"), id("r")) || n.IsUserInRoom(id("ana"), id("s")) || n.socket(ana.Client).In("room:s") {
			t.Errorf("a narrower token: rooms %q", n.socket(ana.Client).Rooms())
		}
		ana.lose()
		ana.token = sign(t, id("eve"))
		if refusal := ana.connect(); refusal != "" || ana.ID() == sid {
			t.Errorf("another user's token: %q, recovered: %v", refusal, ana.ID() == sid)
		}
		if s := n.socket(ana.Client); s.In("user:ana") || s.In("room:r") || n.Claims(s).UserID.Key() != "eve" {
			t.Errorf("eve has got rooms %q", s.Rooms())
		}
		if c := n.io.RecoveryCounts(); c.Recovered != 1 || c.Refused != 1 {
			t.Errorf("counts %+v", c)
		}
	})
}

// A socket that has authenticated with an event is its user again without a token, as long
// as the token of before is valid.
func TestRecoveryAfterAuthenticate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, recovering)
		v := &visitor{n: n}
		connect := func() {
			t.Helper()
			sent := map[string]string{}
			if v.pid != "" {
				sent["pid"] = v.pid
			}
			if v.offset != "" {
				sent["offset"] = v.offset
			}
			v.Client = raw.Connect(t, n.url, raw.Options{Auth: sent, NetDial: n.dial, OnPacket: v.packet})
		}
		connect()
		sid := v.ID()
		mustSucceed(t, v.Ask("authenticate", map[string]any{"token": sign(t, id("ana"), auth.Grant{TTL: 20 * time.Second})}))
		v.lose()
		connect()
		v.Next("authenticated")
		if v.ID() != sid || n.Claims(n.socket(v.Client)).UserID.Key() != "ana" {
			t.Error("not ana")
		}
		time.Sleep(15 * time.Second)
		v.lose()
		time.Sleep(10 * time.Second)
		connect()
		if v.ID() == sid || !n.Claims(n.socket(v.Client)).UserID.IsZero() || n.socket(v.Client).In("user:ana") {
			t.Error("ana after its token has expired")
		}
	})
}

// The answer to a notification for a user that is away says so; the notification arrives if
// the user comes back, and otherwise the program learns that it is lost.
func TestPendingNotifications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost []int
		n := start(t, recovering, func(o *options) {
			o.Hooks.Undelivered = func(user ident.ID, n int) {
				if user.Key() != "ana" {
					t.Errorf("undelivered for %s", user)
				}
				lost = append(lost, n)
			}
		})
		bob, ana := n.device("bob"), n.visit("ana")
		notify := func(answer string) {
			t.Helper()
			e := bob.Ask("publish-notification", map[string]any{"targetUserId": "ana", "type": "INFO", "title": "x"})
			want(t, e, `{"success":true,`+answer+`,"timestamp":T}`)
		}
		notify(`"delivered":true`)
		ana.Next("notification")
		for _, away := range []time.Duration{time.Second, 10 * time.Second} { // within the grace, and after it
			ana.lose()
			time.Sleep(away)
			notify(`"delivered":false,"pending":true`)
			ana.connect()
			ana.Next("notification")
		}
		other := n.device("ana")
		ana.lose()
		notify(`"delivered":true`)
		other.Close()
		time.Sleep(10 * time.Second)
		notify(`"delivered":false,"pending":true`)
		notify(`"delivered":false,"pending":true`)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !slices.Equal(lost, []int{2}) {
			t.Errorf("undelivered: %v, want 2", lost)
		}
		notify(`"delivered":false`)
	})
}

// Without recovery nothing has changed: no secret, no offsets, no grace.
func TestNoRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, inMemory)
		ana := n.visit("ana")
		ana.Ask("ping")
		if e := ana.Next("pong"); len(e.Args) != 1 || ana.pid != "" {
			t.Errorf("%d arguments, secret %q", len(e.Args), ana.pid)
		}
		ana.lose()
		if n.IsUserConnected(id("ana")) {
			t.Error("ana is still connected")
		}
	})
}
