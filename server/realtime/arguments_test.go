package realtime_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

func nested(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }

const tooDeep = "arguments must be nested 512 levels deep at most"

// An event whose argument is nested too deeply, or that has too many arguments, is
// invalid for its sender, by acknowledgement or by the event error, and nobody else
// notices. It counts like any other refused event.
func TestArgumentsAreInvalid(t *testing.T) {
	n := start(t)
	ana, ben := n.member("ana", "r"), n.member("ben", "r")
	many := "arguments must be at most 1000"
	for _, tc := range []struct{ event, arg, message string }{
		{"publish-update", `{"roomId":"r","type":"x","payload":` + nested(512) + `}`, tooDeep},
		{"publish-update", `{"roomId":"r","type":"x","payload":` + nested(3000) + `}`, tooDeep},
		{"publish-update", `{"roomId":"r","type":"x","payload":` + nested(400_000) + `}`, tooDeep},
		{"publish-notification", `{"targetUserId":"ben","type":"INFO","title":"Hi","payload":{"p":` + nested(511) + `}}`, tooDeep},
		{"join-room", `{"roomId":"s","p":` + nested(512) + `}`, tooDeep},
		{"ping", nested(513), tooDeep},
		{"nobody-handles-this", nested(513), tooDeep},
		{"publish-update", `{"roomId":"r","type":"x"}` + strings.Repeat(",0", 1000), many},
		{"join-room", `"s"` + strings.Repeat(",0", 400_000), many},
	} {
		before := n.Stats()
		arg := json.RawMessage(tc.arg)
		if a := ana.Ask(tc.event, arg); a.Arg(0) != `{"success":false,"error":{"code":"invalid","message":"`+tc.message+`"}}` {
			t.Errorf("%s with %.60s: %s", tc.event, tc.arg, a.Arg(0))
		}
		ana.Emit(tc.event, arg)
		e := ana.Next("error")
		if e.Arg(0) != `"`+tc.message+`"` || e.Arg(1) != `{"code":"invalid","message":"`+tc.message+`","event":"`+tc.event+`"}` {
			t.Errorf("%s with %.60s: %s", tc.event, tc.arg, e.Args)
		}
		after := n.Stats()
		if after.Errors != before.Errors+2 || after.MessagesReceived != before.MessagesReceived+2 ||
			after.Limits.Depth+after.Limits.Arguments != before.Limits.Depth+before.Limits.Arguments+2 {
			t.Errorf("%s with %.60s: statistics %+v, before %+v", tc.event, tc.arg, after, before)
		}
	}
	// An event within the limits is delivered unchanged.
	payload := nested(511)
	ana.Packet(`42["publish-update",{"roomId":"r","type":"x","payload":` + payload + `}]`)
	want(t, ben.Next("update"), `{"roomId":"r","type":"x","payload":`+payload+`,"from":"ana","timestamp":T}`)
	nothing(t, ben)
}

// If such events are refused again and again, the connection ends, as with any other
// refusals.
func TestDeepArgumentsAreRefusals(t *testing.T) {
	n := start(t, refusing)
	c := n.device("ana")
	for range 11 {
		c.Packet(`42["join-room",` + nested(600) + `]`)
	}
	if kicked := c.Ended(); kicked {
		t.Error("the client got DISCONNECT, so it does not reconnect by itself")
	}
	if got := n.Stats().Limits; got.RefusedEvents != 1 || got.Depth != 11 {
		t.Errorf("counted %+v", got)
	}
}

// If a Go program publishes something that is nested too deeply, it gets the same error.
func TestDeepArgumentsFromGo(t *testing.T) {
	n := start(t)
	ana := n.member("ana", "r")
	deep := socketio.Value{JSON: []byte(nested(512))}
	_, err := n.PublishUpdate(t.Context(), &realtime.Update{RoomID: id("r"), Type: "x", Payload: deep})
	if public, ok := err.(*realtime.Error); !ok || public.Code != realtime.CodeInvalid || public.Message != tooDeep {
		t.Errorf("got %v", err)
	}
	nothing(t, ana)
}
