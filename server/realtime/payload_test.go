package realtime_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// payloads are JSON values that would change if they were decoded and encoded again.
var payloads = map[string]string{
	"key order":       `{"b":1,"a":2,"10":3,"9":4}`,
	"duplicate keys":  `{"a":1,"a":2}`,
	"white space":     "{ \"a\" :\t[ 1 ,\n2 ] }",
	"escapes":         `{"a":"\u00e9\/\n\u0041"}`,
	"lone surrogates": `{"a":"\ud800 \udc00"}`,
	"HTML":            `{"a":"<b>&amp;\u2028</b>"}`,
	"big numbers":     `{"a":[9007199254740993,1e400,-0,1.10,0.1e-7]}`,
	"400 digits":      `{"a":` + strings.Repeat("7", 400) + `}`,
	"prototype":       `{"__proto__":{"x":1},"constructor":null}`,
	"200 deep":        `{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`,
	"empty":           `{}`,
}

func TestPayloadByteForByte(t *testing.T) {
	n := start(t)
	c := n.member("ana", "r")
	for name, payload := range payloads {
		t.Run(name, func(t *testing.T) {
			update := json.RawMessage(`{"roomId":"r","type":"x","payload":` + payload + `}`)
			mustSucceed(t, c.Ask("publish-update", update))
			want(t, c.Next("update"), `{"roomId":"r","type":"x","payload":`+payload+`,"from":"ana","timestamp":T}`)
			note := json.RawMessage(`{"payload":` + payload + `,"targetUserId":"ana","type":"INFO","title":"Hi"}`)
			mustSucceed(t, c.Ask("publish-notification", note))
			want(t, c.Next("notification"), `{"type":"INFO","title":"Hi","message":"","payload":`+payload+`,"priority":"normal","from":"ana","timestamp":T}`)
		})
	}
	for _, payload := range []string{`null`, `true`, `"text"`, `0.50`, `[ ]`} {
		mustSucceed(t, c.Ask("publish-update", json.RawMessage(`{"roomId":"r","type":"x","payload":`+payload+`}`)))
		want(t, c.Next("update"), `{"roomId":"r","type":"x","payload":`+payload+`,"from":"ana","timestamp":T}`)
	}
}

func TestPayloadBinary(t *testing.T) {
	n := start(t)
	ana, ben := n.member("ana", "r"), n.member("ben", "r")
	// The attachment of a second argument is not part of the payload, and is not sent.
	ana.Packet(`453-1["publish-update",{"type":"x","roomId":"r","payload":{"b":{"_placeholder":true,"num":2},"a":{"_placeholder":true,"num":0}}},{"_placeholder":true,"num":1}]`,
		[]byte("zero"), []byte("one"), []byte("two"))
	e := ben.Next("update")
	want(t, e, `{"roomId":"r","type":"x","payload":{"b":{"_placeholder":true,"num":0},"a":{"_placeholder":true,"num":1}},"from":"ana","timestamp":T}`)
	if len(e.Attachments) != 2 || string(e.Attachments[0]) != "two" || string(e.Attachments[1]) != "zero" {
		t.Errorf("attachments %q", e.Attachments)
	}
	ana.Packet(`451-["publish-update",{"roomId":"r","type":"x","payload":{"_placeholder":true,"num":0}}]`, []byte{0, 255})
	e = ben.Next("update")
	want(t, e, `{"roomId":"r","type":"x","payload":{"_placeholder":true,"num":0},"from":"ana","timestamp":T}`)
	if len(e.Attachments) != 1 || string(e.Attachments[0]) != "\x00\xff" {
		t.Errorf("attachments %q", e.Attachments)
	}
	ana.Packet(`451-["publish-notification",{"targetUserId":"ben","type":"INFO","title":"Hi","payload":{"pdf":{"_placeholder":true,"num":0}}}]`, []byte("PDF"))
	if e := ben.Next("notification"); len(e.Attachments) != 1 || string(e.Attachments[0]) != "PDF" {
		t.Errorf("attachments %q", e.Attachments)
	}
	// A single attachment is not an object.
	ana.Packet(`451-["publish-notification",{"targetUserId":"ben","type":"INFO","title":"Hi","payload":{"_placeholder":true,"num":0}}]`, []byte("PDF"))
	if e := ana.Next("error"); e.Arg(0) != `"payload must be an object"` {
		t.Errorf("error %s", e.Args)
	}
}

// What a Go program publishes is encoded as JSON, with times as JavaScript
// writes them and bytes as attachments.
func TestPayloadFromGo(t *testing.T) {
	type line struct {
		Item     string          `json:"item"`
		Quantity int             `json:"quantity,omitempty"`
		At       time.Time       `json:"at"`
		Photo    []byte          `json:"photo"`
		Extra    json.RawMessage `json:"extra"`
		Passed   socketio.Value  `json:"passed"`
		hidden   int
	}
	n := start(t)
	c := n.member("ana", "r")
	at := time.Date(2024, 12, 20, 15, 30, 0, 123456789, time.FixedZone("", 3600))
	for name, tc := range map[string]struct {
		payload any
		want    string
	}{
		"nil":    {nil, `null`},
		"string": {"<é>", `"<é>"`},
		"time":   {at, `"2024-12-20T14:30:00.123Z"`},
		"bytes":  {[]byte("x"), `{"_placeholder":true,"num":0}`},
		"map":    {map[string]any{"a": []any{1, 1.5, true, nil}}, `{"a":[1,1.5,true,null]}`},
		"struct": {
			line{Item: "a", At: at, Photo: []byte("x"), Extra: json.RawMessage(`{"b": 1}`), Passed: socketio.Value{JSON: []byte(`1e2`)}, hidden: 1},
			`{"item":"a","quantity":0,"at":"2024-12-20T14:30:00.123Z","photo":{"_placeholder":true,"num":0},"extra":{"b":1},"passed":1e2}`,
		},
		"pointer": {&struct{ A int }{1}, `{"A":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := n.PublishUpdate(t.Context(), &realtime.Update{RoomID: id("r"), Type: "x", Payload: tc.payload}); err != nil {
				t.Fatal(err)
			}
			want(t, c.Next("update"), `{"roomId":"r","type":"x","payload":`+tc.want+`,"from":null,"timestamp":T}`)
		})
	}
	for _, bad := range []any{make(chan int), func() {}, map[string]any{"a": make(chan int)}} {
		_, err := n.PublishUpdate(t.Context(), &realtime.Update{RoomID: id("r"), Type: "x", Payload: bad})
		if public := realtime.Public(err); public.Code != realtime.CodeInvalid {
			t.Errorf("%T: %v", bad, err)
		}
	}
	nothing(t, c)
}
