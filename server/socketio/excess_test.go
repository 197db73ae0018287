package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// nested returns an array of this many levels.
func nested(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }

const (
	tooDeep   = `"arguments must be nested 512 levels deep at most"`
	tooMany   = `"arguments must be at most 1000"`
	deepLimit = packet.DefaultMaxDepth
)

// An event with an argument that is nested too deeply, or with too many arguments,
// is refused: its sender gets the reason, its connection stays open, and no other client is affected.
func TestArgumentsAreBounded(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	seen := make(chan string, 100)
	ns.UseEvent(func(_ context.Context, _ *socketio.Socket, e *socketio.Event, next func() error) error {
		err := next()
		seen <- fmt.Sprintf("%s %d %v", e.Name, len(e.Args()), errors.Is(err, socketio.ErrArguments))
		return err
	})
	ns.Handle("echo", socketio.HandlerFunc(func(ctx context.Context, _ *socketio.Socket, e *socketio.Event) error {
		if err := ns.Emit(ctx, "echoed", e.Args().Any()...); err != nil {
			return err
		}
		return e.Reply("done")
	}))
	zeros := func(n int) string { return strings.TrimSuffix(strings.Repeat("0,", n), ",") }
	for _, polling := range []bool{false, true} {
		bystander := dial(t, srv)
		c := socketiotest.Dial(t, srv.URL, socketiotest.Options{Polling: polling})
		for i, tc := range []struct{ args, message string }{
			{nested(deepLimit + 1), tooDeep}, {"1," + nested(3000), tooDeep}, {strings.Repeat(`{"a":`, 600) + "1" + strings.Repeat("}", 600), tooDeep},
			{nested(400_000), tooDeep}, {zeros(1001), tooMany}, {zeros(400_000), tooMany},
		} {
			c.SendText(fmt.Sprintf(`2%d["echo",%s]`, i, tc.args))
			if got := c.Text(); got != fmt.Sprintf(`3%d[{"error":{"code":"invalid","message":%s}}]`, i, tc.message) {
				t.Errorf("%.30s: %s", tc.args, got)
			}
			c.SendText(`2["echo",` + tc.args + `]`) // there is no answer to this one
			for range 2 {
				if got := receive(t, seen, "the event"); got != "echo 0 true" {
					t.Errorf("%.30s: the middleware saw %q", tc.args, got)
				}
			}
		}
		for i, args := range []string{nested(deepLimit), zeros(1000)} {
			c.SendText(fmt.Sprintf(`2%d["echo",%s]`, i, args))
			if got := text(bystander.Expect("echoed").Args); got != "["+args+"]" {
				t.Errorf("%.30s became %.30s", args, got)
			}
			c.Expect("echoed")
			if got := c.Text(); got != fmt.Sprintf(`3%d["done"]`, i) {
				t.Errorf("got %s", got)
			}
			receive(t, seen, "the event")
		}
	}
	if got := srv.IO.LimitCounts(); got.Depth != 16 || got.Arguments != 8 {
		t.Errorf("%+v are counted, want 16 too deep, and 8 with too many", got)
	}
}

// A packet may have MaxArguments arguments, and all of them arrive. The option can be
// raised.
func TestMaxArguments(t *testing.T) {
	zeros := func(n int) string { return strings.Repeat(",0", n-1) + ", 1 " }
	for _, tc := range []struct{ most, sent int }{{0, 1000}, {3, 3}, {-1, 100_000}} {
		srv := serve(t, socketio.Options{MaxArguments: tc.most})
		srv.IO.Namespace("/").Handle("count", socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error {
			return e.Reply(len(e.Args()), e.Arg(0), e.Arg(len(e.Args())-1), e.Arg(tc.sent))
		}))
		c := dial(t, srv)
		c.SendText(`20["count"` + zeros(tc.sent) + `]`)
		if got := c.Text(); got != fmt.Sprintf(`30[%d,0,1,null]`, tc.sent) {
			t.Errorf("got %s", got)
		}
	}
}

// An acknowledgement has the same limits as an event: if it exceeds one, the program that
// waits for it gets an error.
func TestArgumentsOfAcknowledgements(t *testing.T) {
	srv := serve(t, socketio.Options{})
	c, s := pair(t, srv, socketiotest.Options{})
	for _, tc := range []struct {
		args    string
		refused bool
	}{{nested(deepLimit), false}, {nested(deepLimit + 1), true}, {"0" + strings.Repeat(",0", 1000), true}} {
		failed := make(chan error, 1)
		go func() { _, err := s.EmitWithAck(t.Context(), "q"); failed <- err }()
		kind, rest, _ := strings.Cut(c.Text(), `["q"]`)
		if rest != "" {
			t.Fatal(kind, rest)
		}
		c.SendText(`3` + kind[1:] + `[` + tc.args + `]`)
		if err := receive(t, failed, "the answer"); errors.Is(err, socketio.ErrArguments) != tc.refused || err != nil != tc.refused {
			t.Errorf("%.30s: %v", tc.args, err)
		}
	}
}

// A CONNECT whose payload is nested too deeply is refused, whatever its namespace,
// and the client may try again.
func TestDeepConnect(t *testing.T) {
	srv := serve(t, socketio.Options{})
	c := engineiotest.Dial(t, srv.URL+"/socket.io/", engineiotest.Options{})
	auth := func(levels int) string { return strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels) }
	for _, name := range []string{"", "/nowhere,"} {
		c.SendText(`0` + name + auth(deepLimit+1))
		if got, want := c.Text(), `4`+name+`{"message":"auth must be nested 512 levels deep at most","data":{"code":"invalid"}}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	c.SendText(`0` + auth(deepLimit))
	if got := c.Text(); !strings.HasPrefix(got, `0{"sid":`) {
		t.Errorf("got %s", got)
	}
	if got := srv.IO.LimitCounts().Depth; got != 2 {
		t.Errorf("%d refusals are counted, want 2", got)
	}
}

// Sending an argument that is nested too deeply to other servers is an error. If another
// server, whose limit may be higher, sends one, it is dropped and counted.
func TestDeepMessagesOfOthers(t *testing.T) {
	cluster := adapter.NewMemory()
	dropped := make(chan error, 10)
	failed := make(chan error, 10)
	far := serve(t, socketio.Options{Adapter: cluster.Factory(), MaxDepth: 5000})
	near := serve(t, socketio.Options{Adapter: cluster.Factory(), Hooks: socketio.Hooks{
		BroadcastDropped: func(_ *socketio.Namespace, err error) { dropped <- err },
		HandlerError:     func(_ *socketio.Socket, _ string, err error) { failed <- err },
	}})
	deep, most := socketio.Value{JSON: []byte(nested(deepLimit + 1))}, socketio.Value{JSON: []byte(nested(deepLimit))}
	handled := make(chan socketio.Args, 10)
	near.IO.Namespace("/").HandleServerSide("s", func(_ context.Context, args socketio.Args) (any, error) { handled <- args; return nil, nil })
	c := dial(t, near)
	ns := far.IO.Namespace("/")
	for _, err := range []error{ns.Emit(t.Context(), "e", deep), ns.ServerSideEmit(t.Context(), "s", 1, deep)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if answers, err := ns.All().EmitWithAck(t.Context(), "e", deep); len(answers) != 0 || err != nil {
		t.Errorf("%d answers, %v", len(answers), err)
	}
	for range 2 {
		if err := receive(t, dropped, "the hook's call"); !errors.Is(err, socketio.ErrArguments) {
			t.Errorf("got %v", err)
		}
	}
	if err := receive(t, failed, "the hook's call"); !errors.Is(err, socketio.ErrArguments) {
		t.Errorf("got %v", err)
	}
	if got := near.IO.LimitCounts().Depth; got != 3 {
		t.Errorf("%d drops are counted, want 3", got)
	}
	// An argument of the maximum depth arrives.
	for _, err := range []error{ns.Emit(t.Context(), "e", most), ns.ServerSideEmit(t.Context(), "s", 1, most)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c.Expect("e")
	if got := receive(t, handled, "the event"); len(got) != 2 {
		t.Errorf("%d arguments", len(got))
	}
	// The program gets the reason as an error. To this server's clients it may send any
	// depth.
	ns = near.IO.Namespace("/")
	for _, err := range []error{
		ns.Emit(t.Context(), "e", deep), ns.All().Post("e", deep), ns.ServerSideEmit(t.Context(), "s", deep),
	} {
		if !errors.Is(err, socketio.ErrArguments) {
			t.Errorf("got %v", err)
		}
	}
	if err := ns.All().Local().Emit(t.Context(), "mine", deep); err != nil {
		t.Error(err)
	}
	c.Expect("mine")
}
