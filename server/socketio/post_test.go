package socketio_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// stuck is an adapter whose cluster takes nothing until it is let go.
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

// Post does not wait for the cluster, which gets what is posted in order; this
// server's sockets have it at once, unless it is for servers of another kind.
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
