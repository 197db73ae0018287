package socketio_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/socketio"
)

// Decode takes as many arguments as it has pointers; its errors name the argument.
func TestDecodeArguments(t *testing.T) {
	args := socketio.Args{{JSON: []byte(`"ana"`)}, {JSON: []byte(`[1]`)}, {JSON: []byte(`true`)}}
	var name string
	var numbers []int
	var yes bool
	if err := args.Decode(&name, &numbers, &yes); err != nil || name != "ana" || len(numbers) != 1 || !yes {
		t.Errorf("got %q, %v, %v, %v", name, numbers, yes, err)
	}
	name, yes = "", false
	if err := args.Decode(nil, nil, &yes); err != nil || !yes {
		t.Errorf("skipping two: %v, %v", yes, err)
	}
	if err := args.Decode(&name); err != nil || name != "ana" {
		t.Errorf("the first: %q, %v", name, err)
	}
	if err := args.Decode(&name, &yes); !errors.Is(err, socketio.ErrDecode) || !strings.Contains(err.Error(), "argument 2") {
		t.Errorf("a list into a bool: %v", err)
	}
	if err := args[:1].Decode(&name, &numbers, &yes); !errors.Is(err, socketio.ErrDecode) || !strings.Contains(err.Error(), "argument 2 of 3 is missing") {
		t.Errorf("two are missing: %v", err)
	}
	if !args.Arg(3).IsNull() || !args.Arg(-1).IsNull() || string(args.Arg(1).JSON) != "[1]" {
		t.Error("Arg")
	}
}

// Event.Len is the number of arguments, with and without attachments.
func TestEventLen(t *testing.T) {
	srv := serve(t, socketio.Options{})
	srv.IO.Namespace("/").Handle("len", socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error {
		var first string
		return e.Reply(e.Len(), len(e.Args()), e.Decode(&first) == nil)
	}))
	c := dial(t, srv)
	for _, tc := range []struct {
		args []any
		want string
	}{
		{nil, "[0,0,false]"}, {[]any{"a"}, "[1,1,true]"}, {[]any{"a", nil, []byte("b")}, "[3,3,true]"},
	} {
		if got := text(c.EmitAck("len", tc.args...)); got != tc.want {
			t.Errorf("%v: got %s, want %s", tc.args, got, tc.want)
		}
	}
}
