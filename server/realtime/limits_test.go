package realtime_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/clienttests/raw"
)

// limited is the option of a limit of five events in a minute.
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
	if n.IsUserInRoom("ana", "r") {
		t.Error("an event beyond the limit had an effect")
	}
	mustSucceed(t, ben.Ask("join-room", "r"))
	phone.Emit("join-room", "r")
	if e := phone.Next("error"); e.Arg(0) != `"Rate limit exceeded"` ||
		e.Arg(1) != `{"code":"rate_limited","message":"Rate limit exceeded","event":"join-room"}` {
		t.Errorf("error %s", e.Args)
	}
	if got := n.Stats().Errors; got != 3 {
		t.Errorf("%d errors counted", got)
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

// Events of the program's own count as the documented ones do.
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
}

func TestLimitBeforeAuthentication(t *testing.T) {
	n := start(t, limited)
	a, b := n.anonymous(), n.anonymous()
	for range 5 {
		a.Ask("authenticate", map[string]any{"token": "x"})
	}
	mustFail(t, a.Ask("authenticate", map[string]any{"token": sign(t, id("ana"))}), "rate_limited", "Rate limit exceeded")
	mustSucceed(t, b.Ask("authenticate", map[string]any{"token": sign(t, id("ana"))}))
}

func TestNoLimit(t *testing.T) {
	c := start(t, func(o *options) { o.RateLimit = -1 }).device("ana")
	for range 300 {
		c.Emit("leave-room", "r")
		c.Emit("ping")
	}
	mustSucceed(t, c.Ask("join-room", "r"))
	want(t, c.Ask("ping"), `{"timestamp":T}`)
}
