package socketiotest

import (
	"context"
	"net/http/httptest"
	"time"

	"github.com/puente-io/puente/server/socketio"
)

// Server is a Socket.IO server that listens on a loopback address.
type Server struct {
	*httptest.Server
	// IO is the server passed to NewServer.
	IO *socketio.Server
}

// closeTimeout bounds how long Close waits for handlers.
const closeTimeout = 30 * time.Second

// NewServer starts a server that serves the endpoint at every path. The caller
// must close it.
func NewServer(io *socketio.Server) *Server {
	return &Server{Server: httptest.NewServer(io), IO: io}
}

// NewTLSServer is NewServer over TLS.
func NewTLSServer(io *socketio.Server) *Server {
	return &Server{Server: httptest.NewTLSServer(io), IO: io}
}

// Close closes all connections, waits up to 30 s for the handlers of their
// sockets and stops listening. It panics if handlers are still running then.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := s.IO.Close(ctx); err != nil {
		panic("socketiotest: handlers are still running: " + err.Error())
	}
	s.Server.CloseClientConnections()
	s.Server.Close()
}
