// Package config reads the flags and environment variables of the command puente
// into a validated Config.
//
// Every setting has one row in the table of settings.go, from which follow
// its variable, its flag (HTTP_PORT is --http-port), its line of --help and the
// message about a bad value. A flag outweighs its variable; a variable that is set
// to nothing is unset.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config is how one node runs. [Parse], [FromEnv] and [Default] return valid ones; what
// a program changes afterwards is not checked. A Config may be copied and printed, and
// must not be changed once it is shared.
type Config struct {
	// Listening, and being stopped.

	HTTPHost        string         // HTTP_HOST; empty: all addresses
	HTTPPort        int            // HTTP_PORT; 0: a free one
	TrustedProxies  []netip.Prefix // TRUSTED_PROXIES: whose X-Forwarded-For, -Host and -Proto are believed
	ShutdownTimeout time.Duration  // SHUTDOWN_TIMEOUT
	Environment     string         // NODE_ENV
	LogLevel        string         // LOG_LEVEL: trace, debug, info, warn or error
	LogFormat       string         // LOG_FORMAT: json or text; where it is unset, what the environment asks for
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
	JWTPublicKey      string // JWT_PUBLIC_KEY, PEM or a path; see PublicKeyPEM
	JWTJWKSURL        Secret // JWT_JWKS_URL; it may hold a password
	JWTIssuer         string // JWT_ISSUER; empty: any
	JWTAudience       string // JWT_AUDIENCE; empty: any

	// Notes are warnings that come from outside of the settings, such as those of
	// [Misspelled]; Warnings returns them too.
	Notes []string

	contradictions []string
}

// draft is a Config that is being read, with what RedisURL is made of.
type draft struct {
	Config
	redisHost     string
	redisPort     int
	redisPassword Secret
}

// validate checks what no setting can tell by itself, and completes c. given reports
// whether a setting was given.
func (c *draft) validate(given func(name string) bool) error {
	for _, name := range []string{"REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD"} {
		switch {
		case !given(name):
		case c.RedisURL.IsSet():
			c.contradict("%s is ignored: REDIS_URL is set, and outweighs it", name)
		case c.redisHost == "":
			c.contradict("%s is ignored: REDIS_HOST is not set", name)
		}
	}
	if !c.RedisURL.IsSet() && c.redisHost != "" {
		u := url.URL{Scheme: "redis", Host: net.JoinHostPort(c.redisHost, strconv.Itoa(c.redisPort))}
		if c.redisPassword.IsSet() {
			u.User = url.UserPassword("", c.redisPassword.Reveal())
		}
		c.RedisURL = NewSecret(u.String())
	}
	if c.JWTSecretPrevious.IsSet() && !c.JWTSecret.IsSet() {
		c.contradict("JWT_SECRET_PREVIOUS is ignored: JWT_SECRET is not set")
		c.JWTSecretPrevious = Secret{}
	}
	if c.MaxQueueBytes > c.MaxBacklogBytes {
		c.contradict("WS_MAX_QUEUE_BYTES is more than WS_MAX_BACKLOG_BYTES: clients are disconnected before publishers wait for them")
	}
	if c.LogFormat == "" {
		c.LogFormat = "text"
		if c.Production() {
			c.LogFormat = "json"
		}
	}
	var wrong []error
	if !c.hasKey() && !c.development() {
		wrong = append(wrong, errorf("JWT_SECRET is not set: NODE_ENV=%s needs JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL", clip(c.Environment)))
	}
	if c.RedisRequired && !c.RedisURL.IsSet() {
		wrong = append(wrong, errorf("REDIS_REQUIRED=true: must be set together with REDIS_HOST or REDIS_URL"))
	}
	return errors.Join(wrong...)
}

// Production reports whether NODE_ENV is production.
func (c Config) Production() bool { return c.Environment == "production" }

// NeedsSecret reports whether the node must generate a secret for its run: it is one in
// development, without a source of keys.
func (c Config) NeedsSecret() bool { return c.development() && !c.hasKey() }

func (c Config) hasKey() bool {
	return c.JWTSecret.IsSet() || c.JWTPublicKey != "" || c.JWTJWKSURL.IsSet()
}

// development reports whether NODE_ENV means development.
func (c Config) development() bool {
	return slices.Contains([]string{"", "development", "test"}, c.Environment)
}

func (c *draft) contradict(format string, args ...any) {
	c.contradictions = append(c.contradictions, fmt.Sprintf(format, args...))
}

// Warnings returns what is allowed but ought to be known before it matters, a
// line each.
func (c Config) Warnings() []string {
	lines := slices.Concat(c.Notes, c.contradictions)
	if !c.Production() && !c.development() {
		lines = append(lines, fmt.Sprintf("NODE_ENV=%q is none of production, development and test: logs and CORS are those of development", clip(c.Environment)))
	}
	if c.Production() && len(c.CORSOrigins) == 0 {
		lines = append(lines, "WS_CORS_ORIGINS is not set: pages of every origin may connect")
	}
	for _, s := range []struct {
		name   string
		secret Secret
	}{{"JWT_SECRET", c.JWTSecret}, {"API_KEY", c.APIKey}} {
		if n := len(s.secret.Reveal()); n > 0 && n < 32 {
			lines = append(lines, s.name+" is shorter than 32 bytes: it may be guessed")
		}
	}
	return lines
}

// PublicKeyPEM returns the text of JWT_PUBLIC_KEY, reading the file that it names
// unless it is PEM itself, or nil where it is unset. In PEM that came by an
// environment variable \n may stand for a line's end.
func (c Config) PublicKeyPEM() ([]byte, error) {
	value := c.JWTPublicKey
	switch {
	case value == "":
		return nil, nil
	case strings.Contains(value, pemMark):
		return []byte(strings.ReplaceAll(value, `\n`, "\n")), nil
	}
	pem, err := os.ReadFile(value)
	if err != nil {
		var failed *fs.PathError
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, errorf("JWT_PUBLIC_KEY=%q: must be a public key in PEM or the path of a file: %v", clip(value), err)
	}
	return pem, nil
}
