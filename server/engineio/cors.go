package engineio

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CORS says which pages of other origins may use the server. It sends the same headers as
// the npm package cors, which Node's server uses, so that browsers and caches see no
// difference.
type CORS struct {
	// Origins lists the allowed origins ("https://example.com"). "*" allows
	// all, without credentials.
	Origins []string
	// AllowOrigin, if not nil, decides instead of Origins.
	AllowOrigin func(origin string) bool
	// Methods is the Access-Control-Allow-Methods of a preflight's answer. Default:
	// GET, HEAD, PUT, PATCH, POST, DELETE.
	Methods []string
	// AllowedHeaders is the Access-Control-Allow-Headers of a preflight's answer.
	// Default: the headers that the preflight asks for.
	AllowedHeaders []string
	// ExposedHeaders lists response headers that scripts may read.
	ExposedHeaders []string
	// Credentials lets cookies pass. Default: false.
	Credentials bool
	// MaxAge is how long the browser may cache a preflight's answer, in whole seconds.
	// Default: no Access-Control-Max-Age header.
	MaxAge time.Duration
}

// Allows reports whether a page of the origin may read responses.
func (c *CORS) Allows(origin string) bool {
	if c.AllowOrigin != nil {
		return c.AllowOrigin(origin)
	}
	return c.any() || slices.Contains(c.Origins, origin)
}

func (c *CORS) any() bool { return c.AllowOrigin == nil && slices.Contains(c.Origins, "*") }

// Apply sets the headers of a response. If the request is a preflight, Apply answers it
// and reports true.
func (c *CORS) Apply(w http.ResponseWriter, r *http.Request) (answered bool) {
	h := w.Header()
	origin := r.Header.Get("Origin")
	switch {
	case c.any():
		h.Set("Access-Control-Allow-Origin", "*")
	case c.AllowOrigin == nil && len(c.Origins) == 1:
		h.Set("Access-Control-Allow-Origin", c.Origins[0])
		h.Add("Vary", "Origin")
	default:
		if origin != "" && c.Allows(origin) {
			h.Set("Access-Control-Allow-Origin", origin)
		}
		h.Add("Vary", "Origin")
	}
	if c.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if len(c.ExposedHeaders) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(c.ExposedHeaders, ","))
	}
	if r.Method != http.MethodOptions {
		return false
	}
	methods := "GET,HEAD,PUT,PATCH,POST,DELETE"
	if len(c.Methods) > 0 {
		methods = strings.Join(c.Methods, ",")
	}
	h.Set("Access-Control-Allow-Methods", methods)
	headers := strings.Join(c.AllowedHeaders, ",")
	if headers == "" {
		headers = r.Header.Get("Access-Control-Request-Headers")
		h.Set("Vary", strings.Join(append(h.Values("Vary"), "Access-Control-Request-Headers"), ", "))
	}
	if headers != "" {
		h.Set("Access-Control-Allow-Headers", headers)
	}
	if c.MaxAge > 0 {
		h.Set("Access-Control-Max-Age", strconv.Itoa(int(c.MaxAge/time.Second)))
	}
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusNoContent)
	return true
}
