package realtime_test

import (
	"strings"
	"testing"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// DecodeObject decodes the members that the struct names, the last one if a name is
// repeated, and skips the others without decoding them.
func TestDecodeObject(t *testing.T) {
	type argument struct {
		Token   string         `json:"token"`
		Count   int            `json:"count"`
		Payload socketio.Value `json:"payload"`
	}
	many := strings.Repeat(`"\u0061":{},"TOKEN":1,`, 1000)
	for text, want := range map[string]string{
		`{"token":"t","count":2,"payload":[1, 2]}`: `t 2 [1, 2]`,
		`{"\u0074oken":"t"}`:                       `t 0 `,
		`{` + many + `"token":"t"}`:                `t 0 `,
		`{"token":7,"token":"t"}`:                  `t 0 `,
		`{"payload":{"a":1},"payload":{"b":2}}`:    ` 0 {"b":2}`,
		`{"token":null}`:                           ` 0 `,
		`{"token":7}`:                              "invalid: token must be",
		`{"token":"t","token":7}`:                  "invalid: token must be",
		`{"count":1.5,"token":7}`:                  "invalid: count must be",
		`{"token":"t"`:                             "invalid: argument must be an object",
		`["t"]`:                                    "invalid: argument must be an object",
		``:                                         "invalid: argument must be an object",
	} {
		var in argument
		got := ""
		if err := realtime.DecodeObject(socketio.Value{JSON: []byte(text)}, &in); err != nil {
			public := realtime.Public(err)
			got = string(public.Code) + ": " + public.Message
			got = got[:min(len(got), len(want))]
		} else {
			got = strings.Join([]string{in.Token, string('0' + rune(in.Count)), string(in.Payload.JSON)}, " ")
		}
		if got != want {
			t.Errorf("%.60s: %q, want %q", text, got, want)
		}
	}
}
