package engine

import (
	"net/http"

	"github.com/puente-io/puente/compat/zishang520/config"
	"github.com/puente-io/puente/compat/zishang520/types"
	"github.com/puente-io/puente/server/engineio"
)

// NewServer returns a server. Options are a config.ServerOptionsInterface or nil.
func NewServer(options any) Server {
	opts, _ := options.(config.ServerOptionsInterface)
	e := NewEndpoint(opts)
	srv := engineio.New(e.EngineOptions(), func(session *engineio.Session, _ *http.Request) engineio.Handler {
		return e.accept(session)
	})
	e.Serve(srv, srv)
	return e
}

// accept emits a new session and returns what emits its messages.
func (e *Endpoint) accept(session *engineio.Session) engineio.Handler {
	s := e.Socket(session).(*socket)
	e.Emit("connection", Socket(s))
	return engineio.HandlerFuncs{
		Message: func(_ *engineio.Session, data []byte, binary bool) { s.receive(data, binary) },
	}
}

// New returns a server: attached to an HTTP server if the first argument is a
// *types.HttpServer, with options in the second; or else with options in the first.
func New(server any, args ...any) Server {
	if srv, ok := server.(*types.HttpServer); ok {
		return Attach(srv, append(args, nil)[0])
	}
	return NewServer(server)
}

// Attach returns a server that is attached to an HTTP server.
func Attach(srv *types.HttpServer, options any) Server {
	e := NewServer(options)
	e.Attach(srv, options)
	return e
}

// Listen returns a server that listens at an address, and calls done, if not nil. It
// answers requests for other paths with status 501. It panics if it cannot listen.
func Listen(addr string, options any, done types.Callable) Server {
	srv := types.NewWebServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Not Implemented", http.StatusNotImplemented)
	}))
	e := Attach(srv, options)
	e.SetHttpServer(srv)
	srv.Listen(addr, done)
	return e
}
