package socketio

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/recovery"
)

// Server is a Socket.IO server. It is an [http.Handler] for its endpoint, which
// clients expect at /socket.io/: see [Server.Attach]. Its methods are safe for
// concurrent use.
type Server struct {
	opts   Options
	engine *engineio.Server
	bundle *bundle
	limits limitCounters
	panics atomic.Int64
	// recovery bounds the logs of the namespaces; nil without recovery.
	recovery   *recovery.Node
	recoveries recoveryCounters
	// msgpackClients is the number of clients whose packets are MessagePack.
	msgpackClients atomic.Int64

	goroutines sync.WaitGroup
	base       context.Context // of what outlives a socket; ends when Close does
	end        context.CancelFunc

	mu         sync.RWMutex
	namespaces map[string]*Namespace
	patterns   []*Pattern
	changing   map[string]chan struct{} // namespaces that are being made or removed; closed at the end of that
	closed     bool                     // spawn starts no more goroutines
}

// New returns a server with the root namespace, which accepts every client.
func New(opts Options) *Server {
	srv := &Server{opts: opts.withDefaults(), namespaces: make(map[string]*Namespace), changing: make(map[string]chan struct{})}
	srv.base, srv.end = context.WithCancel(context.Background())
	if opts.Engine.Hooks.HandlerPanic == nil {
		opts.Engine.Hooks.HandlerPanic = func(_ *engineio.Session, err error) { srv.enginePanicked(err) }
	}
	srv.engine = engineio.New(opts.Engine, func(s *engineio.Session, _ *http.Request) engineio.Handler {
		return srv.newClient(s)
	})
	srv.recovery = newRecovery(srv.opts.Recovery, srv.engine.Options())
	if opts.Bundle != nil {
		srv.bundle = newBundle(opts.Bundle, opts.BundleVersion)
	}
	srv.Namespace("/")
	return srv
}

// ServeHTTP serves the endpoint and, below it, the files of the browser client.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if srv.bundle != nil && srv.bundle.serves(r.URL.Path) {
		if cors := srv.opts.Engine.CORS; cors != nil && cors.Apply(w, r) {
			return
		}
		srv.bundle.ServeHTTP(w, r)
		return
	}
	srv.engine.ServeHTTP(w, r)
}

// Engine returns the underlying Engine.IO server.
func (srv *Server) Engine() *engineio.Server { return srv.engine }

// Namespace returns the namespace with this name and creates it if necessary.
// Clients may connect to it from then on. A name without a leading slash gets
// one. A panic of Options.Adapter is the caller's.
func (srv *Server) Namespace(name string) *Namespace {
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.namespace(name, newHandlers, nil)
}

// namespace returns the namespace with this name, or a new one. If one of this
// name is being made or removed, it first waits for that. Called with srv.mu held,
// which it releases while it waits and while it makes a namespace; the panic of an
// adapter's factory leaves it with srv.mu held too.
func (srv *Server) namespace(name string, h func() *Handlers, p *Pattern) *Namespace {
	for srv.namespaces[name] == nil && srv.changing[name] != nil {
		end := srv.changing[name]
		srv.mu.Unlock()
		<-end
		srv.mu.Lock()
	}
	if ns := srv.namespaces[name]; ns != nil {
		return ns
	}
	end := make(chan struct{})
	srv.changing[name] = end
	srv.mu.Unlock()
	var ns *Namespace
	defer func() {
		srv.mu.Lock()
		if delete(srv.changing, name); ns != nil {
			srv.namespaces[name] = ns
		}
		close(end)
	}()
	ns = srv.newNamespace(name, h(), p)
	return ns
}

// Namespaces returns the current namespaces, in no particular order.
func (srv *Server) Namespaces() []*Namespace {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	list := make([]*Namespace, 0, len(srv.namespaces))
	for _, ns := range srv.namespaces {
		list = append(list, ns)
	}
	return list
}

// lookup returns the namespace that s connects to and counts s in it, or nil if
// the namespace does not exist.
func (srv *Server) lookup(s *Socket) *Namespace { return srv.acquire(s, nil) }

// lookupOrCreate is lookup that also tries the patterns, which may block, and
// creates the namespace if one matches. The error is a panic of its adapter's
// factory.
func (srv *Server) lookupOrCreate(s *Socket) (ns *Namespace, err error) {
	srv.mu.RLock()
	patterns := srv.patterns
	srv.mu.RUnlock()
	for _, p := range patterns {
		matched := false
		if err := Guard(func() error { matched = p.match(&s.ctx, s.nsName, s.sentAuth()); return nil }); err != nil {
			srv.failed(s, "", err)
		}
		if matched {
			err = Guard(func() error { ns = srv.acquire(s, p); return nil })
			return ns, err
		}
	}
	return nil, nil
}

func (srv *Server) acquire(s *Socket, p *Pattern) *Namespace {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	ns := srv.namespaces[s.nsName]
	if ns == nil && p != nil {
		ns = srv.namespace(s.nsName, func() *Handlers { return p.Handlers }, p)
	}
	if ns != nil {
		ns.refs++
	}
	return ns
}

// release uncounts a socket and removes a pattern's namespace after its last
// one.
func (srv *Server) release(ns *Namespace) {
	srv.mu.Lock()
	ns.refs--
	gone := ns.refs == 0 && ns.pattern != nil && !srv.opts.KeepEmptyNamespaces && !srv.closed
	if !gone {
		srv.mu.Unlock()
		return
	}
	end := make(chan struct{})
	delete(srv.namespaces, ns.name)
	srv.changing[ns.name] = end
	srv.mu.Unlock()
	ns.adapter.Close()
	if ns.log != nil {
		ns.log.Close()
	}
	srv.mu.Lock()
	delete(srv.changing, ns.name)
	srv.mu.Unlock()
	close(end)
}

// spawn runs f on a goroutine that Close waits for. On a closed server it does
// nothing.
func (srv *Server) spawn(f func()) {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	if !srv.closed {
		srv.goroutines.Go(f)
	}
}

// requestTimeout is how long other servers have to answer if the caller's
// context has no deadline.
const requestTimeout = 5 * time.Second

// bound returns ctx with a timeout of d, or, if d is 0 and ctx has no deadline,
// of requestTimeout.
func (srv *Server) bound(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 {
		d = requestTimeout
		if _, ok := ctx.Deadline(); ok {
			return ctx, func() {}
		}
	}
	return context.WithTimeout(ctx, d)
}

// Drain refuses new clients and closes the existing connections, spread evenly
// over the given time; the clients reconnect to another server. It returns when
// all are closed or ctx ends.
func (srv *Server) Drain(ctx context.Context, over time.Duration) { srv.engine.Drain(ctx, over) }

// Draining reports whether the server refuses new clients, because of Drain,
// Shutdown or Close. A balancer's readiness check may ask for it.
func (srv *Server) Draining() bool { return srv.engine.Draining() }

// Shutdown calls Drain with the given time and then Close, for which the rest of the time
// of ctx is left. Call it before [http.Server.Shutdown], which neither closes WebSockets
// nor waits for them, and after which clients that still poll can open no connection to
// fetch what is queued for them.
func (srv *Server) Shutdown(ctx context.Context, spread time.Duration) error {
	srv.Drain(ctx, spread)
	return srv.Close(ctx)
}

// Close closes all connections, waits until running handlers have returned or
// ctx ends, and leaves the cluster. It returns the error of ctx if handlers
// were still running; the contexts of all handlers have ended then.
func (srv *Server) Close(ctx context.Context) error {
	err := srv.engine.Close(ctx)
	srv.mu.Lock()
	srv.closed = true
	srv.mu.Unlock()
	done := make(chan struct{})
	go func() { srv.goroutines.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	srv.end()
	srv.awaitChanges(ctx)
	for _, ns := range srv.Namespaces() {
		ns.adapter.Close()
		if ns.log != nil {
			ns.log.Close()
		}
	}
	if srv.recovery != nil {
		srv.recovery.Close()
	}
	return err
}

// awaitChanges waits until no namespace is being made or removed, or ctx ends.
func (srv *Server) awaitChanges(ctx context.Context) {
	for ctx.Err() == nil {
		var end chan struct{}
		srv.mu.RLock()
		for _, end = range srv.changing {
			break
		}
		srv.mu.RUnlock()
		if end == nil {
			return
		}
		select {
		case <-end:
		case <-ctx.Done():
		}
	}
}
