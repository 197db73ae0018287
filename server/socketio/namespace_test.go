package socketio_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// The namespaces of one connection are independent of each other.
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

// The namespace is removed with its last socket. If another socket connects at that
// moment, it is in a namespace that the server still finds.
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

// closingSlowly is an adapter whose end takes time.
type closingSlowly struct {
	adapter.Adapter
	end func()
}

func (a closingSlowly) Close() error {
	defer a.end()
	return a.Adapter.Close()
}

// A client that connects while a namespace of a pattern is being removed gets a new
// one. Its adapter is made after the first one's is closed, because both have the same
// name in the cluster.
func TestNamespaceMadeAnew(t *testing.T) {
	memory := adapter.NewMemory().Factory()
	var open atomic.Int32
	matched := make(chan struct{}, 2)
	closing := make(chan struct{})
	srv := serve(t, socketio.Options{Adapter: func(l adapter.Local) adapter.Adapter {
		if l.Name() != "/x" {
			return memory(l)
		}
		if n := open.Add(1); n != 1 {
			t.Errorf("%d adapters of a namespace are open", n)
		}
		return closingSlowly{memory(l), func() {
			closing <- struct{}{}
			<-matched                         // the second client is about to make its namespace
			time.Sleep(20 * time.Millisecond) // and would have made it
			open.Add(-1)
		}}
	}})
	p := srv.IO.NamespacePattern(func(context.Context, string, socketio.Value) bool { matched <- struct{}{}; return true })
	p.Handle("echo", echo)
	a := socketiotest.Dial(t, srv.URL, socketiotest.Options{Namespace: "/x"})
	<-matched
	a.Leave()
	<-closing
	b := socketiotest.Dial(t, srv.URL, socketiotest.Options{Namespace: "/x"})
	if got := text(b.EmitAck("echo", 1)); got != `[1]` {
		t.Errorf("got %s", got)
	}
	matched <- struct{}{}
	b.Leave()
	<-closing
}
