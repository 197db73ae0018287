package engineio

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/puente-io/puente/server/engineio/engineiotest"
)

// What a client does not read waits in the queues, where a message is held once for
// all, and not in the kernel.
func TestWebSocketUnsentLimit(t *testing.T) {
	sessions := make(chan *recorder, 1)
	srv := New(Options{}, accepting(sessions))
	defer shut(t, srv)
	addr := serveHTTP(t, srv, nil)
	c := engineiotest.Dial(t, "http://"+addr+"/engine.io/", engineiotest.Options{})
	r := <-sessions
	r.session.ws.socket.Control(func(fd int) {
		if n, err := unix.GetsockoptInt(fd, syscall.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT); err != nil || n != maxUnsent {
			t.Errorf("%d, %v", n, err)
		}
	})
	c.SendText("x")
	r.message(t)
}
