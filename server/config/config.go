// Package config parses the flags and environment variables of the command puente into a
// validated Config.
//
// Each setting is a row of the table in settings.go, which defines its variable, its
// flag (--http-port for HTTP_PORT), its line of --help and the message about a bad
// value. A flag overrides its variable. An empty variable counts as unset.
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

// Config is the configuration of one node. [Parse], [FromEnv] and [Default] return valid
// ones; what a program changes afterwards is not checked. A Config may be copied and
// printed, and must not be changed once it is shared.
type Config struct {
	// The process and its HTTP server.

	HTTPHost        string         // HTTP_HOST; empty: all addresses
	HTTPPort        int            // HTTP_PORT; 0: any free port
	TrustedProxies  []netip.Prefix // TRUSTED_PROXIES: proxies whose X-Forwarded-For, -Host and -Proto are used
	ShutdownTimeout time.Duration  // SHUTDOWN_TIMEOUT
	Environment     string         // NODE_ENV
	LogLevel        string         // LOG_LEVEL: trace, debug, info, warn or error
	LogFormat       string         // LOG_FORMAT: json or text; default: json in production, else text
	APIKey          Secret         // API_KEY; unset: no routes for backends

	// The cluster.

	RedisURL      Secret // REDIS_URL, or built from REDIS_HOST, REDIS_PORT and REDIS_PASSWORD; unset: one node
	RedisPrefix   string // REDIS_PREFIX
	RedisAdapter  string // REDIS_ADAPTER: classic or sharded
	RedisRequired bool   // REDIS_REQUIRED: without Redis the node is unhealthy

	// The wire.

	// WS_CORS_ORIGINS, in the form that browsers send; "*": all. Empty: WebSocket from all
	// origins, XHR from none in production and from localhost otherwise.
	CORSOrigins       []string
	AddTrailingSlash  bool          // WS_ADD_TRAILING_SLASH; false: also serve /socket.io
	AllowProtocol3    bool          // WS_ALLOW_EIO3: also accept clients 1.x and 2.x
	PingInterval      time.Duration // WS_PING_INTERVAL
	PingTimeout       time.Duration // WS_PING_TIMEOUT
	MaxHTTPBufferSize int           // WS_MAX_HTTP_BUFFER_SIZE, in bytes
	MaxAttachments    int           // WS_MAX_ATTACHMENTS of a packet, counting each reference
	MaxArguments      int           // WS_MAX_ARGUMENTS of a packet
	MaxAnonymousBytes int           // WS_MAX_ANONYMOUS_BYTES; 0: as for other clients
	ConnectTimeout    time.Duration // WS_CONNECT_TIMEOUT

	// Compression of WebSocket messages.

	PerMessageDeflate          bool // WS_PER_MESSAGE_DEFLATE
	PerMessageDeflateThreshold int  // WS_PER_MESSAGE_DEFLATE_THRESHOLD, in bytes; 0: all messages
	PerMessageDeflateLevel     int  // WS_PER_MESSAGE_DEFLATE_LEVEL, from 1 to 9

	// Recovery of connections.

	Recovery         time.Duration // WS_RECOVERY: how long a client may be away; 0: no recovery
	RecoveryMaxBytes int           // WS_RECOVERY_MAX_BYTES of all events and sessions that are kept
	PresenceGrace    time.Duration // WS_PRESENCE_GRACE: how long users stay in rooms whose client is away

	// Slow clients.

	MaxQueueBytes      int           // WS_MAX_QUEUE_BYTES of a client; above it publishers wait
	MaxBacklogBytes    int           // WS_MAX_BACKLOG_BYTES of a client; above it the client is disconnected
	MaxTotalQueueBytes int           // WS_MAX_TOTAL_QUEUE_BYTES of all clients
	SlowTimeout        time.Duration // WS_SLOW_TIMEOUT

	// Limits of clients. 0: no limit.

	MaxConnections           int // WS_MAX_CONNECTIONS
	MaxConnectionsPerAddress int // WS_MAX_CONNECTIONS_PER_ADDRESS
	MaxHandshakesPerAddress  int // WS_MAX_HANDSHAKES_PER_ADDRESS per second, after a burst of five times as many
	MaxHandshakesPerSecond   int // WS_MAX_HANDSHAKES_PER_SECOND
	MaxSocketsPerUser        int // WS_MAX_SOCKETS_PER_USER
	MaxRoomsPerSocket        int // WS_MAX_ROOMS_PER_SOCKET

	// ConnectionsPerAddressSet says that WS_MAX_CONNECTIONS_PER_ADDRESS was set, even if to
	// the default. Then it also applies to loopback and private addresses and to trusted
	// proxies.
	ConnectionsPerAddressSet bool
	// HandshakesPerAddressSet says the same of WS_MAX_HANDSHAKES_PER_ADDRESS.
	HandshakesPerAddressSet bool

	// Permissions and rates.

	AuthRequired bool          // WS_AUTH_REQUIRED: refuse connections without a token
	AuthTimeout  time.Duration // WS_AUTH_TIMEOUT
	TokenExpiry  string        // WS_TOKEN_EXPIRY: close or ignore
	RateLimit    int           // WS_RATE_LIMIT, events per RateWindow; 0: no limit
	RateWindow   time.Duration // WS_RATE_WINDOW; 0: no limit
	PresenceMax  int           // WS_PRESENCE_MAX: room size above which join/leave events are not sent; 0: never sent
	NotifyPolicy string        // WS_NOTIFY_POLICY: any or admin

	// Tokens. Several sources of keys may be set.

	JWTSecret         Secret // JWT_SECRET
	JWTSecretPrevious Secret // JWT_SECRET_PREVIOUS
	JWTPublicKey      string // JWT_PUBLIC_KEY, PEM or a path; see PublicKeyPEM
	JWTJWKSURL        Secret // JWT_JWKS_URL, which may contain a password
	JWTIssuer         string // JWT_ISSUER; empty: any
	JWTAudience       string // JWT_AUDIENCE; empty: any

	// Notes are further warnings, such as those of [Misspelled], for Warnings to return.
	Notes []string

	contradictions []string
}

// draft is a Config that is being parsed, with the parts of RedisURL.
type draft struct {
	Config
	redisHost     string
	redisPort     int
	redisPassword Secret
}

// validate checks the settings that depend on each other and sets the fields that follow
// from them. given reports whether a setting has a flag or a variable.
func (c *draft) validate(given func(name string) bool) error {
	for _, name := range []string{"REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD"} {
		switch {
		case !given(name):
		case c.RedisURL.IsSet():
			c.contradict("%s is ignored: REDIS_URL takes precedence", name)
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
	if !c.PerMessageDeflate {
		for _, name := range []string{"WS_PER_MESSAGE_DEFLATE_THRESHOLD", "WS_PER_MESSAGE_DEFLATE_LEVEL"} {
			if given(name) {
				c.contradict("%s is ignored: WS_PER_MESSAGE_DEFLATE is not true", name)
			}
		}
	}
	if c.Recovery == 0 {
		for _, name := range []string{"WS_RECOVERY_MAX_BYTES", "WS_PRESENCE_GRACE"} {
			if given(name) {
				c.contradict("%s is ignored: WS_RECOVERY is not set", name)
			}
		}
	}
	if c.LogFormat == "" {
		c.LogFormat = "text"
		if c.Production() {
			c.LogFormat = "json"
		}
	}
	var wrong []error
	if !c.hasKey() && !c.development() {
		text := "JWT_SECRET is not set: NODE_ENV=%s needs JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL"
		if !c.Production() {
			text += "; only development and test can run without"
		}
		wrong = append(wrong, errorf(text, shortened(c.Environment)))
	}
	if c.RedisRequired && !c.RedisURL.IsSet() {
		wrong = append(wrong, errorf("REDIS_REQUIRED=true: needs REDIS_URL or REDIS_HOST"))
	}
	return errors.Join(wrong...)
}

// Production reports whether NODE_ENV is production.
func (c Config) Production() bool { return c.Environment == "production" }

// NeedsSecret reports whether the node must generate a secret for its run, because
// NODE_ENV means development and no key is set.
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

// Warnings returns a line for each setting that is allowed but probably a mistake.
func (c Config) Warnings() []string {
	lines := slices.Concat(c.Notes, c.contradictions)
	if !c.Production() && !c.development() {
		lines = append(lines, fmt.Sprintf("NODE_ENV=%q is not production, development or test; logs and CORS follow development", shortened(c.Environment)))
	}
	if c.Production() && len(c.CORSOrigins) == 0 {
		lines = append(lines, "WS_CORS_ORIGINS is not set: pages of every origin may connect by WebSocket, and none by XHR")
	}
	for _, s := range []struct {
		name   string
		secret Secret
	}{{"JWT_SECRET", c.JWTSecret}, {"API_KEY", c.APIKey}} {
		if n := len(s.secret.Reveal()); n > 0 && n < 32 {
			lines = append(lines, s.name+" is shorter than 32 bytes and may be guessed")
		}
	}
	return lines
}

// PublicKeyPEM returns the PEM text of JWT_PUBLIC_KEY, from the file that it names unless
// it is PEM itself; nil if it is unset. PEM in a variable may have \n for line breaks.
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
		return nil, errorf("JWT_PUBLIC_KEY=%q: must be a public key in PEM or the path of a file: %v", shortened(value), err)
	}
	return pem, nil
}
