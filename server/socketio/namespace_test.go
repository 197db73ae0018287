package socketio_test

import (
	"context"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// The namespaces of one connection know nothing of each other.
func TestNamespaces(t *testing.T) {
	srv := serve(t, socketio.Options{})
	names := []string{"/", "/a", "/b"}
	conn := engineiotest.Dial(t, srv.URL+"/socket.io/", engineiotest.Options{})
	for _, name := range names {
		ns := srv.IO.Namespace(name)
		ns.Handle("where", socketio.HandlerFunc(func(_ context.Context, s *socketio.Socket, e *socketio.Event) error {
			return e.Reply(s.Namespace().Name())
		}))
		c, _ := socketiotest.Join(t, conn, name, nil)
		if got := text(c.EmitAck("where")); got != `["`+name+`"]` {
			t.Errorf("%s: got %s", name, got)
		}
		for _, other := range names {
			if other == name {
				continue
			}
			if err := srv.IO.Namespace(other).To(c.SID).Emit(t.Context(), "x"); err != nil {
				t.Error(err)
			}
		}
		if got := text(c.EmitAck("where")); got != `["`+name+`"]` {
			t.Errorf("%s: got %s", name, got)
		}
	}
	if srv.IO.Namespace("a") != srv.IO.Namespace("/a") || len(srv.IO.Namespaces()) != 3 {
		t.Error("names without a slash are others")
	}
}

func TestNamespacePattern(t *testing.T) {
	for _, keep := range []bool{false, true} {
		srv := serve(t, socketio.Options{KeepEmptyNamespaces: keep})
		p := srv.IO.NamespacePattern(func(_ context.Context, name string, auth socketio.Value) bool {
			if name == "/panic" {
				panic("a bug")
			}
			return strings.HasPrefix(name, "/room-") && string(auth.JSON) != `{"no":1}`
		})
		p.Handle("echo", echo)
		left := disconnects(p.Handlers)
		c := socketiotest.Dial(t, srv.URL, socketiotest.Options{Namespace: "/room-1"})
		again := socketiotest.Dial(t, srv.URL, socketiotest.Options{Namespace: "/room-1"})
		if got := text(c.EmitAck("echo", 1)); got != `[1]` {
			t.Errorf("got %s", got)
		}
		if _, refusal := socketiotest.TryDial(t, srv.URL, socketiotest.Options{Namespace: "/room-1", Auth: map[string]int{"no": 1}}); refusal != nil {
			t.Errorf("a namespace that exists asks the pattern again: %s", refusal)
		}
		for _, name := range []string{"/room-2", "/other", "/panic"} {
			_, refusal := socketiotest.TryDial(t, srv.URL, socketiotest.Options{Namespace: name, Auth: map[string]int{"no": 1}})
			if string(refusal) != `{"message":"Invalid namespace"}` {
				t.Errorf("%s: refusal %s", name, refusal)
			}
		}
		if list := p.Namespaces(); len(list) != 1 || list[0].Name() != "/room-1" || list[0].Count() != 3 {
			t.Errorf("namespaces: %v", list)
		}
		c.Leave()
		receive(t, left, "a disconnect")
		if got := text(again.EmitAck("echo", 2)); got != `[2]` {
			t.Errorf("got %s", got)
		}
		for range 100 { // come and go at once
			c := socketiotest.Dial(t, srv.URL, socketiotest.Options{Namespace: "/room-1"})
			c.Close()
		}
		if err := srv.IO.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// The last socket to go takes the namespace with it, also where another comes
// at that moment: whoever is connected is found.
func TestPatternComeAndGo(t *testing.T) {
	srv := serve(t, socketio.Options{})
	p := srv.IO.NamespacePattern(func(context.Context, string, socketio.Value) bool { return true })
	p.Handle("echo", echo)
	for range 200 {
		a := socketiotest.Dial(t, srv.URL, socketiotest.Options{Namespace: "/x"})
		a.Leave()
		b := socketiotest.Dial(t, srv.URL, socketiotest.Options{Namespace: "/x"})
		if err := srv.IO.Namespace("/x").Emit(t.Context(), "hello"); err != nil {
			t.Fatal(err)
		}
		b.Expect("hello")
		b.Leave()
		a.Close()
		b.Close()
	}
}
