// Package server builds a node from a configuration, runs it, and stops it in order.
// It is the only package that imports all others.
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

// minCloseTime is the least time that handlers have to return when the node closes,
// even if SHUTDOWN_TIMEOUT is 0.
const minCloseTime = 100 * time.Millisecond

// Server is one node.
type Server struct {
	cfg      config.Config
	log      zerolog.Logger
	out      io.Writer // where log writes
	listener net.Listener
	http     *http.Server
	io       *socketio.Server
	service  *realtime.Service
	verifier *auth.Verifier
	cluster  *cluster
	draining atomic.Bool
}

// Run runs a node until ctx ends, and then drains it. See [New].
func Run(ctx context.Context, cfg config.Config, log io.Writer) error {
	srv, err := New(cfg, log)
	if err != nil {
		return err
	}
	return srv.Run(ctx)
}

// New builds a node and listens, so that its address is known; Run serves. The node
// logs to log, which must be safe for concurrent use. New does not wait for Redis.
func New(cfg config.Config, log io.Writer) (_ *Server, err error) {
	srv := &Server{cfg: cfg, log: newLogger(cfg, log), out: log}
	defer func() {
		if err != nil {
			srv.close(context.Background()) // New returns the first error
		}
	}()
	for _, warning := range cfg.Warnings() {
		srv.log.Warn().Msg(warning)
	}
	if srv.cfg.DevSecret {
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
		Adapter:       srv.cluster.adapter,
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
	})
	srv.service, err = realtime.New(realtime.Options{
		Namespace:       srv.io.Namespace("/"),
		Verifier:        srv.verifier,
		Presence:        srv.cluster.presence,
		Policy:          realtime.DefaultPolicy{NotifyAdminOnly: cfg.NotifyPolicy == "admin"},
		AuthRequired:    cfg.AuthRequired,
		AuthTimeout:     cfg.AuthTimeout,
		IgnoreExpiry:    cfg.TokenExpiry == "ignore",
		RateLimit:       orNegative(cfg.RateLimit),
		RateWindow:      orNegative(cfg.RateWindow),
		PresenceMax:     orNegative(cfg.PresenceMax),
		Degraded:        srv.cluster.degraded,
		ClusterGaps:     srv.cluster.gaps,
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
	sockets := warnOfOrigins(engine.CORS, srv.log, srv.io.Attach(api))
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

// Run serves until ctx ends, and then stops within SHUTDOWN_TIMEOUT: readiness
// fails, new sessions are refused, clients are closed one by one over half of the
// time, and requests in flight have another quarter to finish before they are cut
// off. It returns an error if serving failed or a part did not close in time.
func (srv *Server) Run(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- srv.http.Serve(srv.listener) }()
	defer srv.announce()()
	select {
	case err := <-failed:
		return errors.Join(fmt.Errorf("server: %w", err), srv.close(context.Background()))
	case <-ctx.Done():
	}
	timeout := srv.cfg.ShutdownTimeout
	srv.log.Info().Stringer("within", timeout).Msg("draining")
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout*3/4)
	defer cancel()
	srv.draining.Store(true)
	srv.io.Drain(finish, timeout/2)
	if err := srv.http.Shutdown(finish); err != nil {
		srv.log.Warn().Err(err).Msg("requests cut off")
		srv.http.Close()
	}
	<-failed
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(timeout/4, minCloseTime))
	defer cancel()
	err := srv.close(end)
	srv.log.Info().Msg("stopped")
	return err
}

// close closes the parts that New has created.
func (srv *Server) close(ctx context.Context) (err error) {
	if srv.io != nil {
		if srv.cluster != nil {
			// Leaves are announced before the connection to other nodes is closed.
			srv.cluster.presence.Sync(ctx)
		}
		err = srv.io.Close(ctx)
	}
	if srv.cluster != nil {
		err = errors.Join(err, srv.cluster.close())
	}
	if srv.verifier != nil {
		srv.verifier.Close()
	}
	return err
}

func (srv *Server) notReady() string {
	if srv.draining.Load() {
		return "draining"
	}
	select {
	case <-srv.cluster.presence.Ready():
		return ""
	default: // takes up to two seconds
		return "starting: waiting for the users of the other nodes"
	}
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
		MaxRequestBytes:   keptRequestBytes,
		MaxHTTPBufferSize: cfg.MaxHTTPBufferSize,
		MaxQueueBytes:     cfg.MaxQueueBytes, MaxBacklogBytes: cfg.MaxBacklogBytes, MaxTotalQueueBytes: cfg.MaxTotalQueueBytes,
		SlowTimeout: cfg.SlowTimeout,
		MaxSessions: cfg.MaxConnections, MaxHandshakesPerSecond: cfg.MaxHandshakesPerSecond,
		Refused: handshakeRefused(log, len(cfg.TrustedProxies) > 0),
	}
	limitAddresses(&opts, cfg)
	allowOrigins(&opts, cfg)
	return opts
}
