package socketio_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
	"github.com/puente-io/puente/server/waittest"
)

func TestMain(m *testing.M) { os.Exit(waittest.Run(m)) }

// serve starts a server that stops with the test. Handlers may be added
// meanwhile.
func serve(t testing.TB, opts socketio.Options) *socketiotest.Server {
	t.Helper()
	srv := socketiotest.NewServer(socketio.New(opts))
	t.Cleanup(srv.Close)
	return srv
}

func dial(t testing.TB, srv *socketiotest.Server) *socketiotest.Client {
	t.Helper()
	return socketiotest.Dial(t, srv.URL, socketiotest.Options{})
}

// pair is a client and its socket on the server.
func pair(t testing.TB, srv *socketiotest.Server, opts socketiotest.Options) (*socketiotest.Client, *socketio.Socket) {
	t.Helper()
	c := socketiotest.Dial(t, srv.URL, opts)
	name := opts.Namespace
	if name == "" {
		name = "/"
	}
	s := srv.IO.Namespace(name).Socket(c.SID)
	if s == nil {
		t.Fatal("the server does not know the socket")
	}
	return c, s
}

func receive[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(engineiotest.Wait):
		t.Fatalf("%s does not come", what)
		panic("unreachable")
	}
}

// text is a list of arguments as one JSON text.
func text(args []json.RawMessage) string {
	b, err := json.Marshal(args)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(b)
}

// echo acknowledges an event with its arguments.
var echo = socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error {
	return e.Reply(e.Args().Any()...)
})

// disconnects makes a channel of a namespace's disconnects.
func disconnects(h *socketio.Handlers) <-chan socketio.Reason {
	ch := make(chan socketio.Reason, 1000)
	h.OnDisconnect(func(_ context.Context, _ *socketio.Socket, reason socketio.Reason) { ch <- reason })
	return ch
}
