package socketio_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// Functions of several arguments need all of them, and ignore more, as on Node.
func TestFunctionsOfSeveralArguments(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	type (
		ctx = context.Context
		s   = *socketio.Socket
	)
	ns.Handle("func2", socketio.Func2(func(_ ctx, _ s, a string, b int) (any, error) { return []any{a, b}, nil }))
	ns.Handle("func3", socketio.Func3(func(_ ctx, _ s, a string, b int, c []byte) (any, error) { return []any{a, b, string(c)}, nil }))
	ns.Handle("do2", socketio.Do2(func(_ ctx, _ s, a string, b int) error { return nil }))
	ns.Handle("do3", socketio.Do3(func(_ ctx, _ s, a string, b int, c any) error { return errors.New("a secret") }))
	socketio.On(ns, "on", func(_ ctx, _ s, in string) (string, error) { return in, nil })
	c := dial(t, srv)
	invalid := `[{"error":{"code":"invalid","message":"invalid argument"}}]`
	for _, tc := range []struct {
		event string
		args  []any
		want  string
	}{
		{"func2", []any{"a", 1}, `[["a",1]]`},
		{"func2", []any{"a", 1, "more"}, `[["a",1]]`},
		{"func2", []any{"a"}, invalid},
		{"func2", []any{"a", "1"}, invalid},
		{"func3", []any{"a", 1, []byte("c")}, `[["a",1,"c"]]`},
		{"func3", []any{"a", 1}, invalid},
		{"do2", []any{"a", 1}, `[]`},
		{"do2", nil, invalid},
		{"do3", []any{"a", 1, nil}, `[{"error":{"code":"internal","message":"internal error"}}]`},
		{"do3", []any{"a", 1}, invalid},
		{"on", []any{"x"}, `["x"]`},
		{"on", nil, `[""]`},
	} {
		if got := text(c.EmitAck(tc.event, tc.args...)); got != tc.want {
			t.Errorf("%s(%v): got %s, want %s", tc.event, tc.args, got, tc.want)
		}
	}
}

// Ask and AskAll decode what clients answer.
func TestAsk(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	c, s := pair(t, srv, socketiotest.Options{})
	go func() {
		c.Ack(c.Expect("q"), 42, "more")
		c.Ack(c.Expect("q"))
		c.Ack(c.Expect("q"), "text")
	}()
	if n, err := socketio.Ask[int](t.Context(), s, "q"); n != 42 || err != nil {
		t.Errorf("got %v, %v", n, err)
	}
	if n, err := socketio.Ask[int](t.Context(), s.Timeout(time.Minute), "q"); n != 0 || err != nil {
		t.Errorf("without an argument: %v, %v", n, err)
	}
	if _, err := socketio.Ask[int](t.Context(), s, "q"); !errors.Is(err, socketio.ErrDecode) {
		t.Errorf("got %v", err)
	}
	other := dial(t, srv)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		answers, err := socketio.AskAll[int](t.Context(), ns.All(), "all")
		if len(answers) != 2 || err != nil || answers[0].Value != 7 || answers[0].Err != nil || !errors.Is(answers[1].Err, socketio.ErrDecode) {
			t.Errorf("got %v, %v", answers, err)
		}
	}()
	first, second := c.Expect("all"), other.Expect("all")
	c.Ack(first, 7)
	answered(t, c)
	other.Ack(second, "text")
	receive(t, asked, "the answers")
	c.Close()
	if _, err := socketio.Ask[int](t.Context(), s, "q"); !errors.Is(err, socketio.ErrDisconnected) {
		t.Errorf("got %v", err)
	}
}

// answered returns when everything that the client has sent has been handled.
func answered(t *testing.T, c *socketiotest.Client) {
	t.Helper()
	c.SendText(`0/nowhere,`)
	if got := c.Text(); got != `4/nowhere,{"message":"Invalid namespace"}` {
		t.Fatalf("got %s", got)
	}
}
