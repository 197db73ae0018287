package engine

import (
	"io"
	"net/http"

	"github.com/puente-io/puente/compat/zishang520/config"
	"github.com/puente-io/puente/compat/zishang520/events"
	"github.com/puente-io/puente/compat/zishang520/packet"
	"github.com/puente-io/puente/compat/zishang520/transports"
	"github.com/puente-io/puente/compat/zishang520/types"
)

// Protocol is the revision of the Engine.IO protocol.
const Protocol = 4

// SendCallback is called when a message has been queued, with the transport of that
// moment.
type SendCallback func(transports.Transport)

// Middleware is called for each HTTP request of the endpoint. It calls next to go on,
// or with an error to refuse the request with "Bad request", or answers by itself.
type Middleware func(ctx *types.HttpContext, next func(error))

// BaseServer is a server without its HTTP side. It emits "connection_error" with a
// *types.ErrorMessage, and "initial_headers" and "headers" with a *utils.ParameterBag
// and a *types.HttpContext.
type BaseServer interface {
	events.EventEmitter
	// Opts returns the options.
	Opts() config.ServerOptionsInterface
	// Clients returns the sessions of this moment by their ids.
	Clients() *types.Map[string, Socket]
	// ClientsCount returns their number.
	ClientsCount() uint64
	// Use adds a middleware. Middleware runs in the order of the calls.
	Use(Middleware)
	// Close closes all sessions and refuses new ones.
	Close() BaseServer
}

// Server is an Engine.IO server. It emits "connection" with a [Socket].
type Server interface {
	BaseServer
	http.Handler
	// HandleRequest and HandleUpgrade serve a request of the endpoint.
	HandleRequest(*types.HttpContext)
	HandleUpgrade(*types.HttpContext)
	// Attach serves the endpoint on an HTTP server. Options are a
	// config.AttachOptionsInterface or nil.
	Attach(srv *types.HttpServer, options any)
	// HttpServer returns what SetHttpServer has set.
	HttpServer() *types.HttpServer
	SetHttpServer(*types.HttpServer)
}

// Socket is a session. It emits "upgrade" with the new transport, and "close" with the
// reason and an error or nil. A session of package engine also emits "message" and
// "data" with a *types.StringBuffer or *types.BytesBuffer.
type Socket interface {
	events.EventEmitter
	Id() string
	// Protocol returns the revision of the Engine.IO protocol that the client speaks: 4,
	// or 3 if AllowEIO3 is set.
	Protocol() int
	// Request returns the request that opened the session.
	Request() *types.HttpContext
	// RemoteAddress returns the client's address without the port.
	RemoteAddress() string
	// Transport returns the current transport.
	Transport() transports.Transport
	// ReadyState returns "open" or "closed".
	ReadyState() string
	// Upgraded reports whether the session moved from polling to WebSocket.
	Upgraded() bool
	// Send queues a message: a text for a *types.StringBuffer or *strings.Reader, or else
	// a binary message. It reads the reader to its end. sent may be nil.
	Send(r io.Reader, options *packet.Options, sent SendCallback) Socket
	// Write is Send.
	Write(r io.Reader, options *packet.Options, sent SendCallback) Socket
	// Close closes the session. What is queued is still sent, for a bounded time.
	Close(discard bool)
}
