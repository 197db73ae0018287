// Package httpapi implements the HTTP routes besides the Socket.IO endpoint: health
// and statistics for operators, and publishing for backends in any language.
package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/puente-io/puente/server/realtime"
)

// Options configures the routes.
type Options struct {
	// APIKey enables the routes for backends, which send it as
	// "Authorization: Bearer …". If it is empty, these routes answer 404.
	APIKey string
	// MaxBody is the maximum size of a request body, in bytes. Negative: no limit.
	// Default: 1,000,000.
	MaxBody int64
	// Unauthorized, if set, is called for requests whose API key is missing or wrong.
	Unauthorized func(*http.Request)
	// Ready returns why the node accepts no traffic, or "" if it does. Default: the
	// node always accepts traffic.
	Ready func() (reason string)
}

type api struct {
	svc  *realtime.Service
	opts Options
	key  [sha256.Size]byte
}

// New returns a handler for all routes. It answers other paths with 404. It limits
// the size of request bodies and the time to send them; the HTTP server limits the
// time to read responses, see engineio.NewHTTPServer.
func New(svc *realtime.Service, opts Options) http.Handler {
	switch {
	case opts.MaxBody == 0:
		opts.MaxBody = 1_000_000
	case opts.MaxBody < 0:
		opts.MaxBody = math.MaxInt64
	}
	if opts.Ready == nil {
		opts.Ready = func() string { return "" }
	}
	a := &api{svc: svc, opts: opts, key: sha256.Sum256([]byte(opts.APIKey))}
	mux := http.NewServeMux()

	// For operators.
	mux.HandleFunc("GET /healthz", a.live)
	mux.HandleFunc("GET /readyz", a.ready)
	mux.HandleFunc("OPTIONS /{$}", a.check)
	mux.HandleFunc("HEAD /{$}", a.check)
	mux.HandleFunc("GET /api/ws/health", a.health)
	mux.HandleFunc("GET /api/ws/stats", a.stats)

	// For backends.
	backend := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, a.authorized(h)) }
	backend("POST /api/ws/notifications", a.publishNotification)
	backend("POST /api/ws/updates", a.publishUpdate)
	backend("POST /api/ws/broadcast", a.broadcast)
	backend("POST /api/ws/users/{id}/events", a.sendToUser)
	backend("DELETE /api/ws/users/{id}", a.disconnectUser)
	backend("GET /api/ws/users", a.users)
	backend("GET /api/ws/users/{id}", a.user)
	backend("GET /api/ws/rooms", a.rooms)
	backend("GET /api/ws/rooms/{id}", a.room)

	mux.HandleFunc("/", notFound)
	return limitBodyTime(a.normalize(mux))
}

// normalize handles what a ServeMux does not: requests for "*", and paths with
// doubled slashes, which a ServeMux redirects. A redirected POST loses its body, and
// a redirected health check fails.
func (a *api) normalize(mux http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "*" && r.Method == http.MethodOptions:
			a.check(w, r)
			return
		case strings.Contains(r.URL.Path, "//"):
			r = singleSlashes(r)
		}
		mux.ServeHTTP(w, r)
	})
}

// singleSlashes returns the request with each run of slashes in its path reduced to
// one. Escaped slashes are part of an id and stay.
func singleSlashes(r *http.Request) *http.Request {
	escaped := r.URL.EscapedPath()
	for strings.Contains(escaped, "//") {
		escaped = strings.ReplaceAll(escaped, "//", "/")
	}
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return r
	}
	u := *r.URL
	u.Path, u.RawPath = path, escaped
	own := *r
	own.URL = &u
	return &own
}

const (
	// bodyTime limits the time to receive a request body, even one that no handler
	// reads.
	bodyTime = 45 * time.Second
	// answerTime limits the time to send the response after the body was received.
	answerTime = 45 * time.Second
)

// limitBodyTime sets the read deadline of requests with a body.
func limitBodyTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			// An error means that the server does not support deadlines; its own
			// timeouts apply then. The deadline ends with the request.
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
		}
		next.ServeHTTP(w, r)
	})
}

// authorized calls next for requests with the API key and answers others with 401, or
// with 404 if no key is configured. The comparison takes the same time for every
// wrong key, whatever its length.
func (a *api) authorized(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.opts.APIKey == "" {
			notFound(w, r)
			return
		}
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		sum := sha256.Sum256([]byte(strings.TrimSpace(given)))
		if subtle.ConstantTimeCompare(sum[:], a.key[:]) != 1 || !strings.EqualFold(scheme, "Bearer") {
			if a.opts.Unauthorized != nil {
				a.opts.Unauthorized(r)
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="puente"`)
			writeError(w, &realtime.Error{Code: realtime.CodeUnauthenticated, Message: "API key missing or wrong"})
			return
		}
		next(w, r)
	})
}
