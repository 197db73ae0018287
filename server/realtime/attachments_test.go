package realtime_test

import (
	"strings"
	"testing"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// An event whose placeholders, counted one by one, exceed a limit is invalid: its
// publisher gets the error, by acknowledgement or by the event error, and no other
// client notices.
func TestReferencesAreInvalid(t *testing.T) {
	n := start(t, func(o *options) { o.io.MaxAttachmentBytes = 1000 })
	ana, ben := n.member("ana", "r"), n.member("ben", "r")
	placeholders := func(n int) string {
		return `[` + strings.TrimSuffix(strings.Repeat(`{"_placeholder":true,"num":0},`, n), ",") + `]`
	}
	events := map[string]string{
		"publish-update":       `{"roomId":"r","type":"x","payload":{"p":P}}`,
		"publish-notification": `{"targetUserId":"ben","type":"INFO","title":"Hi","payload":{"p":P}}`,
		"join-room":            `{"roomId":"s","p":P}`,
		"nobody-handles-this":  `P`,
	}
	many := "attachments must be at most 10, counted at each place that names one"
	for _, tc := range []struct {
		n, size int
		message string
	}{
		{11, 1, many}, {30_000, 900, many},
		{2, 501, "attachments must have at most 1000 bytes, counted at each place that names one"},
	} {
		for event, arg := range events {
			before := n.Stats()
			arg = strings.Replace(arg, "P", placeholders(tc.n), 1)
			ana.Packet(`451-["`+event+`",`+arg+`]`, make([]byte, tc.size))
			e := ana.Next("error")
			if e.Arg(0) != `"`+tc.message+`"` || e.Arg(1) != `{"code":"invalid","message":"`+tc.message+`","event":"`+event+`"}` {
				t.Errorf("%s with %d placeholders: %s", event, tc.n, e.Args)
			}
			after := n.Stats()
			if after.Errors != before.Errors+1 || after.MessagesReceived != before.MessagesReceived+1 || after.Limits.References != before.Limits.References+1 {
				t.Errorf("%s with %d placeholders: statistics %+v, before %+v", event, tc.n, after, before)
			}
		}
	}
	stranger := n.anonymous()
	stranger.Packet(`451-["publish-update",`+placeholders(11)+`]`, []byte("x"))
	if e := stranger.Next("error"); e.Arg(0) != `"Unauthorized"` {
		t.Errorf("without a user: %s", e.Args)
	}
	// The connection is open, and the members of the room have received nothing.
	ana.Packet(`451-["publish-update",{"roomId":"r","type":"x","payload":`+placeholders(10)+`}]`, make([]byte, 100))
	e := ben.Next("update")
	want(t, e, `{"roomId":"r","type":"x","payload":`+placeholders(10)+`,"from":"ana","timestamp":T}`)
	if len(e.Attachments) != 1 || len(e.Attachments[0]) != 100 {
		t.Errorf("%d attachments", len(e.Attachments))
	}
	nothing(t, ben)
}

// What a Go program publishes with more attachments than clients take is invalid.
func TestTooManyAttachmentsFromGo(t *testing.T) {
	n := start(t)
	ana := n.member("ana", "r")
	var blobs []any
	for range 11 {
		blobs = append(blobs, []byte("x"))
	}
	_, err := n.PublishUpdate(t.Context(), &realtime.Update{RoomID: id("r"), Type: "x", Payload: blobs})
	if public := realtime.Public(err); public.Code != realtime.CodeInvalid || !strings.HasPrefix(public.Message, "payload must be") {
		t.Errorf("got %v", err)
	}
	if err := n.Broadcast(t.Context(), "e", blobs...); realtime.Public(err).Code != realtime.CodeInvalid {
		t.Errorf("got %v", err)
	}
	nothing(t, ana)
}

// What a backend sends as JSON has no attachments: an object that looks like the
// placeholder of one is an object.
func TestPlaceholderInJSON(t *testing.T) {
	n := start(t)
	ana := n.member("ana", "r")
	text := `{"roomId":"r","type":"x","payload":{"_placeholder":true,"num":7}}`
	arg, err := n.Argument([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	u, err := realtime.ParseUpdate(arg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.PublishUpdate(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	e := ana.Next("update")
	want(t, e, `{"roomId":"r","type":"x","payload":{"_placeholder":true,"num":7},"from":null,"timestamp":T}`)
	// In an event with attachments it would be taken for one of them, or end connections.
	err = n.EmitToRoom(t.Context(), id("r"), "e", socketio.Value{JSON: []byte(text)}, []byte("x"))
	if realtime.Public(err).Code != realtime.CodeInvalid {
		t.Errorf("got %v", err)
	}
	nothing(t, ana)
}
