package realtime

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/socketio"
)

// FuzzArguments parses arguments of the documented events: those of clients, which are
// valid JSON, and those of backends, which may not be. Each one is an [*Error] with the
// code invalid, or follows the document's rules, and its payload is sent byte for byte.
func FuzzArguments(f *testing.F) {
	for _, s := range []string{
		`"r"`, `42`, `{"roomId":"r"}`, `{"roomId":42,"type":"x","payload":{"a":[1, 2]}}`, `{"roomId":"r","type":"x"}`, `{"roomId":"r","roomId":1.5,"type":"x"}`,
		`{"targetUserId":"u","type":"INFO","title":"t","payload":{"_placeholder":true,"num":0},"priority":"high"}`, `{"userId":7,"type":"ALERT","title":"é","message":"m","payload":null}`,
		`{"roomId":"r","type":"\u0000"}`, `{"ROOMID":"r","Type":"x"}`, `{"roomId":null,"type":{}}`, `null`, `[]`, ``, `{"event":"e","data":[1]}`, `{"token":"t","userId":"u"}`, `{"roomId":"r","type":"x","payload":{"_placeholder":true,"num":1}}`, `{`,
	} {
		f.Add([]byte(s))
	}
	at := time.Unix(0, 0)
	f.Fuzz(func(t *testing.T, text []byte) {
		v := socketio.Value{JSON: text, Attachments: [][]byte{[]byte("zero"), []byte("one")}}
		if bytes.Contains(text, []byte("_placeholder")) == false {
			v.Attachments = nil
		}
		refused := func(err error) bool {
			var e *Error
			if err != nil && (!errors.As(err, &e) || e.Code != CodeInvalid || !utf8.ValidString(e.Message) || len(e.Message) > 1000+len(text)) {
				t.Fatalf("%q: %v", text, err)
			}
			if err == nil && !stdjson.Valid(text) {
				t.Fatalf("%q is accepted", text)
			}
			return err != nil
		}
		if room, err := ParseRoom(v); !refused(err) {
			valid(t, text, room)
		}
		if u, err := ParseUpdate(v); !refused(err) {
			valid(t, text, u.RoomID)
			if !isText(u.Type, 1, 256) || strings.ContainsFunc(u.Type, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
				t.Errorf("%q: type %q", text, u.Type)
			}
			passedOn(t, text, v, updateEvent{u, at})
		}
		if n, err := ParseNotification(v); !refused(err) {
			valid(t, text, n.TargetUserID)
			if !isText(n.Title, 1, 100) || !isText(n.Message, 0, 500) || !slices.Contains([]string{"low", "normal", "high"}, n.Priority) ||
				!slices.Contains([]string{"INFO", "SUCCESS", "ERROR", "ALERT", "WARNING"}, n.Type) {
				t.Errorf("%q: %+v", text, n)
			}
			passedOn(t, text, v, notificationEvent{n, at})
		}
		if event, _, err := ParseEvent(v); !refused(err) && !isText(event, 1, 256) {
			t.Errorf("%q: event %q", text, event)
		}
	})
}

func isText(s string, least, most int) bool {
	n := utf8.RuneCountInString(s)
	return n >= least && n <= most
}

func valid(t *testing.T, text []byte, id ident.ID) {
	t.Helper()
	if again, err := ident.Parse(id.AppendJSON(nil)); id.IsZero() || err != nil || !again.Equal(id) {
		t.Errorf("%q: id %v", text, id)
	}
}

// passedOn checks that the event is valid JSON whose payload is the argument's,
// and has as many attachments as that names.
func passedOn(t *testing.T, text []byte, v socketio.Value, event socketio.ArgAppender) {
	t.Helper()
	out, attachments, err := event.AppendArg(nil, nil)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var in, sent struct{ Payload stdjson.RawMessage }
	if err := stdjson.Unmarshal(out, &sent); err != nil {
		t.Fatalf("%q became %q: %v", text, out, err)
	}
	if len(v.Attachments) > 0 {
		for i := range attachments {
			if !bytes.Contains(out, []byte(`"num":`+string(rune('0'+i)))) {
				t.Errorf("%q became %q with %q", text, out, attachments)
			}
		}
		return
	}
	if err := stdjson.Unmarshal(text, &in); err != nil {
		t.Fatal(err)
	}
	if in.Payload == nil {
		in.Payload = stdjson.RawMessage("null")
	}
	if !bytes.Equal(sent.Payload, in.Payload) || len(attachments) > 0 {
		t.Errorf("%q: payload %q became %q", text, in.Payload, sent.Payload)
	}
}
