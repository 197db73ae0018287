// Package config reads the flags and environment variables of the command puente
// into a validated Config.
//
// Every setting has one row in the table of settings.go, from which follow
// its variable, its flag (HTTP_PORT is --http-port), its line of --help and the
// message about a bad value. A flag outweighs its variable; a variable that is set
// to nothing is unset.
package config

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Config is how one node runs. [Parse] returns valid ones; a Config may be copied
// and printed, and must not be changed once it is shared.
type Config struct {
	// Listening, and being stopped.

	HTTPHost        string         // HTTP_HOST; empty: all addresses
	HTTPPort        int            // HTTP_PORT; 0: a free one
	TrustedProxies  []netip.Prefix // TRUSTED_PROXIES: whose X-Forwarded-For, -Host and -Proto are believed
	ShutdownTimeout time.Duration  // SHUTDOWN_TIMEOUT
	Production      bool           // NODE_ENV is production
	LogLevel        string         // LOG_LEVEL: trace, debug, info, warn or error
	APIKey          Secret         // API_KEY; unset: no routes for backends

	// The cluster. RedisURL tells which Redis, whatever it was configured by.

	RedisURL      Secret // REDIS_URL, or made of REDIS_HOST, REDIS_PORT and REDIS_PASSWORD; unset: one node
	RedisPrefix   string // REDIS_PREFIX
	RedisAdapter  string // REDIS_ADAPTER: classic or sharded
	RedisRequired bool   // REDIS_REQUIRED: without Redis the node is not healthy

	// The wire.

	CORSOrigins       []string      // WS_CORS_ORIGINS, in the form in which browsers send them; empty: WebSockets of every origin, and XHR of none in production, of localhost otherwise; *: every origin
	AddTrailingSlash  bool          // WS_ADD_TRAILING_SLASH; false: /socket.io is served too
	PingInterval      time.Duration // WS_PING_INTERVAL
	PingTimeout       time.Duration // WS_PING_TIMEOUT
	MaxHTTPBufferSize int           // WS_MAX_HTTP_BUFFER_SIZE, in bytes
	MaxAttachments    int           // WS_MAX_ATTACHMENTS of a packet, counted at each place that names one
	MaxArguments      int           // WS_MAX_ARGUMENTS of a packet
	MaxAnonymousBytes int           // WS_MAX_ANONYMOUS_BYTES; 0: no such bound
	ConnectTimeout    time.Duration // WS_CONNECT_TIMEOUT

	// Clients that do not take what is sent to them.

	MaxQueueBytes      int           // WS_MAX_QUEUE_BYTES: publishers wait for a client from then on
	MaxBacklogBytes    int           // WS_MAX_BACKLOG_BYTES: of one client
	MaxTotalQueueBytes int           // WS_MAX_TOTAL_QUEUE_BYTES: of all clients
	SlowTimeout        time.Duration // WS_SLOW_TIMEOUT

	// How many clients. 0: any number.

	MaxConnections           int // WS_MAX_CONNECTIONS
	MaxConnectionsPerAddress int // WS_MAX_CONNECTIONS_PER_ADDRESS
	MaxHandshakesPerAddress  int // WS_MAX_HANDSHAKES_PER_ADDRESS, in a second; five times as many at once
	MaxHandshakesPerSecond   int // WS_MAX_HANDSHAKES_PER_SECOND
	MaxSocketsPerUser        int // WS_MAX_SOCKETS_PER_USER
	MaxRoomsPerSocket        int // WS_MAX_ROOMS_PER_SOCKET

	// Whether the limits of an address were set, and are no defaults: then they
	// hold for loopback and private addresses and for trusted proxies, too.

	ConnectionsPerAddressSet bool
	HandshakesPerAddressSet  bool

	// Who may do what, and how often.

	AuthRequired bool          // WS_AUTH_REQUIRED: no connection without a token
	AuthTimeout  time.Duration // WS_AUTH_TIMEOUT
	TokenExpiry  string        // WS_TOKEN_EXPIRY: close or ignore
	RateLimit    int           // WS_RATE_LIMIT, in events per RateWindow; 0: none
	RateWindow   time.Duration // WS_RATE_WINDOW; 0: no limit
	PresenceMax  int           // WS_PRESENCE_MAX, in users of a room
	NotifyPolicy string        // WS_NOTIFY_POLICY: any or admin

	// Tokens. Several sources of keys may be set.

	JWTSecret         Secret // JWT_SECRET
	JWTSecretPrevious Secret // JWT_SECRET_PREVIOUS
	JWTPublicKey      Secret // JWT_PUBLIC_KEY, PEM or a path; see PublicKeyPEM
	JWTJWKSURL        Secret // JWT_JWKS_URL; it may hold a password
	JWTIssuer         string // JWT_ISSUER; empty: any
	JWTAudience       string // JWT_AUDIENCE; empty: any
	DevSecret         bool   // no source of keys: a secret is to be made for the run
}

// draft is a Config that is being read, with what RedisURL is made of.
type draft struct {
	Config
	redisHost     string
	redisPort     int
	redisPassword Secret
}

// validate checks what no setting can tell by itself, and completes c.
func (c *draft) validate() error {
	if !c.RedisURL.IsSet() && c.redisHost != "" {
		u := url.URL{Scheme: "redis", Host: net.JoinHostPort(c.redisHost, strconv.Itoa(c.redisPort))}
		if c.redisPassword.IsSet() {
			u.User = url.UserPassword("", c.redisPassword.Reveal())
		}
		c.RedisURL = NewSecret(u.String())
	}
	hasKey := c.JWTSecret.IsSet() || c.JWTPublicKey.IsSet() || c.JWTJWKSURL.IsSet()
	c.DevSecret = !hasKey && !c.Production
	switch {
	case !hasKey && c.Production:
		return errorf("JWT_SECRET is not set: NODE_ENV=production needs JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL")
	case c.JWTSecretPrevious.IsSet() && !c.JWTSecret.IsSet():
		return errorf("JWT_SECRET_PREVIOUS=%s: must be set together with JWT_SECRET", hidden)
	case c.RedisRequired && !c.RedisURL.IsSet():
		return errorf("REDIS_REQUIRED=true: must be set together with REDIS_HOST or REDIS_URL")
	}
	return nil
}

// Warnings returns what is allowed but ought to be known before it matters, a
// line each.
func (c Config) Warnings() []string {
	var lines []string
	if c.Production && len(c.CORSOrigins) == 0 {
		lines = append(lines, "WS_CORS_ORIGINS is not set: pages of every origin may connect")
	}
	for name, secret := range map[string]Secret{"JWT_SECRET": c.JWTSecret, "API_KEY": c.APIKey} {
		if n := len(secret.Reveal()); n > 0 && n < 32 {
			lines = append(lines, name+" is shorter than 32 bytes: it may be guessed")
		}
	}
	return lines
}

// PublicKeyPEM returns the text of JWT_PUBLIC_KEY, reading the file that it names
// unless it is PEM itself, or nil where it is unset. In PEM that came by an
// environment variable \n may stand for a line's end.
func (c Config) PublicKeyPEM() ([]byte, error) {
	value := c.JWTPublicKey.Reveal()
	switch {
	case value == "":
		return nil, nil
	case strings.Contains(value, pemMark):
		return []byte(strings.ReplaceAll(value, `\n`, "\n")), nil
	}
	pem, err := os.ReadFile(value)
	if err != nil { // its text may be a key that was put into the wrong place
		return nil, errorf("JWT_PUBLIC_KEY=%s: must be a key in PEM or the path of a readable file", hidden)
	}
	return pem, nil
}
