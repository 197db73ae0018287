package socket_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/puente-io/puente/compat/zishang520/socket"
	"github.com/puente-io/puente/compat/zishang520/types"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// serve serves a server until the test ends.
func serve(t *testing.T, io *socket.Server) string {
	t.Helper()
	srv := httptest.NewServer(io.ServeHandler(nil))
	t.Cleanup(func() {
		io.Close(nil)
		srv.Close()
	})
	return srv.URL + "/socket.io/"
}

// handshake returns what a polling client reads first.
func handshake(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url+"/socket.io/?EIO=4&transport=polling", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// A program may do everything but serve before its options are known.
func TestOptionsOfServeHandler(t *testing.T) {
	s := socket.NewServer(nil, nil)
	chat := s.Of("chat", nil) // without a slash
	s.Of(socket.Room("not a name"), nil)
	s.Emit("nobody", 1)
	if n := s.Engine().ClientsCount(); n != 0 {
		t.Errorf("%d clients", n)
	}
	s.FetchSockets()(func(list []*socket.RemoteSocket, err error) {
		if len(list) != 0 || err != nil {
			t.Errorf("%v, %v", list, err)
		}
	})
	opts := socket.DefaultServerOptions()
	opts.SetPingInterval(1234 * time.Millisecond)
	opts.SetTransports(types.NewSet("polling"))
	h := s.ServeHandler(opts)
	if s.ServeHandler(nil) != h {
		t.Error("another handler")
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	defer s.Close(nil)
	if text := handshake(t, srv.URL); !strings.Contains(text, `"pingInterval":1234,`) || !strings.Contains(text, `"upgrades":[]`) {
		t.Error(text)
	}
	if chat.Name() != "/chat" || s.Of("/chat", nil) != chat || s.Of("", nil) != s.Sockets() {
		t.Error(chat.Name())
	}
}

func TestAttach(t *testing.T) {
	hs := types.NewWebServer(http.NotFoundHandler())
	opts := socket.DefaultServerOptions()
	opts.SetPath("/mine/")
	opts.SetPingTimeout(4321 * time.Millisecond)
	s := socket.NewServer(hs, opts)
	srv := httptest.NewServer(hs)
	defer srv.Close()
	if text := handshake(t, srv.URL); text != "404 page not found\n" || s.Path() != "/mine" {
		t.Error(text, s.Path())
	}
	reasons := make(chan any, 1)
	s.On("connection", func(args ...any) {
		client := args[0].(*socket.Socket)
		client.On("disconnect", func(reason ...any) { reasons <- reason[0] })
		client.Emit("ready")
	})
	socketiotest.Dial(t, srv.URL+"/mine/", socketiotest.Options{}).Expect("ready")
	closed := make(chan error, 1)
	s.Close(func(err error) { closed <- err })
	if err, reason := <-closed, <-reasons; err != nil || reason != "server shutting down" {
		t.Errorf("%v, %v", err, reason)
	}
}

// What middleware joins and emits happens once the socket is connected.
func TestMiddleware(t *testing.T) {
	s := socket.NewServer(nil, nil)
	s.Use(func(client *socket.Socket, next func(*socket.ExtendedError)) {
		if client.Connected() || client.Rooms().Len() > 1 {
			t.Error("connected in a middleware")
		}
		client.Join("early")
		client.Emit("early", 1)
		next(nil)
		next(socket.NewExtendedError("too late", nil))
	})
	s.On("connection", func(args ...any) {
		client := args[0].(*socket.Socket)
		client.Emit("late", client.Rooms().Has("early"))
	})
	c := socketiotest.Dial(t, serve(t, s), socketiotest.Options{})
	c.Expect("early")
	if e := c.Expect("late"); string(e.Args[0]) != "true" {
		t.Errorf("%s", e.Args)
	}
}

// A panic of a listener ends nothing.
func TestPanic(t *testing.T) {
	s := socket.NewServer(nil, nil)
	s.On("connection", func(args ...any) {
		client := args[0].(*socket.Socket)
		client.On("bad", func(args ...any) { client.Emit("never", args[7]) })
		client.On("good", func(args ...any) { client.Emit("reply") })
		client.On("ask", func(...any) {
			client.Emit("question", func(args []any, _ error) {
				client.Emit("answered")
				panic("in an acknowledgement")
			})
		})
	})
	c := socketiotest.Dial(t, serve(t, s), socketiotest.Options{})
	c.Emit("bad")
	c.Emit("ask")
	c.Ack(c.Expect("question"))
	c.Expect("answered")
	c.Emit("good")
	c.Expect("reply")
}

// memory is an AdapterConstructor that connects the servers of a test.
type memory struct{ *adapter.Memory }

func (m memory) Open() (adapter.Factory, func() error, error) {
	return m.Factory(), func() error { return nil }, nil
}

// A server that nobody connects to is part of the cluster all the same.
func TestServerWithoutClients(t *testing.T) {
	opts := socket.DefaultServerOptions()
	opts.SetAdapter(memory{adapter.NewMemory()})
	s, worker := socket.NewServer(nil, opts), socket.NewServer(nil, opts)
	defer worker.Close(nil)
	s.On("connection", func(args ...any) {
		client := args[0].(*socket.Socket)
		client.SetData(map[string]any{"n": 1})
		client.Join("r")
		client.Emit("ready")
	})
	s.On("who", func(args ...any) { args[len(args)-1].(socket.Ack)([]any{"me"}, nil) })
	c := socketiotest.Dial(t, serve(t, s), socketiotest.Options{})
	c.Expect("ready")
	worker.To("r").Emit("job", types.NewBytesBuffer([]byte{1}))
	if e := c.Expect("job"); len(e.Args) != 1 {
		t.Errorf("%s", e.Args)
	}
	worker.In("r").FetchSockets()(func(list []*socket.RemoteSocket, err error) {
		if err != nil || len(list) != 1 {
			t.Errorf("%v, %v", list, err)
			return
		}
		if data, _ := json.Marshal(list[0].Data()); string(data) != `{"n":1}` || list[0].Handshake().Address != "127.0.0.1" {
			t.Errorf("%s, %v", data, list[0].Handshake())
		}
	})
	answers := make(chan []any, 1)
	if err := worker.ServerSideEmitWithAck("who")(func(args []any, err error) { answers <- args }); err != nil {
		t.Fatal(err)
	}
	if got := <-answers; len(got) != 1 || got[0] != "me" {
		t.Errorf("%v", got)
	}
	if n := worker.Sockets().Adapter().ServerCount(); n != 2 {
		t.Errorf("%d servers", n)
	}
	if err := socket.NewServer(nil, nil).ServerSideEmit("who"); err == nil {
		t.Error("no error without an adapter")
	}
}

// Namespaces of a pattern may go with their last socket, and come again.
func TestCleanup(t *testing.T) {
	opts := socket.DefaultServerOptions()
	opts.SetCleanupEmptyChildNamespaces(true)
	s := socket.NewServer(nil, opts)
	var made atomic.Int64
	s.On("new_namespace", func(args ...any) {
		if name := args[0].(socket.Namespace).Name(); name != "/p-1" {
			t.Errorf("made %s", name)
		}
		made.Add(1)
	})
	match := func(name string, _ any, next func(error, bool)) { next(nil, strings.HasPrefix(name, "/p-")) }
	gone := make(chan string, 1)
	s.Of(socket.ParentNspNameMatchFn(&match), func(args ...any) {
		args[0].(*socket.Socket).On("disconnect", func(reason ...any) { gone <- reason[0].(string) })
	})
	url := serve(t, s)
	for made.Load() < 2 { // a client that is fast may find the namespace of the one before
		socketiotest.Dial(t, url, socketiotest.Options{Namespace: "/p-1"}).Leave()
		if reason := <-gone; reason != "client namespace disconnect" {
			t.Fatal(reason)
		}
	}
}
