package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// stuck is an adapter whose cluster accepts nothing until the test releases it.
type stuck struct {
	adapter.Adapter
	letGo chan struct{}
	took  chan string
}

func (a stuck) Broadcast(_ context.Context, p *packet.Packet, _ adapter.Selection, flags adapter.Flags) error {
	<-a.letGo
	a.took <- fmt.Sprint(string(p.Data), flags.Foreign)
	return nil
}

// Post does not wait for the cluster, which gets the events in order. This server's
// sockets get them at once, unless the operator is Foreign.
func TestPost(t *testing.T) {
	a := stuck{letGo: make(chan struct{}), took: make(chan string, 10)}
	srv := serve(t, socketio.Options{Adapter: func(l adapter.Local) adapter.Adapter {
		a.Adapter = adapter.NewMemory().Factory()(l)
		return a
	}})
	c, s := pair(t, srv, socketiotest.Options{})
	to := srv.IO.Namespace("/").To(s.ID())
	for i := range 3 {
		if err := to.Post("e", i); err != nil {
			t.Error(err)
		}
	}
	to.Foreign().Post("foreign")
	to.Local().Post("local")
	for i := range 3 {
		if got := text(c.Expect("e").Args); got != fmt.Sprint("[", i, "]") {
			t.Errorf("got %s", got)
		}
	}
	c.Expect("local")
	close(a.letGo)
	for _, want := range []string{`["e",0]false`, `["e",1]false`, `["e",2]false`, `["foreign"]true`} {
		if got := <-a.took; got != want {
			t.Errorf("the cluster got %s, want %s", got, want)
		}
	}
}

// clumsy is an adapter that panics at the first broadcast.
type clumsy struct {
	adapter.Adapter
	took chan string
	once *atomic.Bool
}

func (a clumsy) Broadcast(_ context.Context, p *packet.Packet, _ adapter.Selection, _ adapter.Flags) error {
	if !a.once.Swap(true) {
		panic("oops")
	}
	a.took <- string(p.Data)
	return nil
}

// If an adapter panics on a posted event, the panic is reported, and later events are
// sent.
func TestPostPanics(t *testing.T) {
	a, failed := clumsy{took: make(chan string, 10), once: new(atomic.Bool)}, make(chan error, 10)
	srv := serve(t, socketio.Options{
		Adapter: func(l adapter.Local) adapter.Adapter { a.Adapter = adapter.NewMemory().Factory()(l); return a },
		Hooks:   socketio.Hooks{HandlerError: func(_ *socketio.Socket, _ string, err error) { failed <- err }},
	})
	for i := range 2 {
		if err := srv.IO.Namespace("/").All().Post("e", i); err != nil {
			t.Error(err)
		}
	}
	if err := receive(t, failed, "the hook's call"); !errors.Is(err, socketio.ErrPanic) {
		t.Errorf("got %v", err)
	}
	if got := receive(t, a.took, "the second event"); got != `["e",1]` {
		t.Errorf("the cluster got %s", got)
	}
}
