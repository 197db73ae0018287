package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"

	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/internal/clip"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// newLogger returns a logger in the format of LOG_FORMAT. Callers must not log
// tokens, payloads and secrets, nor URLs and headers, which may contain them; the
// development token is the only exception.
func newLogger(cfg config.Config, w io.Writer) zerolog.Logger {
	if cfg.LogFormat == "text" {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !hasColors(w, os.Getenv)}
	}
	level, err := zerolog.ParseLevel(cfg.LogLevel)
	if err != nil {
		level = zerolog.InfoLevel
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

// hasColors reports whether w is a terminal with colours and NO_COLOR (no-color.org)
// is not set.
func hasColors(w io.Writer, getenv func(string) string) bool {
	f, ok := w.(*os.File)
	return ok && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" && isatty.IsTerminal(f.Fd())
}

// sampled returns a logger that passes the first 50 lines of each second and one in
// a thousand of the rest, so that clients cannot fill a disk. The statistics count
// every occurrence.
func sampled(l zerolog.Logger) zerolog.Logger {
	return l.Sample(&zerolog.BurstSampler{Burst: 50, Period: time.Second, NextSampler: &zerolog.BasicSampler{N: 1000}})
}

// maxText bounds, in bytes, what is logged of a text that a client may have
// influenced; maxTrace bounds what is logged of a panic.
const (
	maxText  = 256
	maxTrace = 8 << 10
)

// serviceHooks logs connects, disconnects and refusals.
func serviceHooks(l zerolog.Logger) realtime.Hooks {
	connections, refusals, failures, faults := sampled(l), sampled(l), sampled(l), sampled(l)
	of := func(e *zerolog.Event, s *socketio.Socket) *zerolog.Event {
		return e.Str("socket", s.ID()).Str("address", clip.Text(s.Session().RemoteAddr(), maxText))
	}
	return realtime.Hooks{
		Connected: func(s *socketio.Socket) {
			of(connections.Info(), s).Str("transport", s.Session().Transport()).Msg("connected")
		},
		Authenticated: func(s *socketio.Socket, user ident.ID) {
			of(connections.Info(), s).Stringer("user", user).Msg("authenticated")
		},
		Refused: func(s *socketio.Socket, code string, err error) {
			of(refusals.Warn(), s).Str("code", code).Str("error", clip.Text(err.Error(), maxText)).Msg("authentication refused")
		},
		Expired: func(s *socketio.Socket, user ident.ID) {
			if user.IsZero() {
				of(refusals.Info(), s).Msg("authentication timed out")
				return
			}
			of(refusals.Info(), s).Stringer("user", user).Msg("token expired")
		},
		Disconnected: func(s *socketio.Socket, user ident.ID, reason socketio.Reason, after time.Duration) {
			line := of(connections.Info(), s)
			if !user.IsZero() {
				line = line.Stringer("user", user)
			}
			line.Str("reason", string(reason)).Stringer("after", after.Round(time.Millisecond)).Msg("disconnected")
		},
		EventFailed: func(s *socketio.Socket, event string, err error) {
			line, most := failures.Debug, maxText
			if realtime.Public(err) == realtime.ErrInternal && !errors.Is(err, socketio.ErrDisconnected) {
				line, most = faults.Error, maxTrace
			}
			of(line(), s).Str("event", clip.Text(event, maxNameLength)).Str("error", clip.Text(err.Error(), most)).Msg("event failed")
		},
	}
}

// handshakeRefused logs requests that opened no session: as warnings if an operator
// may have to act, for example on clients that are too old, and malformed requests at
// debug level. proxies reports whether trusted proxies are configured.
func handshakeRefused(l zerolog.Logger, proxies bool) func(*http.Request, *engineio.HandshakeError) {
	refusals, protocols, malformed := sampled(l), sampled(l), sampled(l)
	return func(r *http.Request, e *engineio.HandshakeError) {
		line := malformed.Debug
		switch e.Code {
		case engineio.CodeForbidden:
			line = refusals.Warn
		case engineio.CodeUnsupportedProtocol:
			line = protocols.Warn
		}
		event := line().Str("address", clip.Text(hostOf(r), maxText)).Int("code", int(e.Code)).Str("error", clip.Text(e.Error(), maxText))
		if errors.Is(e, engineio.ErrOrigin) { // the two values that were compared
			event.Str("origin", clip.Text(r.Header.Get("Origin"), maxText)).Str("host", clip.Text(hostURL(r), maxText)).Str("hint", originHint)
		}
		if e.Code == engineio.CodeUnsupportedProtocol && r.URL.Query().Get("EIO") == "3" {
			event.Str("hint", "WS_ALLOW_EIO3=true admits these clients")
		}
		if !proxies && errors.Is(e, engineio.ErrAddressLimit) && r.Header.Get("X-Forwarded-For") != "" {
			event.Str("hint", "if this is your proxy's address, set TRUSTED_PROXIES")
		}
		event.Msg("handshake refused")
	}
}

// keyRefused logs requests of backends without the right API key.
func keyRefused(l zerolog.Logger) func(*http.Request) {
	refusals := sampled(l)
	return func(r *http.Request) {
		refusals.Warn().Str("address", clip.Text(hostOf(r), maxText)).Str("method", clip.Text(r.Method, maxNameLength)).
			Str("path", clip.Text(r.URL.Path, maxText)).Msg("API key refused")
	}
}

// hostURL returns the host of the request, with the scheme if that is known.
func hostURL(r *http.Request) string {
	if scheme := schemeOf(r); scheme != "" {
		return scheme + "://" + r.Host
	}
	return r.Host
}

func hostOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// maxUnhandledNames bounds how many names of unhandled events are logged, and
// maxNameLength, in bytes, how much of each: clients choose the names.
const (
	maxUnhandledNames = 1000
	maxNameLength     = 64
)

// hooks logs what happens below the service.
func hooks(l zerolog.Logger) socketio.Hooks {
	packets, broadcasts, faults := sampled(l), sampled(l), sampled(l)
	var mu sync.Mutex
	unhandled := make(map[string]bool)
	return socketio.Hooks{
		PacketError: func(s *engineio.Session, err error) {
			packets.Warn().Str("address", clip.Text(s.RemoteAddr(), maxText)).Str("error", clip.Text(err.Error(), maxText)).Msg("packet refused")
		},
		Unhandled: func(_ *socketio.Socket, name string) {
			event := clip.Text(name, maxNameLength)
			mu.Lock()
			defer mu.Unlock()
			if unhandled[event] || len(unhandled) >= maxUnhandledNames {
				return
			}
			unhandled[event] = true
			l.Warn().Str("event", event).Msg("unhandled event (logged once per name)")
		},
		BroadcastDropped: func(ns *socketio.Namespace, err error) {
			broadcasts.Warn().Str("namespace", clip.Text(ns.Name(), maxText)).Str("error", clip.Text(err.Error(), maxText)).Msg("broadcast of another server dropped")
		},
		HandlerError: func(s *socketio.Socket, event string, err error) {
			if s != nil && event != "" || errors.Is(err, socketio.ErrDisconnected) {
				return // serviceHooks logs the errors of events
			}
			line := faults.Error().Str("error", clip.Text(err.Error(), maxTrace))
			if s != nil {
				line = line.Str("socket", s.ID()).Str("address", clip.Text(s.Session().RemoteAddr(), maxText))
			} else {
				line = line.Str("event", clip.Text(event, maxNameLength))
			}
			line.Msg("handler failed")
		},
	}
}

// engineHooks logs requests that opened no session, see handshakeRefused, and
// sessions that a limit has ended.
func engineHooks(l zerolog.Logger, proxies bool) engineio.Hooks {
	ends := sampled(l)
	return engineio.Hooks{
		Refused: handshakeRefused(l, proxies),
		SessionClosed: func(s *engineio.Session, reason engineio.Reason, err error) {
			switch {
			case reason == engineio.ReasonSlowConsumer:
				ends.Warn().Str("address", clip.Text(s.RemoteAddr(), maxText)).Str("reason", string(reason)).AnErr("error", err).Msg("slow consumer disconnected")
			case reason == realtime.ReasonRefusals, reason == engineio.Reason(socketio.ReasonRefusals):
				ends.Warn().Str("address", clip.Text(s.RemoteAddr(), maxText)).Str("reason", string(reason)).Msg("client disconnected after too many refusals")
			case reason == engineio.ReasonForcedClose && err != nil:
				ends.Info().Str("address", clip.Text(s.RemoteAddr(), maxText)).Str("error", clip.Text(err.Error(), maxText)).Msg("client disconnected by the server")
			}
		},
	}
}

// redisLog logs at debug level what go-redis reports about its connections; the
// cluster's hooks log failures.
type redisLog struct{ l zerolog.Logger }

func (r redisLog) Printf(_ context.Context, format string, args ...any) {
	if e := r.l.Debug(); e.Enabled() {
		e.Str("text", clip.Text(fmt.Sprintf(format, args...), maxText)).Msg("go-redis")
	}
}

// fetchFailed logs that the token issuer's keys could not be fetched.
func fetchFailed(l zerolog.Logger) func(error) {
	return func(err error) { l.Error().Err(err).Msg("JWKS fetch failed, keeping cached keys if any") }
}

// errorLog returns the error log of the HTTP server.
func errorLog(l zerolog.Logger) *log.Logger {
	return log.New(httpErrors{accepts: throttled(l), panics: sampled(l), others: sampled(l)}, "", 0)
}

// throttled returns a logger that passes one line every ten seconds, for errors that
// repeat while a fault lasts.
func throttled(l zerolog.Logger) zerolog.Logger {
	return l.Sample(&zerolog.BurstSampler{Burst: 1, Period: 10 * time.Second})
}

// httpErrors is an [io.Writer] that logs the lines of the HTTP server's error log.
// Errors of connections are at debug level, because clients cause them. If the
// process has no free file descriptors, accepting fails up to 200 times a second.
type httpErrors struct{ accepts, panics, others zerolog.Logger }

func (c httpErrors) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	switch {
	case strings.HasPrefix(text, "http: Accept error"):
		c.accepts.Error().Msg(clip.Text(text, maxText))
	case strings.HasPrefix(text, "http: panic"):
		c.panics.Error().Msg(clip.Text(text, maxTrace))
	default:
		c.others.Debug().Msg(clip.Text(text, maxText))
	}
	return len(line), nil
}
