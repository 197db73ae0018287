package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/server/config"
)

type env map[string]string

func (e env) get(name string) string { return e[name] }

// must parses what has to be valid.
func must(t *testing.T, e env, args ...string) config.Config {
	t.Helper()
	cmd, err := config.Parse(args, e.get, io.Discard)
	if err != nil || cmd.Action != config.Serve {
		t.Fatalf("Parse(%q, %v) = action %v, %v", args, e, cmd.Action, err)
	}
	return cmd.Config
}

func TestDefaults(t *testing.T) {
	want := config.Config{
		HTTPPort: 3001, ShutdownTimeout: 8 * time.Second, LogLevel: "info", LogFormat: "text",
		RedisPrefix: "socket.io", RedisAdapter: "classic", AddTrailingSlash: true,
		PingInterval: 30 * time.Second, PingTimeout: time.Minute, MaxHTTPBufferSize: 1_000_000, PerMessageDeflateThreshold: 1024, PerMessageDeflateLevel: 1,
		MaxAttachments: 10, MaxArguments: 1000, MaxAnonymousBytes: 65536, MaxQueueBytes: 1 << 20, MaxBacklogBytes: 64 << 20, MaxTotalQueueBytes: 256 << 20, SlowTimeout: 10 * time.Second, ConnectTimeout: 45 * time.Second, MaxRoomsPerSocket: 1000,
		MaxConnectionsPerAddress: 1000, MaxHandshakesPerAddress: 200,
		RecoveryMaxBytes: 64 << 20, PresenceGrace: 3 * time.Second,
		AuthTimeout: 30 * time.Second, TokenExpiry: "close", RateLimit: 100, RateWindow: time.Minute, PresenceMax: 1000, NotifyPolicy: "any",
	}
	if got := must(t, nil); !reflect.DeepEqual(got, want) {
		t.Errorf("Parse() =\n%+v, want\n%+v", got, want)
	}
	empty := env{"HTTP_PORT": "", "WS_CORS_ORIGINS": "", "JWT_SECRET": "", "REDIS_HOST": ""}
	if got := must(t, empty); !reflect.DeepEqual(got, want) {
		t.Errorf("empty variables are not unset: %+v", got)
	}
}

// TestDocumentedExample is the .env file of the document.
func TestDocumentedExample(t *testing.T) {
	c := must(t, env{
		"REDIS_HOST": "localhost", "REDIS_PORT": "6379", "REDIS_PASSWORD": "your_password",
		"WS_CORS_ORIGINS": "http://localhost:3000,https://example.com", "WS_PING_INTERVAL": "30000", "WS_PING_TIMEOUT": "60000",
		"WS_MAX_HTTP_BUFFER_SIZE": "1e6", "HTTP_PORT": "3001", "NODE_ENV": "production", "JWT_SECRET": "s3cret",
	})
	if got := c.RedisURL.Reveal(); got != "redis://:your_password@localhost:6379" {
		t.Errorf("RedisURL = %q", got)
	}
	if !slices.Equal(c.CORSOrigins, []string{"http://localhost:3000", "https://example.com"}) {
		t.Errorf("CORSOrigins = %q", c.CORSOrigins)
	}
	if !c.Production() || c.NeedsSecret() || c.MaxHTTPBufferSize != 1e6 || c.JWTSecret.Reveal() != "s3cret" {
		t.Errorf("Config = %+v", c)
	}
}

// TestEachSetting sets every variable, by the environment and by its flag, and looks
// at the one field that must change.
func TestEachSetting(t *testing.T) {
	prefix := netip.MustParsePrefix
	settings := []struct {
		name, value string
		get         func(config.Config) any
		want        any
	}{
		{"HTTP_HOST", "127.0.0.1", func(c config.Config) any { return c.HTTPHost }, "127.0.0.1"},
		{"HTTP_PORT", "0", func(c config.Config) any { return c.HTTPPort }, 0},
		{"TRUSTED_PROXIES", "10.1.2.3/8, ::1,192.0.2.7", func(c config.Config) any { return c.TrustedProxies }, []netip.Prefix{prefix("10.0.0.0/8"), prefix("::1/128"), prefix("192.0.2.7/32")}},
		{"SHUTDOWN_TIMEOUT", "0", func(c config.Config) any { return c.ShutdownTimeout }, time.Duration(0)},
		{"HTTP_PORT", "8080", func(c config.Config) any { return c.HTTPPort }, 8080},
		{"NODE_ENV", "test", func(c config.Config) any { return c.Environment }, "test"},
		{"LOG_FORMAT", "json", func(c config.Config) any { return c.LogFormat }, "json"},
		{"LOG_LEVEL", "debug", func(c config.Config) any { return c.LogLevel }, "debug"},
		{"API_KEY", " k ", func(c config.Config) any { return c.APIKey.Reveal() }, " k "},
		{"REDIS_URL", "rediss://u:p@h:1/2", func(c config.Config) any { return c.RedisURL.Reveal() }, "rediss://u:p@h:1/2"},
		{"REDIS_HOST", "::1", func(c config.Config) any { return c.RedisURL.Reveal() }, "redis://[::1]:6379"},
		{"REDIS_PREFIX", "shop", func(c config.Config) any { return c.RedisPrefix }, "shop"},
		{"REDIS_ADAPTER", "sharded", func(c config.Config) any { return c.RedisAdapter }, "sharded"},
		{"WS_CORS_ORIGINS", "https://A.example:443 , http://b.example:80,http://c:8080,", func(c config.Config) any { return c.CORSOrigins }, []string{"https://a.example", "http://b.example", "http://c:8080"}},
		{"WS_CORS_ORIGINS", "*", func(c config.Config) any { return c.CORSOrigins }, []string{"*"}},
		{"WS_PING_INTERVAL", "25e3", func(c config.Config) any { return c.PingInterval }, 25 * time.Second},
		{"WS_PING_TIMEOUT", "20s", func(c config.Config) any { return c.PingTimeout }, 20 * time.Second},
		{"WS_MAX_HTTP_BUFFER_SIZE", "1E5", func(c config.Config) any { return c.MaxHTTPBufferSize }, 100_000},
		{"WS_MAX_HTTP_BUFFER_SIZE", "1MB", func(c config.Config) any { return c.MaxHTTPBufferSize }, 1_000_000},
		{"WS_MAX_HTTP_BUFFER_SIZE", "1MiB", func(c config.Config) any { return c.MaxHTTPBufferSize }, 1 << 20},
		{"WS_MAX_HTTP_BUFFER_SIZE", "0.5 GB", func(c config.Config) any { return c.MaxHTTPBufferSize }, 500_000_000},
		{"WS_MAX_TOTAL_QUEUE_BYTES", "2GiB", func(c config.Config) any { return c.MaxTotalQueueBytes }, 2 << 30},
		{"WS_MAX_QUEUE_BYTES", "64KiB", func(c config.Config) any { return c.MaxQueueBytes }, 65536},
		{"WS_MAX_QUEUE_BYTES", "64kB", func(c config.Config) any { return c.MaxQueueBytes }, 64000},
		{"WS_MAX_QUEUE_BYTES", "512B", func(c config.Config) any { return c.MaxQueueBytes }, 512},
		{"WS_PER_MESSAGE_DEFLATE", "true", func(c config.Config) any { return c.PerMessageDeflate }, true},
		{"WS_PER_MESSAGE_DEFLATE_THRESHOLD", "4KiB", func(c config.Config) any { return c.PerMessageDeflateThreshold }, 4096},
		{"WS_PER_MESSAGE_DEFLATE_THRESHOLD", "0", func(c config.Config) any { return c.PerMessageDeflateThreshold }, 0},
		{"WS_PER_MESSAGE_DEFLATE_LEVEL", "9", func(c config.Config) any { return c.PerMessageDeflateLevel }, 9},
		{"WS_AUTH_TIMEOUT", "1d", func(c config.Config) any { return c.AuthTimeout }, 24 * time.Hour},
		{"WS_RATE_WINDOW", "0.5d1h", func(c config.Config) any { return c.RateWindow }, 13 * time.Hour},
		{"WS_MAX_ATTACHMENTS", "20", func(c config.Config) any { return c.MaxAttachments }, 20},
		{"WS_MAX_ARGUMENTS", "20", func(c config.Config) any { return c.MaxArguments }, 20},
		{"WS_MAX_QUEUE_BYTES", "65536", func(c config.Config) any { return c.MaxQueueBytes }, 65536},
		{"WS_MAX_BACKLOG_BYTES", "1e6", func(c config.Config) any { return c.MaxBacklogBytes }, 1_000_000},
		{"WS_MAX_TOTAL_QUEUE_BYTES", "2e9", func(c config.Config) any { return c.MaxTotalQueueBytes }, 2_000_000_000},
		{"WS_SLOW_TIMEOUT", "500", func(c config.Config) any { return c.SlowTimeout }, 500 * time.Millisecond},
		{"WS_MAX_ANONYMOUS_BYTES", "0", func(c config.Config) any { return c.MaxAnonymousBytes }, 0},
		{"WS_CONNECT_TIMEOUT", "5s", func(c config.Config) any { return c.ConnectTimeout }, 5 * time.Second},
		{"WS_MAX_CONNECTIONS", "1e5", func(c config.Config) any { return c.MaxConnections }, 100_000},
		{"WS_MAX_CONNECTIONS_PER_ADDRESS", "50", func(c config.Config) any { return c.MaxConnectionsPerAddress }, 50},
		{"WS_MAX_HANDSHAKES_PER_ADDRESS", "50", func(c config.Config) any { return c.MaxHandshakesPerAddress }, 50},
		{"WS_MAX_HANDSHAKES_PER_SECOND", "500", func(c config.Config) any { return c.MaxHandshakesPerSecond }, 500},
		{"WS_MAX_SOCKETS_PER_USER", "20", func(c config.Config) any { return c.MaxSocketsPerUser }, 20},
		{"WS_MAX_ROOMS_PER_SOCKET", "7", func(c config.Config) any { return c.MaxRoomsPerSocket }, 7},
		{"WS_AUTH_REQUIRED", "TRUE", func(c config.Config) any { return c.AuthRequired }, true},
		{"WS_AUTH_TIMEOUT", "1000", func(c config.Config) any { return c.AuthTimeout }, time.Second},
		{"WS_RATE_LIMIT", "0", func(c config.Config) any { return c.RateLimit }, 0},
		{"WS_RATE_WINDOW", "500", func(c config.Config) any { return c.RateWindow }, 500 * time.Millisecond},
		{"WS_PRESENCE_MAX", "2", func(c config.Config) any { return c.PresenceMax }, 2},
		{"WS_TOKEN_EXPIRY", "ignore", func(c config.Config) any { return c.TokenExpiry }, "ignore"},
		{"WS_NOTIFY_POLICY", "admin", func(c config.Config) any { return c.NotifyPolicy }, "admin"},
		{"JWT_SECRET", "s", func(c config.Config) any { return c.JWTSecret.Reveal() }, "s"},
		{"JWT_PUBLIC_KEY", "key.pem", func(c config.Config) any { return c.JWTPublicKey }, "key.pem"},
		{"JWT_JWKS_URL", "https://issuer.example/jwks", func(c config.Config) any { return c.JWTJWKSURL.Reveal() }, "https://issuer.example/jwks"},
		{"JWT_ISSUER", " shop ", func(c config.Config) any { return c.JWTIssuer }, "shop"},
		{"JWT_AUDIENCE", "puente", func(c config.Config) any { return c.JWTAudience }, "puente"},
	}
	for _, tt := range settings {
		flag := "--" + strings.ToLower(strings.ReplaceAll(tt.name, "_", "-"))
		for how, c := range map[string]config.Config{
			"variable":           must(t, env{tt.name: tt.value}),
			"flag":               must(t, nil, flag+"="+tt.value),
			"flag over variable": must(t, env{tt.name: "\x00 bad"}, flag+"="+tt.value),
		} {
			if got := tt.get(c); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s by %s: %v, want %v", tt.name, how, got, tt.want)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	const leak = "hunter2"
	for _, tt := range []struct {
		env  env
		args []string
		want string
	}{
		{env{"HTTP_PORT": "65536"}, nil, `HTTP_PORT="65536": must be a whole number from 0 to 65535`},
		{env{"HTTP_PORT": "http"}, nil, `HTTP_PORT="http": must be a whole number from 0 to 65535`},
		{nil, []string{"--http-port="}, `HTTP_PORT (--http-port)="": must be a whole number from 0 to 65535`},
		{nil, []string{"--http-port", "-1"}, `HTTP_PORT (--http-port)="-1": must be a whole number from 0 to 65535`},
		{env{"WS_PING_INTERVAL": "30 s"}, nil, `WS_PING_INTERVAL="30 s": must be a whole number of milliseconds from 100 to 86400000, or a duration such as 30s, 5m or 1d`},
		{env{"WS_PING_INTERVAL": "0"}, nil, `WS_PING_INTERVAL="0": must be a whole number of milliseconds from 100 to 86400000, or a duration such as 30s, 5m or 1d`},
		{env{"WS_RATE_WINDOW": "-1s"}, nil, `WS_RATE_WINDOW="-1s": must be a whole number of milliseconds from 0 to 86400000, or a duration such as 30s, 5m or 1d`},
		{env{"WS_RATE_WINDOW": "1e300"}, nil, `WS_RATE_WINDOW="1e300": must be a whole number of milliseconds from 0 to 86400000, or a duration such as 30s, 5m or 1d`},
		{env{"WS_MAX_HTTP_BUFFER_SIZE": "1e10"}, nil, `WS_MAX_HTTP_BUFFER_SIZE="1e10": must be a size from 1 to 1000000000 bytes, such as 65536, 64KiB or 1MB`},
		{env{"WS_MAX_HTTP_BUFFER_SIZE": "0x10"}, nil, `WS_MAX_HTTP_BUFFER_SIZE="0x10": must be a size from 1 to 1000000000 bytes, such as 65536, 64KiB or 1MB`},
		{env{"WS_MAX_HTTP_BUFFER_SIZE": "1.5"}, nil, `WS_MAX_HTTP_BUFFER_SIZE="1.5": must be a size from 1 to 1000000000 bytes, such as 65536, 64KiB or 1MB`},
		{env{"WS_MAX_HTTP_BUFFER_SIZE": "1Mb"}, nil, `WS_MAX_HTTP_BUFFER_SIZE="1Mb": must be a size from 1 to 1000000000 bytes, such as 65536, 64KiB or 1MB`},
		{env{"WS_MAX_HTTP_BUFFER_SIZE": "0.0001KB"}, nil, `WS_MAX_HTTP_BUFFER_SIZE="0.0001KB": must be a size from 1 to 1000000000 bytes, such as 65536, 64KiB or 1MB`},
		{env{"WS_PING_INTERVAL": "2d"}, nil, `WS_PING_INTERVAL="2d": must be a whole number of milliseconds from 100 to 86400000, or a duration such as 30s, 5m or 1d`},
		{env{"WS_PING_INTERVAL": "1d-23h"}, nil, `WS_PING_INTERVAL="1d-23h": must be a whole number of milliseconds from 100 to 86400000, or a duration such as 30s, 5m or 1d`},
		{env{"PORT": "http"}, nil, `PORT="http": must be a whole number from 0 to 65535`},
		{env{"LOG_FORMAT": "xml"}, nil, `LOG_FORMAT="xml": must be json or text`},
		{env{"WS_RATE_LIMIT": "NaN"}, nil, `WS_RATE_LIMIT="NaN": must be a whole number from 0 to 1000000000`},
		{env{"WS_RATE_LIMIT": "1\n2"}, nil, `WS_RATE_LIMIT="1\n2": must be a whole number from 0 to 1000000000`},
		{env{"WS_RATE_LIMIT": strings.Repeat("9", 100)}, nil, `WS_RATE_LIMIT="` + strings.Repeat("9", 80) + `…": must be a whole number from 0 to 1000000000`},
		{env{"WS_AUTH_REQUIRED": "si"}, nil, `WS_AUTH_REQUIRED="si": must be true or false`},
		{env{"WS_TOKEN_EXPIRY": "disconnect"}, nil, `WS_TOKEN_EXPIRY="disconnect": must be close or ignore`},
		{env{"WS_NOTIFY_POLICY": "Admin"}, nil, `WS_NOTIFY_POLICY="Admin": must be any or admin`},
		{env{"LOG_LEVEL": "loud"}, nil, `LOG_LEVEL="loud": must be trace, debug, info, warn or error`},
		{env{"REDIS_PREFIX": "a*"}, nil, `REDIS_PREFIX="a*": must be a string without blanks, *, ?, [, ] and \`},
		{env{"REDIS_HOST": "redis:6379"}, nil, `REDIS_HOST="redis:6379": must be a host name or an IP address, without a port`},
		{env{"REDIS_PORT": "tcp://10.0.0.1:6379"}, nil, `REDIS_PORT="tcp://10.0.0.1:6379": must be a whole number from 1 to 65535`},
		{env{"REDIS_URL": "http://u:" + leak + "@h"}, nil, `REDIS_URL=[hidden]: must be a URL such as rediss://user:password@host:6379/0`},
		{env{"WS_CORS_ORIGINS": "https://a.example/"}, nil, `WS_CORS_ORIGINS="https://a.example/": must be origins such as https://example.com, without a path, separated by commas, or *`},
		{env{"WS_CORS_ORIGINS": "a.example"}, nil, `WS_CORS_ORIGINS="a.example": must be origins such as https://example.com, without a path, separated by commas, or *`},
		{env{"WS_CORS_ORIGINS": "https://*.example"}, nil, `WS_CORS_ORIGINS="https://*.example": must be origins such as https://example.com, without a path, separated by commas, or *`},
		{env{"WS_CORS_ORIGINS": " , "}, nil, `WS_CORS_ORIGINS=",": must be origins such as https://example.com, without a path, separated by commas, or *`},
		{env{"TRUSTED_PROXIES": "10.0.0.0/33"}, nil, `TRUSTED_PROXIES="10.0.0.0/33": must be IP addresses or networks such as 10.0.0.0/8, separated by commas`},
		{env{"JWT_SECRET": "-----BEGIN " + leak}, nil, `JWT_SECRET=[hidden]: must be a shared secret; set JWT_PUBLIC_KEY for a key in PEM`},
		{env{"JWT_JWKS_URL": leak}, nil, `JWT_JWKS_URL=[hidden]: must be a URL that starts with https:// or http://`},
		{env{"JWT_PUBLIC_KEY": "-----BEGIN PRIVATE KEY-----\n" + leak}, nil, `JWT_PUBLIC_KEY=[hidden]: must be a public key in PEM or the path of a file`},
		{env{"JWT_JWKS_URL": "ftp://" + leak + "@issuer.example/keys?k=" + leak}, nil, `JWT_JWKS_URL="ftp://hidden@issuer.example/keys?hidden": must be a URL that starts with https:// or http://`},
		{nil, []string{"--redis-url=" + leak}, `REDIS_URL (--redis-url)=[hidden]: must be a URL such as rediss://user:password@host:6379/0`},

		{env{"NODE_ENV": "production"}, nil, `JWT_SECRET is not set: NODE_ENV=production needs JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL`},
		{env{"NODE_ENV": "production", "JWT_SECRET_PREVIOUS": leak}, nil, `JWT_SECRET is not set: NODE_ENV=production needs JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL`},
		{env{"NODE_ENV": "prod"}, nil, `JWT_SECRET is not set: NODE_ENV=prod needs JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL; only development and test can run without`},
		{env{"NODE_ENV": "Production"}, nil, `JWT_SECRET is not set: NODE_ENV=Production needs JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL; only development and test can run without`},
		{env{"REDIS_REQUIRED": "true"}, nil, `REDIS_REQUIRED=true: needs REDIS_URL or REDIS_HOST`},

		{nil, []string{"--jwt-secert=" + leak}, `unknown flag: --jwt-secert: did you mean --jwt-secret?`},
		{nil, []string{"--no-such-flag"}, `unknown flag: --no-such-flag`},
		{nil, []string{"--jwt-secret"}, `flag needs an argument: --jwt-secret`},
		{nil, []string{"--ws-auth-required", "true"}, `unexpected argument after a flag: write --flag=value`},
		{nil, []string{"start"}, `unknown command "start": the commands are serve, token, version and help`},
		{nil, []string{"tokn", "--user=a"}, `unknown command "tokn": did you mean token?`},
		{nil, []string{"help", "versoin"}, `unknown command "versoin": did you mean version?`},
		{nil, []string{"help", "help"}, `unknown command "help": the commands are serve, token, version and help`},
		{nil, []string{"serve", "now"}, `unexpected argument "now"`},
		{nil, []string{"--jwt-secret=", leak}, `unexpected argument after a flag: write --flag=value`},
		{nil, []string{"-jwt-secret=" + leak}, `unknown shorthand flag: 'j' in -jwt-secret`},
		{nil, []string{"--=" + leak}, `bad flag syntax: --`},

		{env{"JWT_SECRET": "s"}, []string{"token"}, `--user is required: the user that the token is for`},
		{env{"JWT_SECRET": "s"}, []string{"token", "--user="}, `--user="": must be a string of 1 to 256 characters without control characters, or an integer of at most 2^53-1`},
		{env{"JWT_SECRET": "s"}, []string{"token", "--user=a", "--ttl=1"}, `--ttl="1": must be a whole number of milliseconds from 1000 to 315360000000, or a duration such as 30s, 5m or 1d`},
		{nil, []string{"token", "--user=a", "--port=0"}, `--port="0": must be a whole number from 1 to 65535`},
		{nil, []string{"token", "--version"}, `unknown flag: --version`},
	} {
		cmd, err := config.Parse(tt.args, tt.env.get, io.Discard)
		if err == nil || err.Error() != tt.want || !errors.Is(err, config.ErrUsage) {
			t.Errorf("Parse(%q, %v) = %+v,\n     %v, want\n     %s", tt.args, tt.env, cmd, err, tt.want)
		}
		if err != nil && (strings.Contains(err.Error(), leak) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("error %q", err)
		}
	}
}

func TestRelations(t *testing.T) {
	for _, e := range []env{
		{"NODE_ENV": "production", "JWT_SECRET": "s", "JWT_SECRET_PREVIOUS": "t"},
		{"NODE_ENV": "production", "JWT_PUBLIC_KEY": "key.pem"},
		{"NODE_ENV": "production", "JWT_JWKS_URL": "http://issuer"},
		{"REDIS_REQUIRED": "true", "REDIS_HOST": "redis"},
		{"REDIS_REQUIRED": "1", "REDIS_URL": "unix:///run/redis.sock", "JWT_SECRET": "s"},
	} {
		if c := must(t, e); c.NeedsSecret() != (!c.JWTSecret.IsSet() && !c.Production()) {
			t.Errorf("%v: NeedsSecret() = %v", e, c.NeedsSecret())
		}
	}
	if c := must(t, env{"JWT_SECRET_PREVIOUS": "t"}); c.JWTSecretPrevious.IsSet() {
		t.Error("JWT_SECRET_PREVIOUS counts without JWT_SECRET")
	}
	c := must(t, env{"REDIS_URL": "redis://a", "REDIS_HOST": "b", "REDIS_PASSWORD": "p"})
	if got := c.RedisURL.Reveal(); got != "redis://a" {
		t.Errorf("RedisURL = %q; REDIS_URL should outweigh REDIS_HOST", got)
	}
	c = must(t, env{"REDIS_HOST": "b", "REDIS_PASSWORD": "p@:/#% "})
	if got, want := c.RedisURL.Reveal(), "redis://:p%40%3A%2F%23%25%20@b:6379"; got != want {
		t.Errorf("RedisURL = %q, want %q", got, want)
	}
}

func TestWarnings(t *testing.T) {
	long := strings.Repeat("x", 32)
	for _, tt := range []struct {
		env  env
		want string // the variables that are named
	}{
		{env{}, ""},
		{env{"JWT_SECRET": "short"}, "JWT_SECRET"},
		{env{"JWT_SECRET": long, "API_KEY": "short"}, "API_KEY"},
		{env{"JWT_SECRET": long, "NODE_ENV": "production"}, "WS_CORS_ORIGINS"},
		{env{"JWT_SECRET": long, "NODE_ENV": "production", "WS_CORS_ORIGINS": "https://a"}, ""},
		{env{"NODE_ENV": "development"}, ""},
		{env{"NODE_ENV": "test"}, ""},
		{env{"JWT_SECRET": long, "NODE_ENV": "prod"}, `NODE_ENV="prod"`},
		{env{"JWT_SECRET_PREVIOUS": long}, "JWT_SECRET_PREVIOUS"},
		{env{"REDIS_URL": "redis://a", "REDIS_HOST": "b", "REDIS_PASSWORD": "p"}, "REDIS_HOST REDIS_PASSWORD"},
		{env{"REDIS_PORT": "6380"}, "REDIS_PORT"},
		{env{"REDIS_HOST": "b", "REDIS_PORT": "6380", "REDIS_PASSWORD": "p"}, ""},
		{env{"WS_MAX_QUEUE_BYTES": "1GB"}, "WS_MAX_QUEUE_BYTES"},
	} {
		var names []string
		for _, line := range must(t, tt.env).Warnings() {
			names = append(names, strings.Fields(line)[0])
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%v: warnings about %q, want %q", tt.env, got, tt.want)
		}
	}
}

func TestPublicKeyPEM(t *testing.T) {
	const pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, []byte(pem), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{pem, strings.ReplaceAll(pem, "\n", `\n`), path} {
		got, err := must(t, env{"JWT_PUBLIC_KEY": value}).PublicKeyPEM()
		if err != nil || strings.TrimSpace(string(got)) != strings.TrimSpace(pem) {
			t.Errorf("PublicKeyPEM() of %q = %q, %v", value, got, err)
		}
	}
	if got, err := must(t, nil).PublicKeyPEM(); got != nil || err != nil {
		t.Errorf("PublicKeyPEM() of an unset variable = %q, %v", got, err)
	}
	_, err := must(t, env{"JWT_PUBLIC_KEY": "/nowhere/key.pem"}).PublicKeyPEM()
	if !errors.Is(err, config.ErrUsage) || !strings.HasPrefix(err.Error(), `JWT_PUBLIC_KEY="/nowhere/key.pem": must be`) {
		t.Errorf("error = %v", err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	const leak = "hunter2"
	c := must(t, env{
		"JWT_SECRET": leak, "JWT_SECRET_PREVIOUS": leak, "JWT_JWKS_URL": "https://" + leak + "@h",
		"API_KEY": leak, "REDIS_HOST": "h", "REDIS_PASSWORD": leak,
	})
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	printed := string(encoded)
	for _, verb := range "vsqdxXpTtfc" {
		printed += fmt.Sprintf("%"+string(verb), c) + fmt.Sprintf("%"+string(verb), &c) + fmt.Sprintf("%"+string(verb), c.APIKey)
	}
	printed += fmt.Sprintf("%+v %#v %v %s %v", c, c, c.JWTSecret, c.APIKey, struct{ unexported config.Secret }{c.APIKey})
	for _, form := range []string{leak, fmt.Sprintf("%x", leak), fmt.Sprintf("%X", leak)} {
		if strings.Contains(printed, form) {
			t.Errorf("printed: %s", printed)
		}
	}
	if !strings.Contains(string(encoded), `"JWTSecret":"[hidden]"`) || (config.Secret{}).String() != "" {
		t.Errorf("a set secret looks like an unset one: %s", encoded)
	}
}

// All errors are reported at once, each on a line of its own.
func TestAllThatIsWrong(t *testing.T) {
	e := env{"HTTP_PORT": "abc", "LOG_LEVEL": "zz", "NODE_ENV": "production", "REDIS_REQUIRED": "true"}
	_, err := config.Parse([]string{"--ws-rate-limit=x"}, e.get, io.Discard)
	var names []string
	for line := range strings.Lines(err.Error()) {
		names = append(names, strings.FieldsFunc(line, func(r rune) bool { return r == '=' || r == ' ' })[0])
	}
	if want := "HTTP_PORT LOG_LEVEL WS_RATE_LIMIT JWT_SECRET REDIS_REQUIRED"; strings.Join(names, " ") != want || !errors.Is(err, config.ErrUsage) {
		t.Errorf("%v, want lines about %s", err, want)
	}
	_, err = config.Parse([]string{"token", "--ttl=x", "--port=y"}, env{}.get, io.Discard)
	if got := strings.Count(err.Error(), "\n"); got != 2 {
		t.Errorf("token: %v, want three lines", err)
	}
}

func TestPort(t *testing.T) {
	for _, tt := range []struct {
		env  env
		args []string
		want int
	}{
		{env{"PORT": "8080"}, nil, 8080},
		{env{"PORT": "8080", "HTTP_PORT": "9090"}, nil, 9090},
		{env{"PORT": "bad", "HTTP_PORT": "9090"}, nil, 9090},
		{env{"PORT": "8080"}, []string{"--http-port=7070"}, 7070},
		{env{"PORT": "8080"}, []string{"serve", "--http-port=7070"}, 7070},
	} {
		if got := must(t, tt.env, tt.args...).HTTPPort; got != tt.want {
			t.Errorf("%v, %q: port %d, want %d", tt.env, tt.args, got, tt.want)
		}
	}
}

func TestMisspelled(t *testing.T) {
	got := config.Misspelled([]string{
		"WS_RATE_LIMTI=5", "JWT_SECERT=hunter2", "HTTP_PROT=1", "REDIS_HSOT=x", "TRUSTED_PROXY=10.0.0.1", "WS_PATH=/x", "JWT_ALGORITHM=none", "NODE_ENVS=x",
		"WS_RATE_LIMIT=5", "PORT=1", "HTTP_PROXY=http://x", "REDIS_SERVICE_HOST=x", "REDIS_PORT_6379_TCP=x", "REDIS_USERNAME=x", "APP_KEY=x", "PATH=x", "SPORT=x", "POST=x", "HOME=x", "GOMEMLIMIT=1", "", "=x",
	})
	want := []string{
		"HTTP_PROT is not a setting and is ignored: did you mean HTTP_PORT?",
		"JWT_ALGORITHM is not a setting and is ignored: puente --help lists all",
		"JWT_SECERT is not a setting and is ignored: did you mean JWT_SECRET?",
		"NODE_ENVS is not a setting and is ignored: did you mean NODE_ENV?",
		"REDIS_HSOT is not a setting and is ignored: did you mean REDIS_HOST?",
		"WS_PATH is not a setting and is ignored: puente --help lists all",
		"WS_RATE_LIMTI is not a setting and is ignored: did you mean WS_RATE_LIMIT?",
	}
	if !slices.Equal(got, want) {
		t.Errorf("Misspelled = %q,\nwant %q", got, want)
	}
	c := must(t, nil)
	c.Notes = got
	if w := c.Warnings(); !slices.Equal(w, want) {
		t.Errorf("Warnings = %q", w)
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"-h"}, {"--http-port=x", "--help"}, {"help"}, {"help", "serve"}, {"serve", "--help"}} {
		var out strings.Builder
		cmd, err := config.Parse(args, env{"NODE_ENV": "production", "HTTP_PORT": "bad"}.get, &out)
		if err != nil || cmd.Action != config.Done {
			t.Fatalf("Parse(%q) = %v, %v", args, cmd.Action, err)
		}
		for _, want := range []string{
			"puente token", "--http-port number", "HTTP_PORT: port to listen on, 0 for any free one;",
			"WS_PING_TIMEOUT: ", "(default 60000)", "(default 1e6)", "--redis-adapter classic|sharded", "--ws-auth-required", "(default false)", "--version", "--help",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%q is not in the help:\n%s", want, &out)
			}
		}
	}
	var out strings.Builder
	if _, err := config.Parse([]string{"help", "token"}, env{}.get, &out); err != nil || !strings.Contains(out.String(), "--ttl duration") || !strings.Contains(out.String(), "--port port") {
		t.Errorf("help token: %v\n%s", err, &out)
	}
	out.Reset()
	if cmd, err := config.Parse([]string{"token", "--help"}, env{}.get, &out); err != nil || cmd.Action != config.Done || !strings.Contains(out.String(), "--rooms rooms") {
		t.Errorf("token --help: %v, %v\n%s", cmd.Action, err, &out)
	}
	for _, arg := range []string{"--version", "version"} {
		out.Reset()
		if cmd, err := config.Parse([]string{arg}, env{}.get, &out); err != nil || cmd.Action != config.Done || out.String() != "puente "+config.Version()+"\n" {
			t.Errorf("%s: %v, %v, %q", arg, cmd.Action, err, out.String())
		}
	}
}

func TestToken(t *testing.T) {
	cmd, err := config.Parse(
		[]string{"token", "--user", "alice", "--role=admin", "--role", "ops", "--rooms=order-*,lobby", "--ttl=90s", "--jwt-issuer=shop"},
		env{"JWT_SECRET": "s", "JWT_AUDIENCE": "puente", "HTTP_PORT": "not looked at", "TTL": "nor this"}.get, io.Discard)
	if err != nil || cmd.Action != config.MintToken {
		t.Fatalf("action %v, %v", cmd.Action, err)
	}
	tok := cmd.Token
	if tok.User.Key() != "alice" || !slices.Equal(tok.Roles, []string{"admin", "ops"}) || !slices.Equal(tok.Rooms, []string{"order-*", "lobby"}) || tok.TTL != 90*time.Second {
		t.Errorf("Token = %+v", tok)
	}
	if c := cmd.Config; c.JWTSecret.Reveal() != "s" || c.JWTIssuer != "shop" || c.JWTAudience != "puente" {
		t.Errorf("Config = %+v", c)
	}

	for port, e := range map[int]env{3001: {}, 8080: {"PORT": "8080"}, 9090: {"HTTP_PORT": "9090", "PORT": "8080"}} {
		cmd, err := config.Parse([]string{"token", "--user=a"}, e.get, io.Discard)
		if err != nil || cmd.Config.HTTPPort != port || cmd.Config.JWTSecret.IsSet() {
			t.Errorf("%v: %+v, %v", e, cmd, err)
		}
	}
	if cmd, err := config.Parse([]string{"token", "--user=a", "--port=7070"}, env{"PORT": "8080"}.get, io.Discard); err != nil || cmd.Config.HTTPPort != 7070 {
		t.Errorf("--port: %+v, %v", cmd, err)
	}

	for rooms, want := range map[string][]string{"": nil, "--rooms=": {}} {
		args := []string{"token", "--user=42"}
		if rooms != "" {
			args = append(args, rooms)
		}
		cmd, err := config.Parse(args, env{"JWT_SECRET": "s"}.get, io.Discard)
		if err != nil || !reflect.DeepEqual(cmd.Token.Rooms, want) || cmd.Token.TTL != time.Hour {
			t.Errorf("Parse(%q).Token = %+v, %v; want rooms %#v", args, cmd.Token, err, want)
		}
	}
}

func TestStdoutFails(t *testing.T) {
	r, w := io.Pipe()
	_ = r.CloseWithError(io.ErrClosedPipe)
	for _, args := range [][]string{{"--help"}, {"--version"}} {
		if _, err := config.Parse(args, env{}.get, w); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("Parse(%q) = %v, want the writer's error", args, err)
		}
	}
}
