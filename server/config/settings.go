package config

import "time"

// setting is one row of the table.
type setting struct {
	name     string // of the variable
	value    value
	fallback string // the default; "" if it is unset by default
	help     string // what it does, and what happens if it is unset
}

// settings returns all settings in the order of --help. Setting a value stores it in c.
func (c *draft) settings() []setting {
	const day = 24 * time.Hour // browsers' timers end at 24.8 days
	return []setting{
		{"HTTP_HOST", text(&c.HTTPHost), "", "address to listen on (unset: all)"},
		{"HTTP_PORT", number(&c.HTTPPort, 0, 65535), "3001", "port to listen on, 0 for any free one; PORT is used if HTTP_PORT is not set"},
		{"TRUSTED_PROXIES", prefixes(&c.TrustedProxies), "", "addresses or networks of proxies whose X-Forwarded-For, -Host and -Proto are used (unset: none)"},
		{"SHUTDOWN_TIMEOUT", millis(&c.ShutdownTimeout, 0, day), "8000", "maximum time to stop; clients are closed one by one during its first half"},
		{"NODE_ENV", text(&c.Environment), "", "production: JSON logs, XHR only from listed origins, needs a JWT key; unset, development or test: generates a secret if no key is set; any other value: as development, but warns and needs a key"},
		{"LOG_LEVEL", oneOf(&c.LogLevel, "trace", "debug", "info", "warn", "error"), "info", "minimum severity of log lines"},
		{"LOG_FORMAT", oneOf(&c.LogFormat, "json", "text"), "", "json: one object per line; text: readable, coloured on a terminal (unset: json in production, else text)"},
		{"API_KEY", secret(&c.APIKey), "", "key of the HTTP API for backends (unset: its routes answer 404)"},

		{"REDIS_URL", redisURL(&c.RedisURL), "", "Redis of the cluster; overrides REDIS_HOST, REDIS_PORT and REDIS_PASSWORD"},
		{"REDIS_HOST", host(&c.redisHost), "", "Redis of the cluster (unset: one node, in memory)"},
		{"REDIS_PORT", number(&c.redisPort, 1, 65535), "6379", "port of REDIS_HOST"},
		{"REDIS_PASSWORD", secret(&c.redisPassword), "", "password of REDIS_HOST (unset: none)"},
		{"REDIS_PREFIX", prefix(&c.RedisPrefix), "socket.io", "prefix of all channels"},
		{"REDIS_ADAPTER", oneOf(&c.RedisAdapter, "classic", "sharded"), "classic", "Redis adapter of Node to be compatible with; sharded needs Redis 7"},
		{"REDIS_REQUIRED", boolean(&c.RedisRequired), "false", "report the node as unhealthy, not only degraded, while it is cut off from Redis or catches up with other nodes"},

		{"WS_CORS_ORIGINS", origins(&c.CORSOrigins), "", "origins whose pages may connect, * for all (unset: WebSocket from all; XHR from none in production, else from localhost)"},
		{"WS_ADD_TRAILING_SLASH", boolean(&c.AddTrailingSlash), "true", "false: also serve /socket.io, for clients with addTrailingSlash: false"},
		{"WS_ALLOW_EIO3", boolean(&c.AllowProtocol3), "false", "also accept socket.io-client 1.x and 2.x (Engine.IO protocol 3), with their token in the query"},
		{"WS_PING_INTERVAL", millis(&c.PingInterval, 100*time.Millisecond, day), "30000", "time between pings to a client"},
		{"WS_PING_TIMEOUT", millis(&c.PingTimeout, 100*time.Millisecond, day), "60000", "time for a client to answer a ping"},
		{"WS_PER_MESSAGE_DEFLATE", boolean(&c.PerMessageDeflate), "false", "compress WebSocket messages, in both directions, for clients that offer permessage-deflate"},
		{"WS_PER_MESSAGE_DEFLATE_THRESHOLD", size(&c.PerMessageDeflateThreshold, 0, 1e9), "1024", "size from which messages are compressed (0: all)"},
		{"WS_PER_MESSAGE_DEFLATE_LEVEL", number(&c.PerMessageDeflateLevel, 1, 9), "1", "1: fastest, 9: smallest"},
		{"WS_RECOVERY", millis(&c.Recovery, 0, day), "0", "time for which a client that lost its connection may come back and gets what it missed (0: none)"},
		{"WS_RECOVERY_MAX_BYTES", size(&c.RecoveryMaxBytes, 1, 1e12), "67108864", "maximum bytes kept for such clients"},
		{"WS_PRESENCE_GRACE", millis(&c.PresenceGrace, 0, day), "3000", "with WS_RECOVERY: time until a user whose last client lost its connection leaves its rooms"},
		{"WS_MAX_HTTP_BUFFER_SIZE", size(&c.MaxHTTPBufferSize, 1, 1e9), "1e6", "maximum size of a message"},
		{"WS_MAX_ATTACHMENTS", number(&c.MaxAttachments, 1, 1e6), "10", "maximum binary attachments of a message, counting each reference; current official clients accept 10"},
		{"WS_MAX_ARGUMENTS", number(&c.MaxArguments, 1, 1e9), "1000", "maximum arguments of a message"},
		{"WS_MAX_ANONYMOUS_BYTES", size(&c.MaxAnonymousBytes, 0, 1e9), "65536", "maximum bytes kept for a client without a user, of what it sends and of what it has not read (0: as for other clients)"},
		{"WS_MAX_QUEUE_BYTES", size(&c.MaxQueueBytes, 1, 1e9), "1048576", "bytes queued for a client above which publishers wait for it"},
		{"WS_MAX_BACKLOG_BYTES", size(&c.MaxBacklogBytes, 1, 1e12), "67108864", "bytes queued for a client above which it is disconnected"},
		{"WS_MAX_TOTAL_QUEUE_BYTES", size(&c.MaxTotalQueueBytes, 1, 1e12), "268435456", "bytes queued for all clients together above which publishers wait"},
		{"WS_SLOW_TIMEOUT", millis(&c.SlowTimeout, 100*time.Millisecond, day), "10000", "maximum time that a client may read nothing while messages are queued for it"},
		{"WS_CONNECT_TIMEOUT", millis(&c.ConnectTimeout, 100*time.Millisecond, day), "45000", "maximum time that a client may be connected without a namespace"},

		{"WS_MAX_CONNECTIONS", number(&c.MaxConnections, 0, 1e9), "0", "maximum connected clients (0: no limit)"},
		{"WS_MAX_CONNECTIONS_PER_ADDRESS", number(&c.MaxConnectionsPerAddress, 0, 1e9), "1000", "maximum clients per IPv4 address or IPv6 /64 (0: no limit); the default exempts loopback and private addresses and trusted proxies"},
		{"WS_MAX_HANDSHAKES_PER_ADDRESS", number(&c.MaxHandshakesPerAddress, 0, 1e9), "200", "maximum new clients per second and address, after a burst of five times as many (0: no limit); same exemptions"},
		{"WS_MAX_HANDSHAKES_PER_SECOND", number(&c.MaxHandshakesPerSecond, 0, 1e9), "0", "maximum new clients per second (0: no limit)"},
		{"WS_MAX_SOCKETS_PER_USER", number(&c.MaxSocketsPerUser, 0, 1e9), "0", "maximum sockets of a user on a node (0: no limit)"},
		{"WS_MAX_ROOMS_PER_SOCKET", number(&c.MaxRoomsPerSocket, 0, 1e9), "1000", "maximum rooms that a socket may join (0: no limit)"},

		{"WS_AUTH_REQUIRED", boolean(&c.AuthRequired), "false", "refuse connections without a token"},
		{"WS_AUTH_TIMEOUT", millis(&c.AuthTimeout, 100*time.Millisecond, day), "30000", "time for a client without a token to authenticate"},
		{"WS_TOKEN_EXPIRY", oneOf(&c.TokenExpiry, "close", "ignore"), "close", "close: close a connection when its token expires; ignore: check tokens only when clients connect"},
		{"WS_RATE_LIMIT", number(&c.RateLimit, 0, 1e9), "100", "maximum events of a user on a node in a window (0: no limit)"},
		{"WS_RATE_WINDOW", millis(&c.RateWindow, 0, day), "60000", "length of the window (0: no limit)"},
		{"WS_PRESENCE_MAX", number(&c.PresenceMax, 0, 1e9), "1000", "room size above which join/leave events are not sent (0: never sent)"},
		{"WS_NOTIFY_POLICY", oneOf(&c.NotifyPolicy, "any", "admin"), "any", "who may notify users: anyone, or users with the role admin"},

		{"JWT_SECRET", sharedSecret(&c.JWTSecret), "", "shared secret of tokens signed with HS256, HS384 or HS512"},
		{"JWT_SECRET_PREVIOUS", sharedSecret(&c.JWTSecretPrevious), "", "previous secret, also accepted during a rotation"},
		{"JWT_PUBLIC_KEY", publicKey(&c.JWTPublicKey), "", "public key of tokens signed with RS, PS, ES or EdDSA: PEM text or path of a file"},
		{"JWT_JWKS_URL", webURL(&c.JWTJWKSURL), "", "URL of the issuer's public keys"},
		{"JWT_ISSUER", text(&c.JWTIssuer), "", "required claim iss (unset: any)"},
		{"JWT_AUDIENCE", text(&c.JWTAudience), "", "required claim aud (unset: any)"},
	}
}
