package socketio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// captureLog lets slog's default logger write to the buffer that it returns,
// until the test ends.
func captureLog(t *testing.T) *syncBuffer {
	t.Helper()
	b, before := new(syncBuffer), slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(b, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return b
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// panics makes every kind of function of a program panic once, and returns when
// all have. It is run on two servers, of which the other one emits.
func panics(t *testing.T, hooks socketio.Hooks) {
	t.Helper()
	cluster := adapter.NewMemory()
	srv, other := serve(t, socketio.Options{Adapter: cluster.Factory(), Hooks: hooks}), serve(t, socketio.Options{Adapter: cluster.Factory()})
	say := func(where string) { panic("a panic of " + where) }

	ns := srv.IO.Namespace("/")
	ns.Handle("event", socketio.Do(func(context.Context, *socketio.Socket, any) error { say("Handle"); return nil }))
	ns.HandleServerSide("event", func(context.Context, socketio.Args) (any, error) { say("HandleServerSide"); return nil, nil })
	c := dial(t, srv)
	if got := text(c.EmitAck("event")); got != `[{"error":{"code":"internal","message":"internal error"}}]` {
		t.Errorf("got %s", got)
	}
	if err := other.IO.Namespace("/").ServerSideEmit(t.Context(), "event"); err != nil {
		t.Fatal(err)
	}

	refusing := srv.IO.Namespace("/use")
	refusing.Use(func(context.Context, *socketio.Socket) error { say("Use"); return nil })
	if _, refusal := socketiotest.Join(t, c.Conn, "/use", nil); string(refusal) != `{"message":"internal error"}` {
		t.Errorf("got %s", refusal)
	}
	connecting := srv.IO.Namespace("/connect")
	connecting.OnConnect(func(context.Context, *socketio.Socket) error { say("OnConnect"); return nil })
	connecting.OnDisconnect(func(context.Context, *socketio.Socket, socketio.Reason) { say("OnDisconnect") })
	lost, _ := socketiotest.Join(t, c.Conn, "/connect", nil)
	lost.ExpectDisconnect()
	srv.IO.NamespacePattern(func(context.Context, string, socketio.Value) bool { say("NamespacePattern"); return true })
	if _, refusal := socketiotest.Join(t, c.Conn, "/pattern", nil); string(refusal) != `{"message":"Invalid namespace"}` {
		t.Errorf("got %s", refusal)
	}
	failing := srv.IO.Namespace("/error")
	failing.Handle("event", socketio.Do(func(context.Context, *socketio.Socket, any) error { return errors.New("seen by OnError") }))
	failing.OnError(func(context.Context, *socketio.Socket, *socketio.Event, error) { say("OnError") })
	f, _ := socketiotest.Join(t, c.Conn, "/error", nil)
	f.Emit("event")
	if got := text(c.EmitAck("event")); !strings.Contains(got, "internal") { // the server still answers
		t.Errorf("got %s", got)
	}
	srv.Close() // waits for the handlers
}

var panicking = []string{"Handle", "HandleServerSide", "Use", "OnConnect", "OnDisconnect", "NamespacePattern", "OnError"}

// Without a hook, a panic of any function of the program's is in the log, with
// the stack.
func TestPanicsAreLogged(t *testing.T) {
	log := captureLog(t)
	panics(t, socketio.Hooks{})
	for _, where := range panicking {
		found := false
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, "a panic of "+where+`\n`) {
				found = strings.Contains(line, "level=ERROR") && strings.Contains(line, "report_test.go")
			}
		}
		if !found {
			t.Errorf("no panic of %s with its stack in the log:\n%s", where, log)
		}
	}
}

// If there is a hook HandlerError, it gets the panics, and the log gets nothing.
func TestPanicsReachTheHook(t *testing.T) {
	log := captureLog(t)
	var mu sync.Mutex
	got := map[string]string{}
	panics(t, socketio.Hooks{HandlerError: func(s *socketio.Socket, event string, err error) {
		if !errors.Is(err, socketio.ErrPanic) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		where, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), socketio.ErrPanic.Error()+": a panic of "), "\n")
		got[where] = fmt.Sprint(event, " ", s != nil)
	}})
	for _, where := range panicking {
		want := " true"
		switch where {
		case "Handle":
			want = "event true"
		case "HandleServerSide":
			want = "event false"
		}
		if got[where] != want {
			t.Errorf("%s: %q, want %q", where, got[where], want)
		}
	}
	if log.String() != "" {
		t.Errorf("logged all the same: %s", log)
	}
}

// An error that the client gets as "internal" is logged. An error whose text the client
// gets, or that the program's own OnError handles, is not.
func TestInternalErrorsAreLogged(t *testing.T) {
	log := captureLog(t)
	srv := serve(t, socketio.Options{})
	ns, own := srv.IO.Namespace("/"), srv.IO.Namespace("/own")
	fail := socketio.Func(func(_ context.Context, _ *socketio.Socket, how string) (any, error) {
		switch how {
		case "public":
			return nil, &socketio.Error{Code: "public", Message: "public"}
		case "wrong type":
			var n int
			return nil, socketio.Value{JSON: []byte(`"wrong type"`)}.Decode(&n)
		}
		return nil, errors.New(how)
	})
	ns.Handle("fail", fail)
	own.Handle("fail", fail)
	own.OnError(func(_ context.Context, _ *socketio.Socket, e *socketio.Event, _ error) { e.Reply("mine") })
	c := dial(t, srv)
	c.EmitAck("fail", "public")
	c.EmitAck("fail", "wrong type")
	o, _ := socketiotest.Join(t, c.Conn, "/own", nil)
	o.EmitAck("fail", "private")
	if got := log.String(); got != "" {
		t.Errorf("logged: %s", got)
	}
	waiting := make(chan struct{})
	ns.Handle("wait", socketio.Do(func(ctx context.Context, _ *socketio.Socket, _ any) error {
		close(waiting)
		<-ctx.Done()
		return ctx.Err()
	}))
	gone, left := dial(t, srv), disconnects(ns.Handlers)
	gone.Emit("wait")
	<-waiting
	gone.Leave()
	receive(t, left, "the disconnect")
	if got := log.String(); got != "" {
		t.Errorf("after the client disconnected: %s", got)
	}
	c.EmitAck("fail", "the database is away")
	for _, part := range []string{"level=ERROR", "the database is away", "event=fail", "namespace=/", "socket=" + c.SID} {
		if got := log.String(); !strings.Contains(got, part) || strings.Count(got, "\n") != 1 {
			t.Errorf("no %s in the log: %s", part, got)
		}
	}
}

// A result that cannot be encoded is an error of its handler: the client is not
// left waiting.
func TestResultThatCannotBeEncoded(t *testing.T) {
	log := captureLog(t)
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	ns.Handle("func", socketio.Func(func(context.Context, *socketio.Socket, any) (any, error) { return make(chan int), nil }))
	ns.Handle("return", socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error {
		e.Return(1, map[string]any{"f": func() {}})
		return nil
	}))
	c := dial(t, srv)
	for _, event := range []string{"func", "return"} {
		if got := text(c.EmitAck(event)); got != `[{"error":{"code":"internal","message":"internal error"}}]` {
			t.Errorf("%s: got %s", event, got)
		}
		if got := log.String(); !strings.Contains(got, "event="+event) || !strings.Contains(got, socketio.ErrEncode.Error()) {
			t.Errorf("%s: log %s", event, got)
		}
	}
	errs := make(chan error, 1)
	ns.OnError(func(_ context.Context, _ *socketio.Socket, e *socketio.Event, err error) {
		errs <- err
		e.Reply("sorry")
	})
	if got := text(c.EmitAck("func")); got != `["sorry"]` || !errors.Is(<-errs, socketio.ErrEncode) {
		t.Errorf("got %s", got)
	}
}
