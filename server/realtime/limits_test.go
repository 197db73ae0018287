package realtime_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/waittest"
)

// limited sets a rate limit of five events in a minute.
func limited(o *options) { o.RateLimit, o.RateWindow = 5, time.Minute }

// exhaust sends the events of a window from the given sockets in turn.
func exhaust(t *testing.T, clients ...*raw.Client) {
	t.Helper()
	for i := range 5 {
		mustSucceed(t, clients[i%len(clients)].Ask("leave-room", "r"))
	}
}

func TestLimitIsTheUsers(t *testing.T) {
	n := start(t, limited)
	phone, laptop, ben := n.device("ana"), n.device("ana"), n.device("ben")
	exhaust(t, phone, laptop)
	for _, c := range []*raw.Client{phone, laptop} {
		mustFail(t, c.Ask("join-room", "r"), "rate_limited", "Rate limit exceeded")
	}
	if n.IsUserInRoom(id("ana"), id("r")) {
		t.Error("an event beyond the limit had an effect")
	}
	mustSucceed(t, ben.Ask("join-room", "r"))
	phone.Emit("join-room", "r")
	if e := phone.Next("error"); e.Arg(0) != `"Rate limit exceeded"` ||
		e.Arg(1) != `{"code":"rate_limited","message":"Rate limit exceeded","event":"join-room"}` {
		t.Errorf("error %s", e.Args)
	}
	if got := n.Stats(); got.Errors != 3 || got.Limits != (realtime.LimitCounts{UserEvents: 3}) {
		t.Errorf("counted %+v", got)
	}
}

func TestLimitOutlivesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, limited, inMemory)
		c := n.device("ana")
		exhaust(t, c)
		c.Close()
		synctest.Wait()
		c = n.device("ana")
		mustFail(t, c.Ask("join-room", "r"), "rate_limited", "Rate limit exceeded")
		time.Sleep(time.Minute)
		mustSucceed(t, c.Ask("join-room", "r"))
	})
}

// The program's own events count like the documented ones.
func TestLimitOfOtherEvents(t *testing.T) {
	c := start(t, limited).device("ana")
	for range 5 {
		c.Emit("chat", "hi")
	}
	mustFail(t, c.Ask("join-room", "r"), "rate_limited", "Rate limit exceeded")
}

func TestPingHasItsOwnLimit(t *testing.T) {
	n := start(t, limited)
	c := n.device("ana")
	exhaust(t, c)
	for range 5 {
		want(t, c.Ask("ping"), `{"timestamp":T}`)
		want(t, c.Next("pong"), `{"timestamp":T}`)
	}
	mustFail(t, c.Ask("ping"), "rate_limited", "Rate limit exceeded")
	want(t, n.device("ana").Ask("ping"), `{"timestamp":T}`) // per socket
	if got := n.Stats().Limits; got != (realtime.LimitCounts{Pings: 1}) {
		t.Errorf("counted %+v", got)
	}
}

func TestLimitBeforeAuthentication(t *testing.T) {
	n := start(t, limited)
	a, b := n.anonymous(), n.anonymous()
	for range 5 {
		a.Ask("authenticate", map[string]any{"token": "x"})
	}
	mustFail(t, a.Ask("authenticate", map[string]any{"token": sign(t, id("ana"))}), "rate_limited", "Rate limit exceeded")
	mustSucceed(t, b.Ask("authenticate", map[string]any{"token": sign(t, id("ana"))}))
	if got := n.Stats().Limits; got != (realtime.LimitCounts{SocketEvents: 1}) {
		t.Errorf("counted %+v", got)
	}
}

func TestNoLimit(t *testing.T) {
	for _, off := range []func(*options){func(o *options) { o.RateLimit = -1 }, func(o *options) { o.RateWindow = -1 }} {
		c := start(t, off).device("ana")
		for range 300 {
			c.Emit("leave-room", "r")
			c.Emit("ping")
		}
		mustSucceed(t, c.Ask("join-room", "r"))
		want(t, c.Ask("ping"), `{"timestamp":T}`)
	}
}

const tooManySockets = `{"message":"Too many connections for this user","data":{"code":"rate_limited"}}`

func TestMaxSocketsPerUser(t *testing.T) {
	n := start(t, func(o *options) { o.MaxSocketsPerUser = 2 })
	auth := map[string]any{"token": sign(t, id("ana"))}
	phone, laptop := n.device("ana"), n.anonymous()
	mustSucceed(t, laptop.Ask("authenticate", auth))
	if _, refusal := raw.Try(t, n.url, raw.Options{Auth: auth}); refusal != tooManySockets {
		t.Errorf("at the handshake: %s", refusal)
	}
	tablet := n.anonymous()
	mustFail(t, tablet.Ask("authenticate", auth), "rate_limited", "Too many connections for this user")
	mustFail(t, tablet.Ask("join-room", "r"), "unauthenticated", "Unauthorized")
	if got := n.Stats().Limits; got != (realtime.LimitCounts{SocketsPerUser: 2}) {
		t.Errorf("counted %+v", got)
	}
	mustSucceed(t, phone.Ask("authenticate", auth)) // a fresh token does not count as another socket
	n.device("ben")
	phone.Close()
	n.settled(3)
	mustSucceed(t, tablet.Ask("authenticate", auth))
	if got := len(n.UserSockets(id("ana"))); got != 2 {
		t.Errorf("%d sockets", got)
	}
	// The limit does not hold for the program.
	if _, err := n.RegisterUser(n.socket(n.anonymous()), claimsOf("ana")); err != nil {
		t.Errorf("registered by the program: %v", err)
	}
}

// If more sockets connect at once than a user may have, the limit is kept; the
// others get an error and can reconnect.
func TestMaxSocketsPerUserAtOnce(t *testing.T) {
	const all, most = 12, 5
	var passed sync.WaitGroup
	passed.Add(all)
	n := start(t, func(o *options) { o.MaxSocketsPerUser = most })
	n.Namespace().Use(func(context.Context, *socketio.Socket) error { // behind the service's own
		passed.Done()
		passed.Wait()
		return nil
	})
	clients := make(chan *raw.Client, all)
	for range all {
		go func() {
			c, _ := raw.Try(t, n.url, raw.Options{Auth: map[string]any{"token": sign(t, id("ana"))}})
			clients <- c
		}()
	}
	for range all {
		<-clients
	}
	waittest.Until(t, "the sockets beyond the limit are refused", func() bool { return n.Stats().Limits.SocketsPerUser == all-most })
	n.settled(most)
	waittest.Until(t, "the others are registered", func() bool { return len(n.UserSockets(id("ana"))) == most })
}

func TestMaxSocketsPerUserErrors(t *testing.T) {
	n := start(t, func(o *options) { o.MaxSocketsPerUser = 1 })
	faster := make(chan *raw.Client, 1)
	var second atomic.Bool
	n.Namespace().Use(func(context.Context, *socketio.Socket) error {
		if second.CompareAndSwap(false, true) {
			faster <- n.device("ana")
		}
		return nil
	})
	c := n.connect(map[string]any{"token": sign(t, id("ana"))})
	e := c.Next("error")
	if e.Arg(0) != `"Too many connections for this user"` ||
		e.Arg(1) != `{"code":"rate_limited","message":"Too many connections for this user","event":"authenticate"}` {
		t.Errorf("error %s", e.Args)
	}
	if c.Ended() {
		t.Error("DISCONNECT was sent, so the client does not reconnect by itself")
	}
	mustSucceed(t, (<-faster).Ask("join-room", "r"))
}

func TestMaxRoomsPerSocket(t *testing.T) {
	n := start(t, func(o *options) { o.MaxRoomsPerSocket = 2 })
	c := n.member("ana", "r1", "r2")
	mustFail(t, c.Ask("join-room", "r3"), "invalid", "a socket may be in 2 rooms at most")
	mustSucceed(t, c.Ask("join-room", "r2")) // is there already
	c.Emit("join-room", "r4")
	if e := c.Next("error"); e.Arg(0) != `"a socket may be in 2 rooms at most"` {
		t.Errorf("error %s", e.Args)
	}
	if got := n.Stats().Limits; got != (realtime.LimitCounts{RoomsPerSocket: 2}) {
		t.Errorf("counted %+v", got)
	}
	n.member("ana", "r3", "r4") // with another device
	mustSucceed(t, c.Ask("leave-room", "r1"))
	mustSucceed(t, c.Ask("join-room", "r3"))
	if _, err := n.JoinRoom(t.Context(), n.socket(c), id("the program's")); err != nil {
		t.Errorf("joined by the program: %v", err)
	}
	if err := n.socket(c).Join(t.Context(), "a room of another kind"); err != nil {
		t.Error(err)
	}
	mustFail(t, c.Ask("join-room", "r5"), "invalid", "a socket may be in 2 rooms at most")
}

// The default limit is high, and it can be turned off.
func TestMaxRoomsPerSocketDefault(t *testing.T) {
	for _, most := range []int{0, -1} {
		n := start(t, func(o *options) { o.MaxRoomsPerSocket, o.RateLimit = most, -1 })
		c := n.device("ana")
		var last raw.Event
		for i := range 1001 {
			last = c.Ask("join-room", fmt.Sprint("r", i))
			if i < 1000 {
				mustSucceed(t, last)
			}
		}
		if refused := strings.Contains(last.Arg(0), "1000 rooms at most"); refused != (most == 0) {
			t.Errorf("limit %d, room 1,001: %s", most, last.Arg(0))
		}
	}
}

func TestAuthTimeoutIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, inMemory, func(o *options) { o.AuthTimeout = 10 * time.Second })
		n.anonymous().Disconnected()
		if got := n.Stats().Limits; got != (realtime.LimitCounts{AuthTimeouts: 1}) {
			t.Errorf("counted %+v", got)
		}
	})
}
