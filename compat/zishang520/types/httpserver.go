package types

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// closeTimeout is how long Close waits for requests.
const closeTimeout = 10 * time.Second

// HttpServer is a ServeMux with the servers that it listens with. It emits
// "listening", and "close" when it is closed.
type HttpServer struct {
	EventEmitter
	*ServeMux

	mu      sync.Mutex
	servers []*http.Server
}

// NewWebServer returns a server that does not listen yet. The handler gets the
// requests that no pattern matches; default: http.DefaultServeMux.
func NewWebServer(defaultHandler http.Handler) *HttpServer {
	return &HttpServer{EventEmitter: NewEventEmitter(), ServeMux: NewServeMux(defaultHandler)}
}

// CreateServer is NewWebServer.
func CreateServer(defaultHandler http.Handler) *HttpServer { return NewWebServer(defaultHandler) }

// Listen listens at an address, serves it on another goroutine, and calls done, if
// not nil. It panics if it cannot listen.
func (s *HttpServer) Listen(addr string, done Callable) *http.Server {
	return s.listen(addr, ":http", done, (*http.Server).Serve)
}

// ListenTLS is Listen with TLS.
func (s *HttpServer) ListenTLS(addr, certFile, keyFile string, done Callable) *http.Server {
	return s.listen(addr, ":https", done, func(hs *http.Server, ln net.Listener) error {
		return hs.ServeTLS(ln, certFile, keyFile)
	})
}

func (s *HttpServer) listen(addr, standard string, done Callable, serve func(*http.Server, net.Listener) error) *http.Server {
	// No ReadTimeout and WriteTimeout: handlers of the program may take as long as they
	// do with the original. Polls and WebSockets have timeouts of their own.
	hs := &http.Server{
		Addr: addr, Handler: s, ReadHeaderTimeout: 45 * time.Second, IdleTimeout: 90 * time.Second,
	}
	if addr == "" {
		addr = standard
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		panic(err)
	}
	s.mu.Lock()
	s.servers = append(s.servers, hs)
	s.mu.Unlock()
	go func() {
		if err := serve(hs, ln); !errors.Is(err, http.ErrServerClosed) {
			panic(err)
		}
	}()
	if done != nil {
		defer done()
	}
	s.Emit("listening")
	return hs
}

// Close emits "close", on which an attached socket.Server disconnects its clients,
// stops listening, waits 10 s for requests, and calls done, if not nil, with the error
// that it returns.
func (s *HttpServer) Close(done func(error)) error {
	s.Emit("close")
	s.mu.Lock()
	servers := s.servers
	s.servers = nil
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var err error
	for _, hs := range servers {
		err = errors.Join(err, hs.Shutdown(ctx))
		hs.Close()
	}
	if err != nil {
		err = fmt.Errorf("types: closing the servers: %w", err)
	}
	if done != nil {
		done(err)
	}
	return err
}
