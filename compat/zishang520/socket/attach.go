package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/puente-io/puente/compat/zishang520/engine"
	"github.com/puente-io/puente/compat/zishang520/types"
	"github.com/puente-io/puente/server/socketio"
)

// node is the server of package socketio that does the work.
type node struct {
	io       *socketio.Server
	endpoint *engine.Endpoint
	handler  http.Handler // nil as long as no clients can come
	leave    func() error // closes the cluster
	closed   func() error // see close
}

// start returns the node. Its options must be known when it is made: those of NewServer
// and those that are passed to ServeHandler or Attach. A program that does something
// before that needs a node already, with the first ones: this one has no clients yet,
// and is replaced.
func (s *Server) start(opts *ServerOptions, attached bool) *node {
	s.mu.Lock()
	defer s.mu.Unlock()
	serving := opts != nil
	switch {
	case s.node != nil && (!serving || s.node.handler != nil):
		return s.node
	case s.node != nil:
		s.node.close()
	}
	all := DefaultServerOptions()
	if serving {
		all.Assign(opts)
	}
	all.Assign(s.opts) // as in the original: those of NewServer come first
	s.node = s.newNode(all, attached)
	if serving {
		s.node.handler = s.node.endpoint
	}
	s.namespaces.Range(func(_ string, n *namespace) bool {
		s.node.add(n)
		return true
	})
	for _, p := range s.parents {
		s.node.addParent(p)
	}
	return s.node
}

// running returns the node, whether it serves or not.
func (s *Server) running() *node { return s.start(nil, false) }

func (s *Server) newNode(opts *ServerOptions, attached bool) *node {
	nd := &node{endpoint: engine.NewEndpoint(opts)}
	cluster, leave, err := open(opts.Adapter())
	if err != nil {
		panic(fmt.Errorf("socket: %w", err))
	}
	nd.leave = leave
	o := socketio.Options{
		Engine:              nd.endpoint.EngineOptions(),
		Adapter:             s.observe(cluster),
		ConnectTimeout:      opts.ConnectTimeout(),
		KeepEmptyNamespaces: !opts.CleanupEmptyChildNamespaces(),
		AckTimeout:          -1, // an Ack without a timeout waits as long as the client is there
	}
	if attached && opts.ServeClient() {
		o.Bundle = clientFiles()
	}
	nd.io = socketio.New(o)
	nd.endpoint.Serve(nd.io, nd.io.Engine())
	nd.closed = sync.OnceValue(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		return errors.Join(nd.io.Close(ctx), nd.leave())
	})
	return nd
}

// close disconnects all clients and leaves the cluster, once.
func (nd *node) close() error { return nd.closed() }

// add makes clients find a namespace.
func (nd *node) add(n *namespace) {
	io := nd.io.Namespace(n.name)
	n.io.Store(io)
	n.server.install(io.Handlers, nil)
}

// clientFiles returns the directory with the browser's client, or nil.
func clientFiles() fs.FS {
	exe, err := os.Executable()
	if err != nil {
		return nil
	}
	return os.DirFS(filepath.Join(filepath.Dir(filepath.Dir(exe)), "client-dist"))
}

// Attach serves the endpoint on an HTTP server: a *types.HttpServer, or a new one that
// listens at an address (a string) or a port (an int). Options of NewServer win over
// opts, which may be nil. It panics if the address cannot be listened at.
func (s *Server) Attach(srv any, opts *ServerOptions) *Server {
	var hs *types.HttpServer
	switch to := srv.(type) {
	case *types.HttpServer:
		hs = to
	case string:
		hs = listener(to)
	case int:
		hs = listener(fmt.Sprintf(":%d", to))
	default:
		panic(fmt.Errorf("socket: cannot attach to a %T, only to a *types.HttpServer, an address or a port", srv))
	}
	all := DefaultServerOptions()
	if opts != nil {
		all.Assign(opts)
	}
	nd := s.start(all, true)
	all.Assign(s.opts)
	s.mu.Lock()
	s.httpServer = hs
	s.mu.Unlock()
	hs.Once("close", func(...any) { nd.close() })
	hs.Handle(engine.Path(all, "/socket.io"), nd.handler)
	return s
}

// listener returns a server that answers 404 for other paths.
func listener(addr string) *types.HttpServer {
	hs := types.NewWebServer(http.NotFoundHandler())
	hs.Listen(addr, nil)
	return hs
}

// Listen is Attach.
func (s *Server) Listen(srv any, opts *ServerOptions) *Server { return s.Attach(srv, opts) }

// ServeHandler returns the endpoint as an http.Handler, which does not look at the
// path of a request. Options of NewServer win over opts, which may be nil. Further
// calls return the same handler.
func (s *Server) ServeHandler(opts *ServerOptions) http.Handler {
	if opts == nil {
		opts = DefaultServerOptions()
	}
	return s.start(opts, false).handler
}
