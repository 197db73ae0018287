package config

import "time"

// setting is one row of the table.
type setting struct {
	name     string // of the variable
	value    value
	fallback string // the default, "" = unset
	help     string // what it does; what its unset state means
}

// settings lists everything that can be set, in the order of --help. Parsing a
// value stores it in c.
func (c *draft) settings() []setting {
	const day = 24 * time.Hour // browsers' timers end at 24.8 days
	return []setting{
		{"HTTP_HOST", text(&c.HTTPHost), "", "address to listen on (unset: all)"},
		{"HTTP_PORT", number(&c.HTTPPort, 0, 65535), "3001", "port to listen on, 0 for a free one; PORT counts if this is not set"},
		{"TRUSTED_PROXIES", prefixes(&c.TrustedProxies), "", "addresses or networks whose X-Forwarded-For, -Host and -Proto are believed (unset: none)"},
		{"SHUTDOWN_TIMEOUT", millis(&c.ShutdownTimeout, 0, day), "8000", "how long a stop may take, clients being closed spread over it"},
		{"NODE_ENV", text(&c.Environment), "", "production: logs in JSON, XHR from listed origins only; unset, development or test: a secret is made for the run if there is no source of keys"},
		{"LOG_LEVEL", oneOf(&c.LogLevel, "trace", "debug", "info", "warn", "error"), "info", "least severity that is logged"},
		{"LOG_FORMAT", oneOf(&c.LogFormat, "json", "text"), "", "json: one object a line; text: for people, with colours on a terminal (unset: json in production, else text)"},
		{"API_KEY", secret(&c.APIKey), "", "key of the routes for backends (unset: these answer 404)"},

		{"REDIS_URL", redisURL(&c.RedisURL), "", "the cluster's Redis, instead of the next three"},
		{"REDIS_HOST", host(&c.redisHost), "", "the cluster's Redis (unset: one node, in memory)"},
		{"REDIS_PORT", number(&c.redisPort, 1, 65535), "6379", "its port"},
		{"REDIS_PASSWORD", secret(&c.redisPassword), "", "its password (unset: none)"},
		{"REDIS_PREFIX", prefix(&c.RedisPrefix), "socket.io", "start of all channels and keys"},
		{"REDIS_ADAPTER", oneOf(&c.RedisAdapter, "classic", "sharded"), "classic", "which of Node's adapters to speak with"},
		{"REDIS_REQUIRED", boolean(&c.RedisRequired), "false", "whether a node is unhealthy without Redis"},

		{"WS_CORS_ORIGINS", origins(&c.CORSOrigins), "", "origins whose pages may connect, * for all (unset: by WebSocket all, by XHR none in production and localhost otherwise)"},
		{"WS_ADD_TRAILING_SLASH", boolean(&c.AddTrailingSlash), "true", "false: /socket.io is served as /socket.io/ is, for clients whose addTrailingSlash is false"},
		{"WS_PING_INTERVAL", millis(&c.PingInterval, 100*time.Millisecond, day), "30000", "how often a client is pinged"},
		{"WS_PING_TIMEOUT", millis(&c.PingTimeout, 100*time.Millisecond, day), "60000", "how long a client may take to answer"},
		{"WS_MAX_HTTP_BUFFER_SIZE", size(&c.MaxHTTPBufferSize, 1, 1e9), "1e6", "greatest size of a message"},
		{"WS_MAX_ATTACHMENTS", number(&c.MaxAttachments, 1, 1e6), "10", "binary attachments that a message may have, each counted where it is named; clients have a limit too, 10"},
		{"WS_MAX_ARGUMENTS", number(&c.MaxArguments, 1, 1e9), "1000", "arguments that a message may have"},
		{"WS_MAX_ANONYMOUS_BYTES", size(&c.MaxAnonymousBytes, 0, 1e9), "65536", "bytes that are kept of what a client without a user sends, 0 for those of any other"},
		{"WS_MAX_QUEUE_BYTES", size(&c.MaxQueueBytes, 1, 1e9), "1048576", "bytes that may wait for a client before publishers wait for it"},
		{"WS_MAX_BACKLOG_BYTES", size(&c.MaxBacklogBytes, 1, 1e12), "67108864", "bytes that may wait for a client at all; with more it is disconnected"},
		{"WS_MAX_TOTAL_QUEUE_BYTES", size(&c.MaxTotalQueueBytes, 1, 1e12), "268435456", "bytes that may wait for all clients together"},
		{"WS_SLOW_TIMEOUT", millis(&c.SlowTimeout, 100*time.Millisecond, day), "10000", "how long a client may take nothing of what waits for it"},
		{"WS_CONNECT_TIMEOUT", millis(&c.ConnectTimeout, 100*time.Millisecond, day), "45000", "how long a client may be connected without a namespace"},

		{"WS_MAX_CONNECTIONS", number(&c.MaxConnections, 0, 1e9), "0", "clients that may be connected, 0 for any number"},
		{"WS_MAX_CONNECTIONS_PER_ADDRESS", number(&c.MaxConnectionsPerAddress, 0, 1e9), "1000", "those of one IP address or IPv6 /64, 0 for any number; unless set, not of loopback and private addresses and trusted proxies"},
		{"WS_MAX_HANDSHAKES_PER_ADDRESS", number(&c.MaxHandshakesPerAddress, 0, 1e9), "200", "clients that may connect in a second from one, after five times as many at once; likewise"},
		{"WS_MAX_HANDSHAKES_PER_SECOND", number(&c.MaxHandshakesPerSecond, 0, 1e9), "0", "clients that may connect in a second, 0 for any number"},
		{"WS_MAX_SOCKETS_PER_USER", number(&c.MaxSocketsPerUser, 0, 1e9), "0", "sockets that a user may have, 0 for any number"},
		{"WS_MAX_ROOMS_PER_SOCKET", number(&c.MaxRoomsPerSocket, 0, 1e9), "1000", "rooms that a socket may join, 0 for any number"},

		{"WS_AUTH_REQUIRED", boolean(&c.AuthRequired), "false", "whether a connection without a token is refused"},
		{"WS_AUTH_TIMEOUT", millis(&c.AuthTimeout, 100*time.Millisecond, day), "30000", "how long a client may stay unauthenticated"},
		{"WS_TOKEN_EXPIRY", oneOf(&c.TokenExpiry, "close", "ignore"), "close", "what becomes of a connection whose token expires"},
		{"WS_RATE_LIMIT", number(&c.RateLimit, 0, 1e9), "100", "events that a user may send in the window, 0 for any number"},
		{"WS_RATE_WINDOW", millis(&c.RateWindow, 0, day), "60000", "the window, 0 for no limit"},
		{"WS_PRESENCE_MAX", number(&c.PresenceMax, 0, 1e9), "1000", "users in a room from which on it has no user-joined and the like"},
		{"WS_NOTIFY_POLICY", oneOf(&c.NotifyPolicy, "any", "admin"), "any", "who may notify users"},

		{"JWT_SECRET", sharedSecret(&c.JWTSecret), "", "secret of tokens signed with HS256, HS384 or HS512"},
		{"JWT_SECRET_PREVIOUS", sharedSecret(&c.JWTSecretPrevious), "", "the secret before it, while rotating"},
		{"JWT_PUBLIC_KEY", publicKey(&c.JWTPublicKey), "", "public key of tokens signed with RS, PS, ES or EdDSA: PEM, or the path of a file"},
		{"JWT_JWKS_URL", webURL(&c.JWTJWKSURL), "", "where the issuer publishes its public keys"},
		{"JWT_ISSUER", text(&c.JWTIssuer), "", "claim iss that tokens must have (unset: any)"},
		{"JWT_AUDIENCE", text(&c.JWTAudience), "", "claim aud that tokens must have (unset: any)"},
	}
}
