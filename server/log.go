package server

import (
	"errors"
	"io"
	"log"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// newLogger logs JSON in production, and for people elsewhere. Tokens, payloads
// and secrets are given to no logger.
func newLogger(cfg config.Config, w io.Writer) zerolog.Logger {
	if !cfg.Production {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly}
	}
	level, err := zerolog.ParseLevel(cfg.LogLevel)
	if err != nil {
		level = zerolog.InfoLevel
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

// sampled lets the first lines of each second pass and of the rest one in a
// thousand, so that what clients do cannot fill a disk.
func sampled(l zerolog.Logger) zerolog.Logger {
	return l.Sample(&zerolog.BurstSampler{Burst: 50, Period: time.Second, NextSampler: &zerolog.BasicSampler{N: 1000}})
}

// audit logs who comes, who goes, and what is refused.
func audit(l zerolog.Logger) realtime.Audit {
	connections, refusals, failures := sampled(l), sampled(l), sampled(l)
	return realtime.Audit{
		Connected: func(s *socketio.Socket) {
			if e := connections.Info(); e.Enabled() {
				e.Str("socket", s.ID()).Str("address", s.Handshake().Address).Str("transport", s.Session().Transport()).Msg("connected")
			}
		},
		Authenticated: func(s *socketio.Socket, user ident.ID) {
			connections.Info().Str("socket", s.ID()).Stringer("user", user).Msg("authenticated")
		},
		Refused: func(s *socketio.Socket, code string, err error) {
			refusals.Warn().Str("socket", s.ID()).Str("address", s.Handshake().Address).Str("code", code).Err(err).Msg("token refused")
		},
		Expired: func(s *socketio.Socket, user ident.ID) {
			refusals.Info().Str("socket", s.ID()).Stringer("user", user).Msg("authentication expired")
		},
		Disconnected: func(s *socketio.Socket, user ident.ID, reason socketio.Reason, after time.Duration) {
			connections.Info().Str("socket", s.ID()).Stringer("user", user).Str("reason", string(reason)).Dur("after", after).Msg("disconnected")
		},
		Failed: func(s *socketio.Socket, event string, err error) {
			e := failures.Debug()
			if realtime.Public(err) == realtime.ErrInternal && !errors.Is(err, socketio.ErrDisconnected) {
				e = failures.Error()
			}
			e.Str("socket", s.ID()).Str("event", clip(event)).Err(err).Msg("event failed")
		},
	}
}

// maxUnhandledNames bounds the names of unhandled events that are remembered,
// and maxNameLength, in bytes, what is remembered and logged of each: clients
// choose them.
const (
	maxUnhandledNames = 1000
	maxNameLength     = 64
)

func clip(name string) string {
	if len(name) <= maxNameLength {
		return name
	}
	return strings.ToValidUTF8(name[:maxNameLength], "") + "…"
}

// hooks logs what the service does not see.
func hooks(l zerolog.Logger) socketio.Hooks {
	packets := sampled(l)
	var mu sync.Mutex
	unhandled := make(map[string]bool)
	return socketio.Hooks{
		PacketError: func(_ *engineio.Session, err error) { packets.Warn().Err(err).Msg("packet refused") },
		Unhandled: func(_ *socketio.Socket, name string) {
			event := clip(name)
			mu.Lock()
			defer mu.Unlock()
			if unhandled[event] || len(unhandled) >= maxUnhandledNames {
				return
			}
			unhandled[event] = true
			l.Warn().Str("event", event).Msg("nobody handles this event; said once")
		},
		SessionClosed: func(_ *engineio.Session, reason engineio.Reason, err error) {
			if reason == engineio.ReasonSlowConsumer {
				packets.Warn().Str("reason", string(reason)).Msg("client does not read; disconnected")
			}
		},
	}
}

// fetchFailed logs that the token issuer's keys could not be fetched.
func fetchFailed(l zerolog.Logger) func(error) {
	return func(err error) { l.Error().Err(err).Msg("key set not fetched; the keys at hand stay in use") }
}

// errorLog is where the HTTP server complains of single connections.
func errorLog(l zerolog.Logger) *log.Logger {
	return log.New(sampled(l).Level(zerolog.DebugLevel), "", 0)
}
