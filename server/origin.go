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
	"github.com/puente-io/puente/server/internal/clip"
)

// origin is the origin of a page or of a server (RFC 6454). Hosts are in lower case
// and IP addresses in canonical form, so that origins compare with ==.
type origin struct{ scheme, host, port string }

// parseOrigin parses an Origin header, or an entry of a list. It reports false if
// there is no host, as in the "null" that pages without an origin send.
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

// parseHost parses a Host header. The port is "" if there is none.
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

// schemeOf returns the scheme with which the client reached the server, or "" if that
// is not known: a proxy that terminates TLS need not say so.
func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	if r.URL.Host != "" { // the client sent an absolute URL, so its scheme is not reliable
		return ""
	}
	return r.URL.Scheme // set by forwarded
}

// isOwn reports whether o is the server's own origin, judged by the request. If the
// scheme is not known, http and https both count, each with its default port.
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

// has reports whether the origin is listed, whichever way it is written.
func (l originList) has(s string) bool {
	if slices.Contains(l.texts, s) {
		return true
	}
	o, ok := parseOrigin(s)
	return ok && slices.Contains(l.origins, o)
}

// isLocal reports whether the origin is that of a page served by this machine.
func isLocal(s string) bool {
	o, ok := parseOrigin(s)
	if !ok || o.port == "" {
		return false
	}
	addr, err := netip.ParseAddr(o.host)
	return o.host == "localhost" || strings.HasSuffix(o.host, ".localhost") || err == nil && addr.IsLoopback()
}

// allowOrigins sets the engine's options from WS_CORS_ORIGINS. Browsers do not apply
// CORS to WebSockets, so their Origin header is checked: listed origins, the server's
// own, and clients that send none pass. Without a list all WebSockets pass, and
// outside of production pages of this machine may use XHR, so that a first page works.
func allowOrigins(opts *engineio.Options, cfg config.Config) {
	switch {
	case len(cfg.CORSOrigins) == 0 && cfg.Production():
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

// originHint is logged with an origin that was refused.
const originHint = "set WS_CORS_ORIGINS to the origins whose pages may connect"

// warnOfOrigins logs XHR requests whose response the browser will withhold from the
// page. The page only gets "xhr poll error", so this line is the only explanation.
// WebSockets are refused, and logged, by their handshake.
func warnOfOrigins(cors *engineio.CORS, l zerolog.Logger, next http.Handler) http.Handler {
	blocked := sampled(l)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if text := r.Header.Get("Origin"); text != "" && r.Header.Get("Upgrade") == "" && (cors == nil || !cors.Allows(text)) {
			if o, ok := parseOrigin(text); !ok || !o.isOwn(r) {
				blocked.Warn().Str("address", clip.Text(hostOf(r), maxText)).Str("origin", clip.Text(text, maxText)).Str("host", clip.Text(hostURL(r), maxText)).
					Str("hint", originHint).Msg("origin not allowed, browser blocks the page")
			}
		}
		next.ServeHTTP(w, r)
	})
}
