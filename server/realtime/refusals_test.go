package realtime_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// refusing sets limits of five events and ten refused ones in a minute.
func refusing(o *options) {
	limited(o)
	o.MaxRefusedEvents = 10
}

// Each kind of refusal counts. The eleventh one ends the connection, and the client may
// reconnect. Fewer refusals do not end it.
func TestRefusedEvents(t *testing.T) {
	for name, tc := range map[string]struct {
		anonymous bool
		event     string
		arg       any
		allowed   int
		counts    realtime.LimitCounts
	}{
		"rate_limited":    {false, "leave-room", "r", 5, realtime.LimitCounts{UserEvents: 11}},
		"invalid":         {false, "join-room", "", 0, realtime.LimitCounts{UserEvents: 6}},
		"unauthorized":    {false, "publish-update", map[string]any{"roomId": "r", "type": "x"}, 0, realtime.LimitCounts{UserEvents: 6}},
		"unauthenticated": {true, "join-room", "r", 0, realtime.LimitCounts{SocketEvents: 6}},
		"wrong tokens":    {true, "authenticate", map[string]any{"token": "x"}, 0, realtime.LimitCounts{SocketEvents: 6}},
		"pings":           {false, "ping", nil, 5, realtime.LimitCounts{Pings: 11}},
	} {
		t.Run(name, func(t *testing.T) {
			reasons := make(chan socketio.Reason, 1)
			n := start(t, refusing)
			n.Namespace().OnDisconnect(func(_ context.Context, _ *socketio.Socket, reason socketio.Reason) {
				select {
				case reasons <- reason:
				default:
				}
			})
			var c *raw.Client
			if tc.anonymous {
				c = n.anonymous()
			} else {
				c = n.device("ana")
			}
			for range tc.allowed + 10 {
				c.Ask(tc.event, tc.arg)
			}
			if got := n.Stats().Limits.RefusedEvents; got != 0 {
				t.Fatal("ten refused events end the connection")
			}
			c.Emit(tc.event, tc.arg)
			if kicked := c.Ended(); kicked {
				t.Error("the client got DISCONNECT, so it does not reconnect by itself")
			}
			if reason := <-reasons; reason != realtime.ReasonRefusals {
				t.Errorf("reason %q", reason)
			}
			tc.counts.RefusedEvents = 1
			if got := n.Stats().Limits; got != tc.counts {
				t.Errorf("counted %+v, want %+v", got, tc.counts)
			}
			mustSucceed(t, n.device("ben").Ask("join-room", "r"))
		})
	}
}

// Refusals of an earlier window do not count.
func TestRefusedEventsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, refusing, inMemory)
		c := n.device("ana")
		for range 5 {
			for range 10 {
				if a := c.Ask("join-room", ""); !strings.Contains(a.Arg(0), `"success":false`) {
					t.Errorf("answer %s", a.Arg(0))
				}
			}
			time.Sleep(time.Minute)
		}
		mustSucceed(t, c.Ask("join-room", "r"))
	})
}

// A client that leaves the namespace and joins it again keeps its count of refusals.
func TestRefusedEventsAndLeaving(t *testing.T) {
	n := start(t, refusing)
	c := n.device("ana")
	for range 9 {
		c.Ask("join-room", "")
	}
	c.Send("41")
	c.Ended()
}

// Without the option, and without a limit, nothing is counted.
func TestRefusedEventsOff(t *testing.T) {
	c := start(t, limited).device("ana")
	for range 500 {
		c.Emit("join-room", "")
	}
	mustFail(t, c.Ask("join-room", "r"), "rate_limited", "Rate limit exceeded")
}
