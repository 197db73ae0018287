package engineio

import (
	"context"
	"net"
	"net/http"
	"time"
)

// The limits of [NewHTTPServer].
const (
	// requestTime is how long a request may take to arrive, body included.
	requestTime = 45 * time.Second
	// answerTime is how long the client may take to read an answer. It counts
	// from the end of the request's headers, or from the end of a handler's wait,
	// see [Server.boundAnswer].
	answerTime = 45 * time.Second
	// idleTime is how long a connection may wait for its next request. Balancers
	// keep theirs for up to a minute, and must be the first to give up.
	idleTime       = 90 * time.Second
	maxHeaderBytes = 32 << 10
	// maxUnsent bounds, in bytes, what the kernel buffers of answers and WebSocket
	// frames that it cannot send because the client does not read.
	maxUnsent = 128 << 10
)

// NewHTTPServer returns a server for h with limits, so that a client that sends or
// reads too slowly cannot keep a connection open. They hold for the routes of h and for
// those that net/http answers itself, such as "OPTIONS *":
//
//   - A request has 45 s to arrive, headers and body together.
//   - The client must have read its answer 45 s after the headers arrived.
//   - A connection without a request is closed after 90 s.
//   - Headers have at most 32 KiB.
//   - The kernel buffers at most 128 KiB of unread answers per connection (on Linux)
//     instead of megabytes.
//
// Long polls and WebSockets have the limits of [Options] instead, which begin when the
// poll is answered and when the connection is upgraded. A handler that needs more time,
// for a large upload or a stream of events, sets its own deadlines with
// [http.ResponseController].
//
// The caller may change the fields before the server is used. A program that makes its
// own [http.Server] instead should set ReadHeaderTimeout, ReadTimeout, WriteTimeout,
// IdleTimeout and MaxHeaderBytes: without them a client that sends half of a request, or
// reads no answer, keeps a file descriptor and a goroutine until it closes the
// connection.
func NewHTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: requestTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			limitUnsent(conn, maxUnsent)
			return ctx
		},
	}
}

// boundBody bounds how long the body of a request may take, even if the request is
// refused: net/http reads the rest after the handler, to use the connection again.
func (srv *Server) boundBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(srv.opts.BodyTimeout))
	}
}

// boundAnswer bounds how long the client may take to read the answer, from now
// on: a request that has waited, for packets or for its body, may have used up
// the time that the HTTP server gives from the headers on.
func (srv *Server) boundAnswer(w http.ResponseWriter) {
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(srv.opts.CloseTimeout))
}

// waits takes the server's deadline for answers off a request that is going to
// wait. HTTP/1 looks at the deadline when it writes, HTTP/2 ends the stream.
func waits(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor > 1 {
		http.NewResponseController(w).SetWriteDeadline(time.Time{})
	}
}
