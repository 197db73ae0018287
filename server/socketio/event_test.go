package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

func TestAcknowledgements(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	type in struct {
		N int `json:"n"`
	}
	type out struct {
		Twice int `json:"twice"`
	}
	ns.Handle("func", socketio.Func(func(_ context.Context, _ *socketio.Socket, v in) (out, error) { return out{2 * v.N}, nil }))
	ns.Handle("do", socketio.Do(func(context.Context, *socketio.Socket, in) error { return nil }))
	ns.Handle("secret", socketio.Do(func(context.Context, *socketio.Socket, in) error { return errors.New("a secret") }))
	ns.Handle("public", socketio.Do(func(context.Context, *socketio.Socket, in) error {
		return &socketio.Error{Code: "invalid", Message: "n must be even"}
	}))
	ns.Handle("alone", socketio.Do(func(context.Context, *socketio.Socket, in) error { return fmt.Errorf("x: %w", socketio.ErrAway) }))
	ns.Handle("panic", socketio.Do(func(context.Context, *socketio.Socket, in) error { panic("a secret") }))
	ns.Handle("twice", socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error {
		if err := e.Reply(1); err != nil {
			t.Error(err)
		}
		if err := e.Reply(2); err != socketio.ErrReplied {
			t.Errorf("the second reply: %v", err)
		}
		e.Return(3)
		return nil
	}))
	ns.Handle("wants", socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		return s.Emit(ctx, "wants", e.WantsAck())
	}))
	c := dial(t, srv)
	for event, want := range map[string]string{
		"func":   `[{"twice":8}]`,
		"do":     `[]`,
		"secret": `[{"error":{"code":"internal","message":"internal error"}}]`,
		"public": `[{"error":{"code":"invalid","message":"n must be even"}}]`,
		"panic":  `[{"error":{"code":"internal","message":"internal error"}}]`,
		"alone":  `[{"error":{"code":"unavailable","message":"not accepted by the cluster"}}]`,
		"twice":  `[1]`,
	} {
		if got := text(c.EmitAck(event, map[string]int{"n": 4})); got != want {
			t.Errorf("%s: got %s, want %s", event, got, want)
		}
	}
	if got := text(c.EmitAck("func", "no object")); got != `[{"error":{"code":"invalid","message":"invalid argument"}}]` {
		t.Errorf("an argument that does not decode: %s", got)
	}
	if got := text(c.EmitAck("func")); got != `[{"twice":0}]` {
		t.Errorf("no argument: %s", got)
	}
	c.Emit("wants")
	if e := c.Expect("wants"); text(e.Args) != `[false]` {
		t.Errorf("got %s", e.Args)
	}
}

// A busy handler may wait for its own client's acknowledgement; events wait.
func TestHandlerWaitsForAck(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	var order []string
	ns.Handle("ask", socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		answer, err := s.EmitWithAck(ctx, "question", 1)
		if err != nil {
			return err
		}
		order = append(order, "ask")
		return e.Reply(answer.Any()...)
	}))
	ns.Handle("next", socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error {
		order = append(order, "next")
		return e.Reply(order)
	}))
	c := dial(t, srv)
	c.Emit("ask")
	q := c.Expect("question")
	c.Emit("next")
	c.Ack(q, "yes", []byte{1, 2})
	if got := text(c.EmitAck("next")); got != `[["ask","next","next"]]` {
		t.Errorf("order %s", got)
	}
}

func TestEmitWithAck(t *testing.T) {
	srv := serve(t, socketio.Options{})
	c, s := pair(t, srv, socketiotest.Options{})
	answered := make(chan socketio.Args, 1)
	go func() {
		got, err := s.EmitWithAck(t.Context(), "q", "x")
		if err != nil {
			t.Error(err)
		}
		answered <- got
	}()
	c.Ack(c.Expect("q"), 1, []byte("bytes"), map[string]any{"a": nil})
	got := receive(t, answered, "the answer")
	var bytes []byte
	if len(got) != 3 || got[1].Decode(&bytes) != nil || string(bytes) != "bytes" {
		t.Errorf("got %v", got)
	}

	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() { _, err := s.EmitWithAck(ctx, "q"); failed <- err }()
	late := c.Expect("q")
	cancel()
	if err := receive(t, failed, "the error"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	c.Ack(late) // is ignored
	c.SendText(`312345[]`)
	c.SendText(`3[]`)

	go func() { _, err := s.EmitWithAck(t.Context(), "q"); failed <- err }()
	c.Expect("q")
	c.Close()
	if err := receive(t, failed, "the error"); err != socketio.ErrDisconnected {
		t.Errorf("got %v", err)
	}
	if _, err := s.EmitWithAck(t.Context(), "q"); err != socketio.ErrDisconnected {
		t.Errorf("got %v", err)
	}
	if err := s.Emit(t.Context(), "x"); err != socketio.ErrDisconnected {
		t.Errorf("got %v", err)
	}
}

func TestReservedNames(t *testing.T) {
	srv := serve(t, socketio.Options{})
	_, s := pair(t, srv, socketiotest.Options{})
	for _, name := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
		if err := s.Emit(t.Context(), name); !errors.Is(err, socketio.ErrReserved) {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Namespace().Emit(t.Context(), name); !errors.Is(err, socketio.ErrReserved) {
			t.Errorf("%s to all: %v", name, err)
		}
	}
	if err := s.Emit(t.Context(), "x", make(chan int)); !errors.Is(err, socketio.ErrEncode) {
		t.Errorf("a channel: %v", err)
	}
}

func TestArguments(t *testing.T) {
	srv := serve(t, socketio.Options{})
	c, s := pair(t, srv, socketiotest.Options{})
	type inner struct {
		Data []byte    `json:"data"`
		When time.Time `json:"when"`
		List []string  `json:"list"`
		Map  map[string]int
	}
	type named string
	when := time.Date(2024, 12, 20, 16, 30, 0, 999_999, time.FixedZone("", 3600))
	ph := func(n string) string { return `{"_placeholder":true,"num":` + n + `}` }
	for _, tc := range []struct {
		arg         any
		want        string
		attachments []string
	}{
		{nil, `null`, nil},
		{true, `true`, nil},
		{int64(1) << 60, `1152921504606846976`, nil},
		{1.5, `1.5`, nil},
		{named("<é&\u2028>\xff"), "\"<é&\u2028>\ufffd\"", nil},
		{"a\"\n", `"a\"\n"`, nil},
		{when, `"2024-12-20T15:30:00.000Z"`, nil},
		{&when, `"2024-12-20T15:30:00.000Z"`, nil},
		{[]byte("abc"), ph("0"), []string{"abc"}},
		{json.RawMessage(`{"a":1.0}`), `{"a":1.0}`, nil},
		{json.RawMessage(nil), `null`, nil},
		{[]string(nil), `[]`, nil},
		{map[string]any(nil), `{}`, nil},
		{[]any{[]byte("a"), map[string]any{"x": []byte("b")}}, `[` + ph("0") + `,{"x":` + ph("1") + `}]`, []string{"a", "b"}},
		{inner{Data: []byte("z"), When: when}, `{"data":` + ph("0") + `,"when":"2024-12-20T15:30:00.000Z","list":[],"Map":{}}`, []string{"z"}},
		{&inner{}, `{"data":null,"when":"0001-01-01T00:00:00.000Z","list":[],"Map":{}}`, nil},
		{socketio.Value{JSON: []byte(`{"a":[` + ph("1") + `]}`), Attachments: [][]byte{[]byte("no"), []byte("yes")}}, `{"a":[` + ph("0") + `]}`, []string{"yes"}},
		{struct{ V socketio.Value }{}, `{"V":null}`, nil},
	} {
		if err := s.Emit(t.Context(), "e", tc.arg); err != nil {
			t.Errorf("%v: %v", tc.arg, err)
			continue
		}
		e := c.Expect("e")
		var attachments []string
		for _, a := range e.Attachments {
			attachments = append(attachments, string(a))
		}
		if string(e.Args[0]) != tc.want || !reflect.DeepEqual(attachments, tc.attachments) {
			t.Errorf("%#v: got %s with %q, want %s with %q", tc.arg, e.Args[0], attachments, tc.want, tc.attachments)
		}
	}
}

func TestDecode(t *testing.T) {
	srv := serve(t, socketio.Options{})
	values := make(chan socketio.Args, 1)
	srv.IO.Namespace("/").Handle("e", socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error {
		values <- e.Args()
		return nil
	}))
	c := dial(t, srv)
	c.SendText(`52-["e",{"b":{"_placeholder":true,"num":1},"l":[{"num":0,"_placeholder":true}],"n":1},"x"]`)
	c.SendBinary([]byte("zero"))
	c.SendBinary([]byte("one"))
	got := receive(t, values, "the event")
	v := got[0]
	var typed struct {
		B []byte   `json:"b"`
		L [][]byte `json:"l"`
		N int      `json:"n"`
	}
	if err := v.Decode(&typed); err != nil || string(typed.B) != "one" || string(typed.L[0]) != "zero" || typed.N != 1 {
		t.Errorf("into a struct: %+v, %v", typed, err)
	}
	var untyped any
	if err := v.Decode(&untyped); err != nil || !reflect.DeepEqual(untyped, map[string]any{"b": []byte("one"), "l": []any{[]byte("zero")}, "n": 1.0}) {
		t.Errorf("into an any: %v, %v", untyped, err)
	}
	var part struct {
		B socketio.Value `json:"b"`
	}
	var bytes []byte
	if err := v.Decode(&part); err != nil || part.B.Decode(&bytes) != nil || string(bytes) != "one" {
		t.Errorf("into a Value: %+v, %v", part, err)
	}
	var other struct{ B, N any } // not the client's members b and n
	if err := v.Decode(&other); err != nil || other.B != nil || other.N != nil {
		t.Errorf("names of another case: %+v, %v", other, err)
	}
	if err := v.Decode(&bytes); !errors.Is(err, socketio.ErrDecode) {
		t.Errorf("an object into bytes: %v", err)
	}
	var text string
	if err := got[1].Decode(&text); err != nil || text != "x" {
		t.Errorf("got %q, %v", text, err)
	}
}

// wrapped encodes itself, with a value as it came.
type wrapped struct{ v socketio.Value }

func (w wrapped) AppendArg(dst []byte, attachments [][]byte) ([]byte, [][]byte, error) {
	dst, attachments, err := socketio.AppendArg(append(dst, `{"payload":`...), attachments, w.v)
	return append(dst, '}'), attachments, err
}

// A Value that is passed on keeps its JSON byte for byte.
func TestPassThrough(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	ns.Handle("e", socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		if err := ns.Emit(ctx, "e", wrapped{e.Arg(0)}); err != nil {
			return err
		}
		return s.Emit(ctx, "e", e.Args().Any()...)
	}))
	c := dial(t, srv)
	for _, payload := range []string{
		`{"a":1,"a":2}`, `"\ud800"`, `1e400`, `1.0`, "[ 1 ,\t2 ]", `"\u00e9é"`, `123456789012345678901234567890`,
		`{"__proto__":{"x":1}}`, strings.Repeat("9", 400), strings.Repeat("[", 500) + strings.Repeat("]", 500), `"<&>"`,
	} {
		c.SendText(`2["e",` + payload + `]`)
		for _, want := range []string{`2["e",{"payload":` + payload + `}]`, `2["e",` + payload + `]`} {
			if got := c.Text(); got != want {
				t.Errorf("got %.200s, want %.200s", got, want)
			}
		}
	}
}

func TestMiddlewareOfEvents(t *testing.T) {
	unhandled := make(chan string, 10)
	srv := serve(t, socketio.Options{Hooks: socketio.Hooks{Unhandled: func(_ *socketio.Socket, event string) { unhandled <- event }}})
	ns := srv.IO.Namespace("/")
	var seen []string
	ns.UseEvent(func(_ context.Context, _ *socketio.Socket, e *socketio.Event, next func() error) error {
		seen = append(seen, "first")
		err := next()
		seen = append(seen, "last")
		return err
	})
	ns.UseEvent(func(_ context.Context, _ *socketio.Socket, e *socketio.Event, next func() error) error {
		if e.Name == "stop" {
			return &socketio.Error{Code: "stopped", Message: "stopped"}
		}
		return next()
	})
	ns.OnAny(socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error {
		seen = append(seen, "any "+e.Name)
		return nil
	}))
	ns.Handle("e", socketio.HandlerFunc(func(context.Context, *socketio.Socket, *socketio.Event) error {
		t.Error("the socket's own handler goes first")
		return nil
	}))
	c, s := pair(t, srv, socketiotest.Options{})
	s.Handle("e", socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error { return e.Reply(seen) }))
	if got := text(c.EmitAck("e")); got != `[["first","any e"]]` {
		t.Errorf("got %s", got)
	}
	if got := text(c.EmitAck("stop")); !strings.Contains(got, "stopped") {
		t.Errorf("got %s", got)
	}
	c.Emit("nobody")
	if got := receive(t, unhandled, "the hook's call"); got != "nobody" {
		t.Errorf("unhandled: %q", got)
	}
}

// When a socket's queue of events is full, the server stops reading from the client. When
// there is room again, it continues with the next event, and none is lost.
func TestInboxBound(t *testing.T) {
	for _, opts := range []socketio.Options{{MaxPendingEvents: 4}, {MaxPendingBytes: 500}} {
		srv := serve(t, opts)
		release, got := make(chan struct{}), make(chan int, 5000)
		srv.IO.Namespace("/").Handle("e", socketio.Do(func(_ context.Context, _ *socketio.Socket, n int) error {
			<-release
			got <- n
			return nil
		}))
		c := dial(t, srv)
		go func() {
			for i := range 5000 {
				c.Emit("e", i)
			}
		}()
		close(release)
		for i := range 5000 {
			if n := receive(t, got, "an event"); n != i {
				t.Fatalf("got event %d, want %d", n, i)
			}
		}
	}
}

// If the client disconnects, a reader that waits for a busy handler is released.
func TestInboxFullAtTheEnd(t *testing.T) {
	srv := serve(t, socketio.Options{MaxPendingEvents: 1})
	ns := srv.IO.Namespace("/")
	left := disconnects(ns.Handlers)
	busy := make(chan *socketio.Socket, 1)
	ns.Handle("e", socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, _ *socketio.Event) error {
		select {
		case busy <- s:
		default:
		}
		<-ctx.Done()
		return ctx.Err()
	}))
	c := dial(t, srv)
	for range 100 {
		c.Emit("e")
	}
	s := receive(t, busy, "the handler")
	s.Session().Close()
	receive(t, left, "the disconnect")
}
