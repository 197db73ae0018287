package socketio

import (
	"net/http"
	"strings"
)

// Attach returns a handler that serves requests for [Options.Path] and below,
// and passes all others to next. Unlike [http.ServeMux] it never redirects to
// clean a path, because WebSockets and pages of other origins do not follow
// redirects. Doubled slashes, which balancers make of a path with a trailing
// one, count as one; next gets the request unchanged.
func (srv *Server) Attach(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if srv.serves(r.URL.Path) {
			srv.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serves reports whether a path belongs to the endpoint: Options.Path and a
// slash, followed by anything. With NoTrailingSlash also Options.Path alone.
func (srv *Server) serves(path string) bool {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	rest, ok := strings.CutPrefix(path, srv.opts.Path)
	return ok && (strings.HasPrefix(rest, "/") || rest == "" && srv.opts.NoTrailingSlash)
}
