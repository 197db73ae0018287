package server

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/ident"
)

// tokenPort is the default of --port of "puente token".
const tokenPort = 3001

// url returns the URL of the node for a browser on this machine.
func (srv *Server) url() string {
	ap, err := netip.ParseAddrPort(srv.Addr().String())
	if err != nil {
		return "http://" + srv.Addr().String()
	}
	host := ap.Addr().String()
	if ap.Addr().IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(int(ap.Port())))
}

func (srv *Server) port() int {
	addr, _ := srv.Addr().(*net.TCPAddr)
	if addr == nil {
		return 0
	}
	return addr.Port
}

// clusterName returns "redis" or "memory".
func clusterName(cfg config.Config) string {
	if cfg.RedisURL.IsSet() {
		return "redis"
	}
	return "memory"
}

func authName(cfg config.Config) string {
	if cfg.AuthRequired {
		return "required"
	}
	return "optional"
}

// announce logs the address of the node and how it is configured. In development it
// also writes the secret of the run to a file for "puente token", and prints how to
// connect. end removes the file.
func (srv *Server) announce() (end func()) {
	srv.log.Info().Str("url", srv.url()).Stringer("address", srv.Addr()).Str("cluster", clusterName(srv.cfg)).
		Str("authentication", authName(srv.cfg)).Bool("eio3", srv.cfg.AllowProtocol3).Str("version", config.Version()).Msg("serving")
	if !srv.devSecret {
		return func() {}
	}
	kept := runSecret{srv.cfg.JWTSecret.Reveal(), srv.cfg.JWTIssuer, srv.cfg.JWTAudience}
	end, err := kept.keep(srv.port())
	if err != nil {
		srv.log.Warn().Err(err).Msg("secret of this run not saved, puente token cannot sign with it")
		end = func() {}
	}
	token, err := auth.Sign([]byte(srv.cfg.JWTSecret.Reveal()), auth.Grant{
		UserID: ident.Of("demo"), TTL: 24 * time.Hour,
		Issuer: srv.cfg.JWTIssuer, Audience: srv.cfg.JWTAudience,
	})
	switch {
	case err != nil:
		srv.log.Error().Err(err).Msg("development token not signed")
	case srv.cfg.LogFormat == "json":
		srv.log.Info().Str("user", "demo").Str("token", token).Msg("development token")
	default:
		fmt.Fprint(srv.out, srv.greeting(token))
	}
	return end
}

// command returns the path with which puente was started, so that printed commands
// can be pasted; "puente" if another program embeds this package.
func command() string {
	if base := filepath.Base(os.Args[0]); base == "puente" || base == "puente.exe" {
		return os.Args[0]
	}
	return "puente"
}

// greeting returns the text that a node in development prints when it starts.
func (srv *Server) greeting(token string) string {
	cluster := "in memory, this node only; set REDIS_URL to connect nodes"
	if srv.cfg.RedisURL.IsSet() {
		cluster = "Redis"
	}
	authentication := fmt.Sprintf("a connection without a token has %v to authenticate; WS_AUTH_REQUIRED=true refuses connections without a token", srv.cfg.AuthTimeout)
	if srv.cfg.AuthRequired {
		authentication = "required: a connection without a token is refused"
	}
	mint := command() + " token --user bob"
	if srv.port() != tokenPort {
		mint += " --port " + strconv.Itoa(srv.port())
	}
	return fmt.Sprintf(`
Puente serves at %[1]s

  cluster         %[2]s
  authentication  %[3]s

JWT_SECRET is not set, so a secret was generated for this run. A token for the user "demo":

  %[4]s

Connect with it (npm install socket.io-client):

  node -e 'const s = require("socket.io-client").io("%[1]s", {auth: {token: "%[4]s"}});
    s.onAny((...a) => console.log(...a)); s.on("connect_error", console.error);
    s.on("connect", () => s.emit("join-room", "lobby", console.log))'

A token for another user, while this node runs:

  %[5]s

`, srv.url(), cluster, authentication, token, mint)
}
