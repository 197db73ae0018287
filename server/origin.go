package server

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/engineio"
)

// origin is where a page comes from, or a server is found: what RFC 6454 compares.
// Hosts are in lower case, addresses in their one form, and the port is a number.
type origin struct{ scheme, host, port string }

// parseOrigin reads an Origin header, or an entry of a list. It reports false for
// what has no host, such as the "null" of pages that have no origin.
func parseOrigin(s string) (origin, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" {
		return origin{}, false
	}
	o, ok := parseHost(u.Host)
	o.scheme = strings.ToLower(u.Scheme)
	if o.port == "" {
		o.port = defaultPort(o.scheme)
	}
	return o, ok
}

// parseHost reads a Host header. The port is "" if there is none.
func parseHost(s string) (o origin, ok bool) {
	u := url.URL{Host: s}
	o.host, o.port = strings.ToLower(u.Hostname()), u.Port()
	if addr, err := netip.ParseAddr(o.host); err == nil {
		o.host = addr.String()
	}
	return o, o.host != ""
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}

// schemeOf is the scheme by which the client reached the server, or "" if that is
// not known: a proxy that has taken TLS off need not say so.
func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	if r.URL.Host != "" { // the client wrote a whole URL into its request
		return ""
	}
	return r.URL.Scheme // see forwarded
}

// isOwn reports whether a page of the server's own origin has sent the request.
// Without a known scheme either counts, with its own default port.
func (o origin) isOwn(r *http.Request) bool {
	own, ok := parseHost(r.Host)
	own.scheme = schemeOf(r)
	if own.scheme == "" {
		own.scheme = o.scheme
	}
	if own.port == "" {
		own.port = defaultPort(own.scheme)
	}
	return ok && own == o && o.port != ""
}

// originList is a list of origins that are allowed.
type originList struct {
	texts   []string // as configured, of whatever scheme
	origins []origin
}

func newOriginList(texts []string) originList {
	l := originList{texts: texts}
	for _, s := range texts {
		if o, ok := parseOrigin(s); ok {
			l.origins = append(l.origins, o)
		}
	}
	return l
}

// has reports whether the origin is listed, in whatever form it is written.
func (l originList) has(s string) bool {
	if slices.Contains(l.texts, s) {
		return true
	}
	o, ok := parseOrigin(s)
	return ok && slices.Contains(l.origins, o)
}

// isLocal reports whether the origin is a page of this machine's.
func isLocal(s string) bool {
	o, ok := parseOrigin(s)
	if !ok || o.port == "" {
		return false
	}
	addr, err := netip.ParseAddr(o.host)
	return o.host == "localhost" || strings.HasSuffix(o.host, ".localhost") || err == nil && addr.IsLoopback()
}

// allowOrigins makes the engine's options of WS_CORS_ORIGINS. Browsers do not
// apply CORS to WebSockets, so these are checked by their Origin header: those of
// listed origins, of the server's own and of clients that are no browsers pass.
// Without a list all pass, and outside of production pages of this machine may
// use XHR, so that the first page works.
func allowOrigins(opts *engineio.Options, cfg config.Config) {
	switch {
	case len(cfg.CORSOrigins) == 0 && cfg.Production:
	case len(cfg.CORSOrigins) == 0:
		opts.CORS = &engineio.CORS{AllowOrigin: isLocal}
	case slices.Contains(cfg.CORSOrigins, "*"):
		opts.CORS = &engineio.CORS{Origins: []string{"*"}}
	default:
		list := newOriginList(cfg.CORSOrigins)
		opts.CORS = &engineio.CORS{AllowOrigin: list.has, Credentials: true}
		opts.CheckOrigin = func(r *http.Request) bool {
			text := r.Header.Get("Origin")
			if text == "" || list.has(text) {
				return true
			}
			o, ok := parseOrigin(text)
			return ok && o.isOwn(r)
		}
	}
}

// originHint is what the log says beside an origin that was refused.
const originHint = "set WS_CORS_ORIGINS to the origins whose pages may connect"

// warnOfOrigins logs the requests that a browser sends for a page and whose answer
// it will not show to that page: the page gets "xhr poll error", and nothing else
// says why. WebSockets are refused, and logged, by their handshake.
func warnOfOrigins(cors *engineio.CORS, l zerolog.Logger, next http.Handler) http.Handler {
	blocked := sampled(l)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if text := r.Header.Get("Origin"); text != "" && r.Header.Get("Upgrade") == "" && (cors == nil || !cors.Allows(text)) {
			if o, ok := parseOrigin(text); !ok || !o.isOwn(r) {
				blocked.Warn().Str("address", clip(hostOf(r), maxText)).Str("origin", clip(text, maxText)).Str("host", clip(hostURL(r), maxText)).
					Str("hint", originHint).Msg("page blocked by its browser")
			}
		}
		next.ServeHTTP(w, r)
	})
}
