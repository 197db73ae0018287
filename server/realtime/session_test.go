package realtime_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
	"github.com/puente-io/puente/server/waittest"
)

// inMemory is the option for tests whose time is synctest's.
func inMemory(o *options) { o.net = raw.NewNetwork() }

func TestHandshakeRefusesTokens(t *testing.T) {
	other, err := auth.Sign([]byte("another secret than the server's"), auth.Grant{UserID: id("ana")})
	if err != nil {
		t.Fatal(err)
	}
	n := start(t)
	for name, tc := range map[string]struct {
		auth any
		code string
	}{
		"badly signed":    {map[string]any{"token": other}, "token_invalid"},
		"no string":       {map[string]any{"token": 42}, "token_invalid"},
		"million dots":    {map[string]any{"token": strings.Repeat(".", 900_000)}, "token_invalid"}, // HARDENING: Tokens
		"over 16 KiB":     {map[string]any{"token": strings.Repeat("a", auth.MaxTokenLength+1)}, "token_invalid"},
		"unsigned":        {map[string]any{"token": "eyJhbGciOiJub25lIn0.eyJ1c2VySWQiOiJhbmEifQ."}, "token_invalid"},
		"null characters": {map[string]any{"token": "\x00\x00"}, "token_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			n.t = t
			_, refusal := raw.Try(t, n.url, raw.Options{Auth: tc.auth})
			if want := `{"message":"Authentication failed","data":{"code":"` + tc.code + `"}}`; refusal != want {
				t.Errorf("got %s, want %s", refusal, want)
			}
		})
	}
	if s := n.Stats(); s.Connections != 0 || s.ConnectedUsers != 0 {
		t.Errorf("refused connections count: %+v", s)
	}
}

func TestHandshakeTokenExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, inMemory)
		token := sign(t, id("ana"), auth.Grant{TTL: time.Second})
		time.Sleep(2 * time.Second)
		_, refusal := raw.Try(t, n.url, raw.Options{Auth: map[string]any{"token": token}, NetDial: n.dial})
		if want := `{"message":"Authentication failed","data":{"code":"token_expired"}}`; refusal != want {
			t.Errorf("got %s, want %s", refusal, want)
		}
	})
}

func TestAuthRequired(t *testing.T) {
	n := start(t, func(o *options) { o.AuthRequired = true })
	for _, auth := range []any{nil, map[string]any{}, map[string]any{"token": ""}, map[string]any{"token": nil}} {
		_, refusal := raw.Try(t, n.url, raw.Options{Auth: auth})
		if want := `{"message":"Authentication failed","data":{"code":"token_missing"}}`; refusal != want {
			t.Errorf("auth %v: got %s, want %s", auth, refusal, want)
		}
	}
	n.device("ana")
}

// An empty or null token counts as none: the socket may connect, and authenticate
// later.
func TestEmptyTokenIsNone(t *testing.T) {
	n := start(t)
	for _, auth := range []any{nil, map[string]any{}, map[string]any{"token": ""}, map[string]any{"token": nil}} {
		c := n.connect(auth)
		mustFail(t, c.Ask("join-room", "r"), "unauthenticated", "Unauthorized")
		mustSucceed(t, c.Ask("authenticate", map[string]any{"token": sign(t, id("ana"))}))
		mustSucceed(t, c.Ask("join-room", "r"))
	}
	for _, bad := range []any{" ", false, 0, []any{}, map[string]any{}} {
		_, refusal := raw.Try(t, n.url, raw.Options{Auth: map[string]any{"token": bad}})
		if want := `{"message":"Authentication failed","data":{"code":"token_invalid"}}`; refusal != want {
			t.Errorf("token %v: got %s, want %s", bad, refusal, want)
		}
	}
}

func TestAuthenticateRefuses(t *testing.T) {
	n := start(t)
	c := n.anonymous()
	mustFail(t, c.Ask("join-room", "r"), "unauthenticated", "Unauthorized")
	const failed = `{"success":false,"error":{"code":"unauthenticated","message":"Authentication failed","reason":"token_invalid"}}`
	want(t, c.Ask("authenticate", map[string]any{"token": sign(t, id("ana")), "userId": "ben"}), failed)
	want(t, c.Ask("authenticate", map[string]any{"token": "x"}), failed)
	want(t, c.Ask("authenticate", map[string]any{"token": " "}), failed)
	want(t, c.Ask("authenticate", map[string]any{"token": false}), failed)
	for _, none := range []any{map[string]any{}, map[string]any{"token": nil}, map[string]any{"token": ""}} {
		want(t, c.Ask("authenticate", none), strings.Replace(failed, "token_invalid", "token_missing", 1))
	}
	mustFail(t, c.Ask("authenticate", map[string]any{"token": sign(t, id("ana")), "userId": 1.5}), "invalid", "userId must be "+ident.Allowed)
	mustSucceed(t, c.Ask("authenticate", map[string]any{"token": sign(t, id("ana")), "userId": "ana"}))
	for _, userID := range []any{nil, "ana", "ben"} {
		want(t, c.Ask("authenticate", map[string]any{"token": sign(t, id("ben")), "userId": userID}),
			strings.Replace(failed, "token_invalid", "user_mismatch", 1))
	}
	want(t, c.Ask("authenticate", map[string]any{"token": "x"}), failed)
	mustSucceed(t, c.Ask("join-room", "r")) // it stays ana's
	if user, _ := n.UserID(c.ID()); user.Key() != "ana" {
		t.Errorf("user %v", user)
	}
}

// User ids that are integers name the same user as their text, and are sent to clients as
// they came in.
func TestIntegerUser(t *testing.T) {
	n := start(t)
	number := n.connect(map[string]any{"token": sign(t, ident.OfInt(42))})
	want(t, number.Next("authenticated"), authenticated(number, "42"))
	text := n.device("42")
	if got := n.ConnectedUsersCount(); got != 1 {
		t.Errorf("%d users", got)
	}
	mustSucceed(t, text.Ask("publish-notification", map[string]any{"targetUserId": 42, "type": "INFO", "title": "Hi"}))
	want(t, number.Next("notification"), `{"type":"INFO","title":"Hi","message":"","payload":null,"priority":"normal","from":"42","timestamp":T}`)
	mustSucceed(t, number.Ask("join-room", 7))
	mustSucceed(t, number.Ask("publish-update", map[string]any{"roomId": "7", "type": "x"}))
	want(t, number.Next("update"), `{"roomId":"7","type":"x","payload":null,"from":42,"timestamp":T}`)
	want(t, text.Ask("authenticate", map[string]any{"token": sign(t, ident.OfInt(42)), "userId": "42"}), authenticated(text, `"42"`))
}

func TestAuthTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, inMemory, func(o *options) { o.AuthTimeout = 10 * time.Second })
		silent, late := n.anonymous(), n.anonymous()
		time.Sleep(10*time.Second - time.Nanosecond)
		mustSucceed(t, late.Ask("authenticate", map[string]any{"token": sign(t, id("ana"))}))
		if got := n.Stats().ActiveConnections; got != 2 {
			t.Errorf("%d connections before the timeout", got)
		}
		time.Sleep(time.Nanosecond)
		silent.Disconnected()
		time.Sleep(time.Minute)
		mustSucceed(t, late.Ask("join-room", "r"))
	})
}

// A socket that did not authenticate in time, or that a backend disconnects, gets
// DISCONNECT, and then the connection is closed.
func TestDisconnectClosesTheConnection(t *testing.T) {
	for _, polling := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, inMemory, func(o *options) { o.AuthTimeout = 10 * time.Second })
			join := func(auth any) *socketiotest.Client {
				c, refusal := socketiotest.Join(t, engineiotest.Dial(t, n.url+"/socket.io/", engineiotest.Options{Polling: polling, Dial: n.dial}), "/", auth)
				if refusal != nil {
					t.Fatalf("refused: %s", refusal)
				}
				return c
			}
			silent, kicked := join(nil), join(map[string]any{"token": sign(t, id("ana"))})
			kicked.Expect("authenticated")
			start := time.Now()
			if _, err := n.DisconnectUser(t.Context(), id("ana"), "spam"); err != nil {
				t.Error(err)
			}
			kicked.Expect("force-disconnect")
			for _, c := range []*socketiotest.Client{kicked, silent} {
				c.ExpectDisconnect()
				c.Conn.End()
			}
			if got := time.Since(start); got != 10*time.Second {
				t.Errorf("polling %v: the last ended after %v", polling, got)
			}
		})
	}
}

func TestTokenExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, inMemory)
		ana, ben := n.device("ana", auth.Grant{TTL: time.Minute}), n.device("ben", auth.Grant{TTL: time.Minute})
		time.Sleep(30 * time.Second)
		mustSucceed(t, ben.Ask("authenticate", map[string]any{"token": sign(t, id("ben"), auth.Grant{TTL: time.Minute})}))
		time.Sleep(30 * time.Second)
		e := ana.Next("error")
		if e.Arg(0) != `"Authentication failed"` ||
			e.Arg(1) != `{"code":"unauthenticated","message":"Authentication failed","reason":"token_expired","event":"authenticate"}` {
			t.Errorf("error %s", e.Args)
		}
		if ana.Ended() {
			t.Error("a DISCONNECT, after which the official client does not reconnect")
		}
		mustSucceed(t, ben.Ask("join-room", "r")) // a fresh token
		time.Sleep(30 * time.Second)
		ben.Ended()
		synctest.Wait()
		if got := n.ConnectedUsersCount(); got != 0 {
			t.Errorf("%d users are left", got)
		}
	})
}

// When the token expires, the connection ends after the event error, on every transport.
func TestTokenExpiryClosesEveryTransport(t *testing.T) {
	n := start(t)
	for _, transport := range []raw.Transport{raw.WebSocket, raw.Polling, raw.Upgrade} {
		c := raw.Connect(t, n.url, raw.Options{Transport: transport})
		claims := claimsOf("ana")
		claims.ExpiresAt = time.Now().Add(time.Second)
		if _, err := n.RegisterUser(n.socket(c), claims); err != nil {
			t.Fatal(err)
		}
		if e := c.Next("error"); !strings.Contains(e.Arg(1), `"reason":"token_expired"`) {
			t.Errorf("%v: error %s", transport, e.Args)
		}
		if c.Ended() {
			t.Errorf("%v: DISCONNECT was sent, so the client does not reconnect", transport)
		}
		n.settled(0)
	}
}

// A token that expires in the far future does not end the connection now: its time does
// not overflow.
func TestTokenExpiryFarAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, inMemory)
		c := n.device("ana")
		for _, at := range []time.Time{time.Unix(1<<62, 0), time.Unix(253402300799, 0), time.Now().Add(1<<63 - 1)} {
			claims := claimsOf("ana")
			claims.ExpiresAt = at
			if _, err := n.RegisterUser(n.socket(c), claims); err != nil {
				t.Fatal(err)
			}
			time.Sleep(24 * time.Hour)
			mustSucceed(t, c.Ask("join-room", "r"))
		}
	})
}

func TestIgnoreExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, inMemory, func(o *options) { o.IgnoreExpiry = true })
		c := n.device("ana", auth.Grant{TTL: time.Minute})
		token := sign(t, id("ana"), auth.Grant{TTL: time.Minute})
		time.Sleep(24 * time.Hour)
		mustSucceed(t, c.Ask("join-room", "r"))
		_, refusal := raw.Try(t, n.url, raw.Options{Auth: map[string]any{"token": token}, NetDial: n.dial})
		if !strings.Contains(refusal, "token_expired") { // tokens are checked when a socket connects
			t.Errorf("an expired token: %q", refusal)
		}
		if a := c.Ask("authenticate", map[string]any{"token": token}); !strings.Contains(a.Arg(0), "token_expired") {
			t.Errorf("an expired token in authenticate: %s", a.Arg(0))
		}
		mustSucceed(t, c.Ask("join-room", "r"))
	})
}

// A fresh token that comes after the old one has expired is not accepted: the socket is
// about to be disconnected.
func TestRenewalIsTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n *node
		renewals := make(chan error, 2)
		n = start(t, inMemory, func(o *options) {
			o.AuthTimeout = time.Minute
			o.Hooks.Expired = func(s *socketio.Socket, _ ident.ID) {
				_, err := n.RegisterUser(s, auth.Claims{UserID: id("ana"), AnyRoom: true})
				renewals <- err
			}
		})
		for _, c := range []*raw.Client{n.device("ana", auth.Grant{TTL: time.Minute}), n.anonymous()} {
			if err := <-renewals; !errors.Is(err, socketio.ErrDisconnected) {
				t.Errorf("renewed with %v", err)
			}
			c.Ended()
		}
	})
}

// A fresh token brings its own rights.
func TestFreshTokenReplacesClaims(t *testing.T) {
	n := start(t)
	c := n.device("ana", auth.Grant{Rooms: []string{"order-*"}})
	mustFail(t, c.Ask("join-room", "lobby"), "unauthorized", `Unauthorized","reason":"room_not_allowed`)
	mustSucceed(t, c.Ask("authenticate", map[string]any{"token": sign(t, id("ana"))}))
	mustSucceed(t, c.Ask("join-room", "lobby"))
}

// A fresh token with narrower rooms ends the memberships that it no longer
// covers, and those alone.
func TestNarrowerTokenEndsMemberships(t *testing.T) {
	n := start(t)
	rooms := func(patterns ...string) map[string]any {
		return map[string]any{"token": sign(t, id("ana"), auth.Grant{Rooms: patterns})}
	}
	watcher := n.member("watcher", "order-1", "lobby")
	phone, laptop := n.device("ana", auth.Grant{Rooms: []string{"order-*", "lobby", "7"}}), n.device("ana")
	for _, room := range []any{"order-1", "order-2", "lobby", 7} {
		mustSucceed(t, phone.Ask("join-room", room))
	}
	mustSucceed(t, laptop.Ask("join-room", "lobby"))
	if _, err := n.JoinRoom(t.Context(), n.socket(phone), id("vip")); err != nil { // by the program, which the policy does not limit
		t.Fatal(err)
	}
	for range 2 {
		watcher.Next("user-joined")
		watcher.Next("user-presence")
	}
	phone.Ask("authenticate", rooms("order-*", "lobby", "7")) // the same rights
	phone.Next("authenticated")
	nothing(t, phone)

	mustSucceed(t, phone.Ask("authenticate", rooms("order-2", "lobb*")))
	left := map[string]bool{}
	for range 2 {
		left[timeless(phone.Next("room-left").Arg(0))] = true
	}
	if !left[`{"success":true,"roomId":"order-1","timestamp":T}`] || !left[`{"success":true,"roomId":7,"timestamp":T}`] {
		t.Errorf("room-left %v", left)
	}
	phone.Next("authenticated")
	want(t, watcher.Next("user-left"), `{"userId":"ana","roomId":"order-1","timestamp":T}`)
	watcher.Next("user-presence")
	for room, in := range map[string]bool{"order-1": false, "7": false, "order-2": true, "lobby": true, "vip": true} {
		if n.IsUserInRoom(id("ana"), id(room)) != in {
			t.Errorf("in %s: %v", room, !in)
		}
	}
	if _, err := n.PublishUpdate(t.Context(), &realtime.Update{RoomID: id("order-1"), Type: "x"}); err != nil {
		t.Fatal(err)
	}
	watcher.Next("update")
	mustFail(t, phone.Ask("publish-update", map[string]any{"roomId": "order-1", "type": "x"}), "unauthorized", `Unauthorized","reason":"not_a_member`)

	// The user's other device is still in the lobby, so user-left is not sent.
	mustSucceed(t, phone.Ask("authenticate", rooms("order-2")))
	want(t, phone.Next("room-left"), `{"success":true,"roomId":"lobby","timestamp":T}`)
	phone.Next("authenticated")
	if !n.IsUserInRoom(id("ana"), id("lobby")) || n.socket(phone).In("room:lobby") {
		t.Errorf("rooms %v", n.socket(phone).Rooms())
	}
	// A token with more rooms joins none of them by itself.
	mustSucceed(t, phone.Ask("authenticate", map[string]any{"token": sign(t, id("ana"))}))
	phone.Next("authenticated")
	nothing(t, phone)
	nothing(t, watcher)
}

func TestUnregisterUser(t *testing.T) {
	n := start(t)
	watcher, c := n.member("watcher", "r"), n.member("ana", "r")
	watcher.Next("user-joined")
	watcher.Next("user-presence")
	s := n.socket(c)
	n.UnregisterUser(t.Context(), s)
	n.UnregisterUser(t.Context(), s) // again
	want(t, watcher.Next("user-left"), `{"userId":"ana","roomId":"r","timestamp":T}`)
	watcher.Next("user-presence")
	if n.IsUserConnected(id("ana")) || len(s.Rooms()) != 1 || !s.Connected() {
		t.Errorf("rooms %v, connected %v", s.Rooms(), s.Connected())
	}
	if _, err := n.PublishUpdate(t.Context(), &realtime.Update{RoomID: id("r"), Type: "x"}); err != nil {
		t.Fatal(err)
	}
	mustFail(t, c.Ask("join-room", "r"), "unauthenticated", "Unauthorized")
	nothing(t, c)
	mustSucceed(t, c.Ask("authenticate", map[string]any{"token": sign(t, id("ben"))})) // another user may
	watcher.Next("update")
	nothing(t, watcher)
}

// However a socket is moved, presence and Socket.IO rooms agree in the end.
func TestRegisterAndMoveConcurrently(t *testing.T) {
	n := start(t)
	c := n.anonymous()
	s := n.socket(c)
	var movers sync.WaitGroup
	for i := range 4 {
		movers.Go(func() {
			for range 200 {
				switch i {
				case 0:
					n.RegisterUser(s, claimsOf("ana"))
				case 1:
					n.UnregisterUser(context.Background(), s)
				case 2:
					n.JoinRoom(context.Background(), s, id("r"))
				case 3:
					n.LeaveRoom(context.Background(), s, id("r"))
				}
			}
		})
	}
	movers.Wait()
	if n.IsUserConnected(id("ana")) != s.In("user:ana") || n.IsUserInRoom(id("ana"), id("r")) != s.In("room:r") {
		t.Errorf("presence: connected %v, in room %v; socket's rooms %v",
			n.IsUserConnected(id("ana")), n.IsUserInRoom(id("ana"), id("r")), s.Rooms())
	}
	n.UnregisterUser(t.Context(), s)
	if rooms := s.Rooms(); len(rooms) != 1 {
		t.Errorf("rooms of an anonymous socket: %v", rooms)
	}
}

func TestRegisterUserErrors(t *testing.T) {
	n := start(t)
	c := n.device("ana")
	s := n.socket(c)
	var e *realtime.Error
	if _, err := n.RegisterUser(s, claimsOf("ben")); !errors.As(err, &e) || e.Code != realtime.CodeUnauthenticated || e.Reason != "user_mismatch" {
		t.Errorf("another user: %v", err)
	}
	c.Close()
	n.settled(0)
	if _, err := n.RegisterUser(s, claimsOf("ana")); !errors.Is(err, socketio.ErrDisconnected) {
		t.Errorf("disconnected socket: %v", err)
	}
	if n.IsUserConnected(id("ana")) {
		t.Error("a disconnected socket was registered")
	}
}

// If a program's own OnConnect refuses a socket before the service has seen it, the service
// counts neither a connection nor a disconnection.
func TestOnConnectRefusesFirst(t *testing.T) {
	n := start(t, func(o *options) { o.first = func(context.Context, *socketio.Socket) error { return errors.New("no") } })
	n.connect(nil).Disconnected()
	waittest.Until(t, "the socket has disconnected", func() bool { return n.io.Namespace("/").Count() == 0 })
	n.io.Close(t.Context())
	if s := n.Stats(); s.Connections != 0 || s.Disconnections != 0 {
		t.Errorf("%+v", s)
	}
}

// The time to authenticate belongs to the connection: it does not start again when the
// client leaves the namespace and joins it again.
func TestAuthTimeoutOfAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, inMemory, func(o *options) { o.AuthTimeout = 10 * time.Second })
		conn := engineiotest.Dial(t, n.url+"/socket.io/", engineiotest.Options{Dial: n.dial})
		start := time.Now()
		for {
			c, refusal := socketiotest.Join(t, conn, "/", nil)
			if refusal != nil {
				t.Fatalf("refused: %s", refusal)
			}
			if time.Since(start) == 9*time.Second {
				c.ExpectDisconnect()
				break
			}
			time.Sleep(3 * time.Second)
			c.Leave()
		}
		conn.End()
		if got := time.Since(start); got != 10*time.Second {
			t.Errorf("ended after %v", got)
		}
	})
}
