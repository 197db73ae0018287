package types

import (
	"net/http"
	"strings"
	"sync"

	"github.com/puente-io/puente/compat/zishang520/utils"
)

// ServeMux is an http.Handler that chooses a handler by the path of the request: the
// one of exactly this pattern, or of the longest pattern with a slash at its end that
// the path starts with. A pattern may begin with a host. Unlike http.ServeMux it never
// redirects.
type ServeMux struct {
	// DefaultHandler gets what no pattern matches.
	DefaultHandler http.Handler

	mu       sync.RWMutex
	handlers map[string]http.Handler // by pattern
}

// NewServeMux returns a mux without patterns. Default of the handler:
// http.DefaultServeMux.
func NewServeMux(defaultHandler http.Handler) *ServeMux {
	if defaultHandler == nil {
		defaultHandler = http.DefaultServeMux
	}
	return &ServeMux{DefaultHandler: defaultHandler}
}

// Handle sets the handler of a pattern. It panics if the pattern is "" or has a
// handler.
func (m *ServeMux) Handle(pattern string, h http.Handler) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if pattern == "" || h == nil {
		panic("types: a pattern and a handler are needed")
	}
	if m.handlers[pattern] != nil {
		panic("types: there is a handler for " + pattern)
	}
	if m.handlers == nil {
		m.handlers = make(map[string]http.Handler)
	}
	m.handlers[pattern] = h
}

// HandleFunc is Handle for a function.
func (m *ServeMux) HandleFunc(pattern string, f func(http.ResponseWriter, *http.Request)) {
	m.Handle(pattern, http.HandlerFunc(f))
}

// Handler returns the handler of a request, and its pattern, or the default handler
// and "".
func (m *ServeMux) Handler(r *http.Request) (h http.Handler, pattern string) {
	path := utils.CleanPath(r.URL.Path)
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, name := range []string{utils.StripHostPort(r.Host) + path, path} {
		if h := m.handlers[name]; h != nil {
			return h, name
		}
		for prefix, candidate := range m.handlers {
			if strings.HasSuffix(prefix, "/") && strings.HasPrefix(name, prefix) && len(prefix) > len(pattern) {
				h, pattern = candidate, prefix
			}
		}
		if h != nil {
			return h, pattern
		}
	}
	return m.DefaultHandler, ""
}

// ServeHTTP implements http.Handler.
func (m *ServeMux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, _ := m.Handler(r)
	h.ServeHTTP(w, r)
}
