// Package httpapi has the HTTP routes beside the Socket.IO endpoint: those that
// operators watch, and those with which backends in any language publish.
package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/puente-io/puente/server/realtime"
)

// Options configures the routes.
type Options struct {
	// APIKey enables the routes for backends, which send it as
	// "Authorization: Bearer …". Empty: they answer 404.
	APIKey string
	// MaxBody bounds the body of a request, in bytes. Default: 1,000,000.
	MaxBody int64
	// Unauthorized, where not nil, is told of requests whose API key is missing
	// or wrong.
	Unauthorized func(*http.Request)
	// Ready tells why the node takes no traffic, "" where it does. Default: it
	// always does.
	Ready func() (reason string)
}

type api struct {
	svc  *realtime.Service
	opts Options
	key  [sha256.Size]byte
}

// New returns a handler of all routes; other paths are answered with 404. It
// bounds the bodies of requests; how long clients may take to read answers the
// HTTP server decides: see engineio.NewHTTPServer.
func New(svc *realtime.Service, opts Options) http.Handler {
	if opts.MaxBody == 0 {
		opts.MaxBody = 1_000_000
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
	return bounded(a.normal(mux))
}

// normal answers what a ServeMux does not: requests for "*", and for paths with
// doubled slashes, which it redirects. A POST that is redirected loses its body,
// and a health check counts as failed.
func (a *api) normal(mux http.Handler) http.Handler {
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

// singleSlashes returns the request with a path without doubled slashes. Those
// that are escaped are a part of an id.
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

// bodyTime is how long the body of a request may take, also one that nobody
// wants to read, and answerTime how long a client may take to read the answer
// once the body has come.
const bodyTime, answerTime = 45 * time.Second, 45 * time.Second

func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			// A server that cannot has a timeout of its own. The deadline ends with
			// the request.
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
		}
		next.ServeHTTP(w, r)
	})
}

// authorized lets requests with the API key pass. The comparison takes the same
// time for every wrong key, whatever its length.
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
