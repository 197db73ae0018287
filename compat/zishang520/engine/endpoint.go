package engine

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/puente-io/puente/compat/zishang520/config"
	"github.com/puente-io/puente/compat/zishang520/events"
	"github.com/puente-io/puente/compat/zishang520/types"
	"github.com/puente-io/puente/compat/zishang520/utils"
	"github.com/puente-io/puente/server/engineio"
)

// closeTimeout is how long Close waits for handlers.
const closeTimeout = 5 * time.Second

// Endpoint is the Server that packages engine and socket build on. Programs get it as
// a Server.
type Endpoint struct {
	events.EventEmitter
	opts *config.ServerOptions

	mu          sync.Mutex
	middlewares []Middleware
	httpServer  *types.HttpServer

	// Set by Serve, before requests come.
	engine  *engineio.Server
	handler http.Handler

	sockets types.Map[string, Socket] // those that somebody has asked for, by their ids
}

var _ Server = (*Endpoint)(nil)

// NewEndpoint returns an endpoint that Serve must be called on.
func NewEndpoint(opts config.ServerOptionsInterface) *Endpoint {
	e := &Endpoint{EventEmitter: events.New(), opts: config.DefaultServerOptions()}
	e.opts.Assign(opts)
	return e
}

// EngineOptions returns the options for package engineio; the engine's events arrive
// at this endpoint.
func (e *Endpoint) EngineOptions() engineio.Options {
	out := engineOptions(e.opts)
	out.Hooks = engineio.Hooks{Refused: e.refused, SessionUpgraded: e.upgraded, SessionClosed: e.closed}
	out.InitialHeaders = func(h http.Header, r *http.Request) { e.emitHeaders("initial_headers", h, r) }
	out.Headers = func(h http.Header, r *http.Request) { e.emitHeaders("headers", h, r) }
	return out
}

// Serve makes the endpoint answer with h, which is or contains engine.
func (e *Endpoint) Serve(h http.Handler, engine *engineio.Server) { e.handler, e.engine = h, engine }

func (e *Endpoint) refused(r *http.Request, err *engineio.HandshakeError) {
	if e.ListenerCount("connection_error") == 0 {
		return
	}
	e.Emit("connection_error", &types.ErrorMessage{
		CodeMessage: &types.CodeMessage{Code: int(err.Code), Message: err.Message},
		Req:         types.NewHttpContext(nil, r),
		Context:     map[string]any{"message": err.Error()},
	})
}

func (e *Endpoint) emitHeaders(event events.EventName, h http.Header, r *http.Request) {
	if e.ListenerCount(event) == 0 {
		return
	}
	bag := utils.NewParameterBag(h.Clone())
	e.Emit(event, bag, types.NewHttpContext(nil, r))
	for name, values := range bag.All() {
		h[http.CanonicalHeaderKey(name)] = values
	}
}

// Opts implements BaseServer.
func (e *Endpoint) Opts() config.ServerOptionsInterface { return e.opts }

// Clients implements BaseServer.
func (e *Endpoint) Clients() *types.Map[string, Socket] {
	m := new(types.Map[string, Socket])
	for _, s := range e.engine.Sessions() {
		m.Store(s.ID(), e.Socket(s))
	}
	return m
}

// Socket returns the Socket of a session, the same each time while the session is
// open.
func (e *Endpoint) Socket(session *engineio.Session) Socket {
	s, _ := e.sockets.LoadOrStore(session.ID(), &socket{EventEmitter: events.New(), session: session})
	if !session.Open() { // closed might have been called before
		e.sockets.Delete(session.ID())
	}
	return s
}

func (e *Endpoint) upgraded(session *engineio.Session) {
	if s, ok := e.sockets.Load(session.ID()); ok {
		s.Emit("upgrade", s.Transport())
	}
}

func (e *Endpoint) closed(session *engineio.Session, reason engineio.Reason, err error) {
	if s, ok := e.sockets.LoadAndDelete(session.ID()); ok {
		var why any
		if err != nil {
			why = err
		}
		s.Emit("close", string(reason), why)
	}
}

// ClientsCount implements BaseServer.
func (e *Endpoint) ClientsCount() uint64 { return uint64(e.engine.Count()) }

// Use implements BaseServer.
func (e *Endpoint) Use(m Middleware) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.middlewares = append(slices.Clip(e.middlewares), m)
}

// Close implements BaseServer. It waits at most 5 s for handlers.
func (e *Endpoint) Close() BaseServer {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	e.engine.Close(ctx)
	return e
}

// HttpServer implements Server.
func (e *Endpoint) HttpServer() *types.HttpServer {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.httpServer
}

// SetHttpServer implements Server.
func (e *Endpoint) SetHttpServer(srv *types.HttpServer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.httpServer = srv
}

// Attach implements Server.
func (e *Endpoint) Attach(srv *types.HttpServer, options any) {
	attach, _ := options.(config.AttachOptionsInterface)
	srv.Once("close", func(...any) { e.Close() })
	srv.Handle(Path(attach, "/engine.io"), e)
}

// Path returns the pattern of an endpoint on a types.ServeMux.
func Path(options config.AttachOptionsInterface, standard string) string {
	path := standard
	if options != nil && options.GetRawPath() != nil {
		path = options.Path()
	}
	path = strings.TrimRight(path, "/")
	if options == nil || options.GetRawAddTrailingSlash() == nil || options.AddTrailingSlash() {
		path += "/"
	}
	return path
}

// ServeHTTP serves the requests of the endpoint, whatever their paths.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e.middleware() == nil {
		e.handler.ServeHTTP(w, r)
		return
	}
	e.HandleRequest(types.NewHttpContext(w, r))
}

func (e *Endpoint) middleware() []Middleware {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.middlewares
}

// HandleUpgrade implements Server.
func (e *Endpoint) HandleUpgrade(ctx *types.HttpContext) { e.HandleRequest(ctx) }

// HandleRequest implements Server. It returns when the request has been answered.
func (e *Endpoint) HandleRequest(ctx *types.HttpContext) {
	passed := make(chan error, 1)
	pass := func(err error) {
		select {
		case passed <- err:
		default: // next has been called twice
		}
	}
	chain(e.middleware(), ctx, pass)
	select {
	case err := <-passed:
		for name, values := range ctx.ResponseHeaders.All() {
			ctx.Response().Header()[http.CanonicalHeaderKey(name)] = values
		}
		if err != nil {
			e.refuse(ctx)
			return
		}
		e.handler.ServeHTTP(ctx.Response(), ctx.Request())
	case <-ctx.Done():
	case <-ctx.Context().Done():
	}
}

func chain(rest []Middleware, ctx *types.HttpContext, end func(error)) {
	if len(rest) == 0 {
		end(nil)
		return
	}
	rest[0](ctx, func(err error) {
		if err != nil {
			end(err)
			return
		}
		chain(rest[1:], ctx, end)
	})
}

// refuse answers a request that a middleware has refused.
func (e *Endpoint) refuse(ctx *types.HttpContext) {
	why := &types.CodeMessage{Code: int(engineio.CodeBadRequest), Message: "Bad request"}
	e.Emit("connection_error", &types.ErrorMessage{CodeMessage: why, Req: ctx, Context: map[string]any{"name": "MIDDLEWARE_FAILURE"}})
	w := ctx.Response()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	json.NewEncoder(w).Encode(why)
}
