package socketio

import (
	"net/http"
	"strings"
)

// Attach returns a handler that serves the endpoint's requests, those for
// [Options.Path] and below, and passes all others to next. It redirects nobody,
// as an [http.ServeMux] does to clean a path: neither WebSockets nor pages of
// other origins follow. Doubled slashes, which balancers make of a path that ends
// with one, count as one; next gets the request as it came.
func (srv *Server) Attach(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if srv.serves(r.URL.Path) {
			srv.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serves reports whether a path is the endpoint's: it begins with Options.Path
// and a slash, or, without the need for that slash, it may also be Options.Path.
func (srv *Server) serves(path string) bool {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	rest, ok := strings.CutPrefix(path, srv.opts.Path)
	return ok && (strings.HasPrefix(rest, "/") || rest == "" && srv.opts.NoTrailingSlash)
}
