package socketio_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// Options.Adapter may call every method of the server, except Namespace with the name
// that it makes the adapter for. Other callers of Namespace with that name wait.
func TestAdapterFactoryAsksTheServer(t *testing.T) {
	var io *socketio.Server
	began, goOn := make(chan struct{}), make(chan struct{})
	memory := adapter.NewMemory().Factory()
	io = socketio.New(socketio.Options{Adapter: func(l adapter.Local) adapter.Adapter {
		switch l.Name() {
		case "/a":
			if n := len(io.Namespaces()); n != 1 || io.Namespace("/").Name() != "/" || io.Namespace("/b").Name() != "/b" {
				t.Errorf("%d namespaces", n)
			}
		case "/slow":
			close(began)
			<-goOn
		}
		return memory(l)
	}})
	srv := socketiotest.NewServer(io)
	t.Cleanup(srv.Close)
	io.Namespace("/a")
	slow := make(chan *socketio.Namespace, 2)
	for range 2 {
		go func() { slow <- io.Namespace("/slow") }()
	}
	<-began
	dial(t, srv) // others do not wait
	close(goOn)
	if a, b := receive(t, slow, "the namespace"), receive(t, slow, "the namespace"); a != b {
		t.Error("two namespaces of one name")
	}
}

// A panic of Options.Adapter reaches the caller of Server.Namespace. If a client
// connects to a name of a pattern, the panic refuses that client. Afterwards the name
// can be used.
func TestAdapterFactoryPanics(t *testing.T) {
	memory := adapter.NewMemory().Factory()
	var broken atomic.Bool
	broken.Store(true)
	reports := make(chan error, 10)
	srv := serve(t, socketio.Options{
		Adapter: func(l adapter.Local) adapter.Adapter {
			if strings.HasPrefix(l.Name(), "/x") && broken.Load() {
				panic("on purpose")
			}
			return memory(l)
		},
		Hooks: socketio.Hooks{HandlerError: func(_ *socketio.Socket, _ string, err error) { reports <- err }},
	})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("Namespace does not panic")
			}
		}()
		srv.IO.Namespace("/x")
	}()
	srv.IO.NamespaceRegexp(regexp.MustCompile(`^/x`))
	c := dial(t, srv)
	if _, refusal := socketiotest.Join(t, c.Conn, "/x1", nil); string(refusal) != `{"message":"internal error"}` {
		t.Errorf("got %s", refusal)
	}
	if err := receive(t, reports, "the report"); !errors.Is(err, socketio.ErrPanic) {
		t.Errorf("reported %v", err)
	}
	broken.Store(false)
	if _, refusal := socketiotest.Join(t, c.Conn, "/x1", nil); refusal != nil {
		t.Errorf("afterwards: %s", refusal)
	}
	srv.IO.Namespace("/x")
}

// A pattern may be a regular expression; Namespace.Param returns what its groups match.
func TestNamespaceRegexp(t *testing.T) {
	srv := serve(t, socketio.Options{})
	orgs := srv.IO.NamespaceRegexp(regexp.MustCompile(`^/org-(?P<org>\d+)(/(?P<team>\w+))?$`))
	orgs.Handle("which", socketio.HandlerFunc(func(_ context.Context, s *socketio.Socket, e *socketio.Event) error {
		ns := s.Namespace()
		return e.Reply(ns.Param("org"), ns.Param("team"), ns.Param("nothing"), ns.Param(""))
	}))
	c := dial(t, srv)
	for name, want := range map[string]string{"/org-7": `["7","","",""]`, "/org-12/sales": `["12","sales","",""]`} {
		in, refusal := socketiotest.Join(t, c.Conn, name, nil)
		if refusal != nil {
			t.Fatalf("%s: %s", name, refusal)
		}
		if got := text(in.EmitAck("which")); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if _, refusal := socketiotest.Join(t, c.Conn, "/org-x", nil); refusal == nil {
		t.Error("/org-x is accepted")
	}
	if got := srv.IO.Namespace("/").Param("org"); got != "" {
		t.Errorf("of a namespace without a pattern: %q", got)
	}
}

// Shutdown drains, closes, and waits for handlers.
func TestShutdown(t *testing.T) {
	srv := serve(t, socketio.Options{})
	left := disconnects(srv.IO.Namespace("/").Handlers)
	clients := []*socketiotest.Client{dial(t, srv), socketiotest.Dial(t, srv.URL, socketiotest.Options{Polling: true})}
	if srv.IO.Draining() {
		t.Error("draining before Shutdown")
	}
	if err := srv.IO.Shutdown(t.Context(), time.Millisecond); err != nil || !srv.IO.Draining() {
		t.Errorf("%v", err)
	}
	for _, c := range clients {
		c.End()
		if got := receive(t, left, "the disconnect"); got != socketio.ReasonShutdown {
			t.Errorf("reason %q", got)
		}
	}
	res, err := http.Get(srv.URL + "/socket.io/?EIO=4&transport=polling")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new client gets %s", res.Status)
	}
}
