package engineio

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/puente-io/puente/server/engineio/engineiotest"
)

// The limit is for answers: the queue of a WebSocket's session has its own.
func TestWebSocketHasNoUnsentLimit(t *testing.T) {
	sessions := make(chan *recorder, 1)
	srv := New(Options{}, accepting(sessions))
	defer shut(t, srv)
	addr := serveHTTP(t, srv, nil)
	c := engineiotest.Dial(t, "http://"+addr+"/engine.io/", engineiotest.Options{})
	r := <-sessions
	fd := r.session.ws.socket.fd
	if n, err := unix.GetsockoptInt(fd, syscall.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
	c.SendText("x")
	r.message(t)
}
