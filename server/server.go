// Package server builds a node from a configuration, runs it, and stops it in order.
// It puts the packages of a node together: to run one, a program imports only this
// package and package config.
package server

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/puente-io/puente/handlers"
	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/cluster"
	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/httpapi"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// refusedPerLimit times the rate limit is how many events, and how many CONNECTs, of
// a client may be refused within a window before its connection is closed.
const refusedPerLimit = 20

// keptRequestBytes bounds what a session keeps of the request that opened it.
const keptRequestBytes = 8 << 10

// Server is one node. A program that embeds it adds routes with Handle and events to
// the namespaces of SocketIO, calls Service, and ends the context of Run to stop it:
// readiness fails, new sessions are refused, clients are closed one by one over half of
// SHUTDOWN_TIMEOUT, and requests in flight have another quarter to finish before they
// are cut off.
type Server struct {
	cfg      config.Config
	log      zerolog.Logger
	out      io.Writer // where log writes
	listener net.Listener
	http     *http.Server
	io       *socketio.Server
	service  *realtime.Service
	verifier *auth.Verifier
	cluster  *cluster.Cluster
	routes   *http.ServeMux // of the program
	draining atomic.Bool

	devSecret bool // cfg.JWTSecret was generated
}

// Run runs a node until ctx ends, and then drains it. See [New].
func Run(ctx context.Context, cfg config.Config, log io.Writer) error {
	srv, err := New(cfg, log)
	if err != nil {
		return err
	}
	return srv.Run(ctx)
}

// New builds a node and listens, so that its address is known. Call Run to serve, or
// Close. The node logs to log, which must be safe for concurrent use. New does not wait
// for Redis.
func New(cfg config.Config, log io.Writer) (_ *Server, err error) {
	srv := &Server{cfg: cfg, log: newLogger(cfg, log), out: log, routes: http.NewServeMux(), devSecret: cfg.NeedsSecret()}
	defer func() {
		if err != nil {
			srv.close(context.Background()) // New returns the first error
		}
	}()
	for _, warning := range cfg.Warnings() {
		srv.log.Warn().Msg(warning)
	}
	if srv.devSecret {
		srv.cfg.JWTSecret = config.NewSecret(newSecret())
	}
	if srv.verifier, err = newVerifier(srv.cfg, srv.log); err != nil {
		return nil, err
	}
	if srv.cluster, err = newCluster(srv.cfg, srv.log); err != nil {
		return nil, err
	}
	maxRefused := refusedPerLimit * cfg.RateLimit
	if cfg.RateWindow == 0 {
		maxRefused = 0
	}
	bundle, version := clientBundle()
	engine := engineOptions(cfg, srv.log)
	srv.io = socketio.New(socketio.Options{
		Engine:        engine,
		Adapter:       srv.cluster.Adapter(),
		Bundle:        bundle,
		BundleVersion: version,
		Hooks:         hooks(srv.log),

		NoTrailingSlash: !cfg.AddTrailingSlash,

		ConnectTimeout: cfg.ConnectTimeout,
		MaxAttachments: cfg.MaxAttachments,
		MaxArguments:   cfg.MaxArguments,
		// A client cannot make others receive more than it may send.
		MaxAttachmentBytes: cfg.MaxHTTPBufferSize,
		MaxAnonymousBytes:  cfg.MaxAnonymousBytes,
		MaxRefusedConnects: maxRefused,
		RefusalWindow:      cfg.RateWindow,

		Recovery: socketio.RecoveryOptions{Window: cfg.Recovery, MaxBytes: int64(cfg.RecoveryMaxBytes)},
	})
	srv.service, err = realtime.New(realtime.Options{
		Namespace:       srv.io.Namespace("/"),
		Verifier:        srv.verifier,
		Cluster:         srv.cluster,
		Policy:          realtime.DefaultPolicy{NotifyAdminOnly: cfg.NotifyPolicy == "admin"},
		AuthRequired:    cfg.AuthRequired,
		AuthTimeout:     cfg.AuthTimeout,
		IgnoreExpiry:    cfg.TokenExpiry == "ignore",
		RateLimit:       orNegative(cfg.RateLimit),
		RateWindow:      orNegative(cfg.RateWindow),
		PresenceMax:     orNegative(cfg.PresenceMax),
		PresenceGrace:   orNegative(cfg.PresenceGrace),
		ClusterRequired: cfg.RedisRequired,
		Hooks:           serviceHooks(srv.log),

		MaxRefusedEvents:  maxRefused,
		MaxSocketsPerUser: cfg.MaxSocketsPerUser,
		MaxRoomsPerSocket: orNegative(cfg.MaxRoomsPerSocket),
	})
	if err != nil {
		return nil, err
	}
	handlers.Register(srv.service)

	api := httpapi.New(srv.service, httpapi.Options{
		APIKey: cfg.APIKey.Reveal(), MaxBody: int64(cfg.MaxHTTPBufferSize), Ready: srv.notReady,
		Unauthorized: keyRefused(srv.log),
	})
	sockets := warnOfOrigins(engine.CORS, srv.log, srv.io.Attach(routed(srv.routes, api)))
	srv.http = engineio.NewHTTPServer(forwarded(cfg.TrustedProxies, sockets))
	srv.http.ErrorLog = errorLog(srv.log)
	srv.http.DisableGeneralOptionsHandler = true // balancers probe readiness with "OPTIONS *", too
	srv.listener, err = net.Listen("tcp", net.JoinHostPort(cfg.HTTPHost, strconv.Itoa(cfg.HTTPPort)))
	if err != nil {
		return nil, fmt.Errorf("HTTP_HOST, HTTP_PORT: %w", err)
	}
	return srv, nil
}

// Addr returns the address that the node listens on.
func (srv *Server) Addr() net.Addr { return srv.listener.Addr() }

// Service returns the node's service, for programs that publish.
func (srv *Server) Service() *realtime.Service { return srv.service }

// SocketIO returns the node's Socket.IO server, for programs that add events.
func (srv *Server) SocketIO() *socketio.Server { return srv.io }

// Handle adds a route of the program to the node's HTTP server. It takes precedence over
// the HTTP API, but requests below the path of Socket.IO do not reach it. The pattern is
// one of [http.ServeMux]; Handle panics like http.ServeMux.Handle if it is invalid or
// conflicts with another.
func (srv *Server) Handle(pattern string, h http.Handler) { srv.routes.Handle(pattern, h) }

// Handler returns the handler of the node's HTTP server: Socket.IO, the program's routes
// and the HTTP API. A program may serve it with another server too, which
// [engineio.NewHTTPServer] makes with the necessary time limits; Run does not wait for
// the requests of that one.
func (srv *Server) Handler() http.Handler { return srv.http.Handler }

// Run serves until ctx ends, and then stops within SHUTDOWN_TIMEOUT, see [Server]. It
// returns an error if serving failed or a part did not close in time.
func (srv *Server) Run(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- srv.http.Serve(srv.listener) }()
	defer srv.announce()()
	select {
	case err := <-failed:
		return errors.Join(fmt.Errorf("server: %w", err), srv.close(context.Background()))
	case <-ctx.Done():
	}
	return srv.stop(context.WithoutCancel(ctx), failed)
}

func (srv *Server) notReady() string {
	if srv.draining.Load() {
		return "draining"
	}
	select {
	case <-srv.cluster.Presence().Ready():
		return ""
	default: // takes up to two seconds
		return "starting: loading presence from the other nodes"
	}
}

// routed returns a handler that serves the requests that match a route, and passes all
// others to next unchanged: a ServeMux would redirect paths with doubled slashes.
func routed(routes *http.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := routes.Handler(r); pattern != "" {
			routes.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func newSecret() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func newVerifier(cfg config.Config, log zerolog.Logger) (*auth.Verifier, error) {
	pem, err := cfg.PublicKeyPEM()
	if err != nil {
		return nil, err
	}
	return auth.New(auth.Options{
		Secret: []byte(cfg.JWTSecret.Reveal()), PreviousSecret: []byte(cfg.JWTSecretPrevious.Reveal()),
		PublicKeyPEM: pem, JWKSURL: cfg.JWTJWKSURL.Reveal(),
		Issuer: cfg.JWTIssuer, Audience: cfg.JWTAudience,
		OnFetchError: fetchFailed(log),
	})
}

// orNegative returns -1 for 0, else n: 0 in the configuration means no limit (or
// never), which the service spells -1, because its 0 means the default.
func orNegative[T int | time.Duration](n T) T {
	if n == 0 {
		return -1
	}
	return n
}

func engineOptions(cfg config.Config, log zerolog.Logger) engineio.Options {
	opts := engineio.Options{
		PingInterval: cfg.PingInterval, PingTimeout: cfg.PingTimeout,
		AllowProtocol3:    cfg.AllowProtocol3,
		MaxRequestBytes:   keptRequestBytes,
		MaxHTTPBufferSize: cfg.MaxHTTPBufferSize,
		PerMessageDeflate: cfg.PerMessageDeflate, PerMessageDeflateThreshold: orNegative(cfg.PerMessageDeflateThreshold), PerMessageDeflateLevel: cfg.PerMessageDeflateLevel,
		MaxQueueBytes: cfg.MaxQueueBytes, MaxBacklogBytes: cfg.MaxBacklogBytes, MaxTotalQueueBytes: cfg.MaxTotalQueueBytes,
		SlowTimeout: cfg.SlowTimeout,
		MaxSessions: cfg.MaxConnections, MaxHandshakesPerSecond: cfg.MaxHandshakesPerSecond,
		Hooks: engineHooks(log, len(cfg.TrustedProxies) > 0),
		// No handler of the node asks for the values of a request.
		Context: func(*http.Request) context.Context { return nil },
	}
	limitAddresses(&opts, cfg)
	allowOrigins(&opts, cfg)
	return opts
}
