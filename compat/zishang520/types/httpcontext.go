package types

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/puente-io/puente/compat/zishang520/utils"
)

// ErrWritten says that an HttpContext has been written to.
var ErrWritten = errors.New("types: the answer has been written")

// HttpContext is a request and its answer.
type HttpContext struct {
	EventEmitter

	// ResponseHeaders are the headers that Write sends.
	ResponseHeaders *utils.ParameterBag

	request  *http.Request
	response http.ResponseWriter
	headers  *utils.ParameterBag
	query    *utils.ParameterBag
	done     chan Void

	mu     sync.Mutex
	ended  bool
	status int
}

// NewHttpContext returns the context of a request. w may be nil if there is no answer
// to write any more, as for the request that opened a session.
func NewHttpContext(w http.ResponseWriter, r *http.Request) *HttpContext {
	c := &HttpContext{
		EventEmitter: NewEventEmitter(), request: r, response: w, done: make(chan Void), status: http.StatusOK,
		headers: utils.NewParameterBag(r.Header), query: utils.NewParameterBag(r.URL.Query()),
		ResponseHeaders: utils.NewParameterBag(nil),
	}
	if w != nil {
		c.ResponseHeaders.With(w.Header())
	}
	return c
}

// Request returns the request.
func (c *HttpContext) Request() *http.Request { return c.request }

// Response returns what the answer is written to.
func (c *HttpContext) Response() http.ResponseWriter { return c.response }

// Headers returns the headers of the request; names are in canonical form.
func (c *HttpContext) Headers() *utils.ParameterBag { return c.headers }

// Query returns the query parameters of the request.
func (c *HttpContext) Query() *utils.ParameterBag { return c.query }

// Context returns the context of the request.
func (c *HttpContext) Context() context.Context { return c.request.Context() }

// Get returns the last value of a query parameter.
func (c *HttpContext) Get(name string, fallback ...string) string {
	return c.query.Peek(name, fallback...)
}

// Gets returns all values of a query parameter.
func (c *HttpContext) Gets(name string, fallback ...[]string) []string {
	v, _ := c.query.Gets(name, fallback...)
	return v
}

// Method returns the method of the request, in capitals.
func (c *HttpContext) Method() string { return strings.ToUpper(c.request.Method) }

// GetMethod is Method.
func (c *HttpContext) GetMethod() string { return c.Method() }

// GetPathInfo returns the path of the request.
func (c *HttpContext) GetPathInfo() string { return c.request.URL.Path }

// Path returns the path of the request without slashes at its ends, or "/".
func (c *HttpContext) Path() string {
	return utils.Value(strings.Trim(c.GetPathInfo(), "/"), "/")
}

// GetHost returns the request's host without the port. The error is always nil.
func (c *HttpContext) GetHost() (string, error) { return utils.StripHostPort(c.request.Host), nil }

// UserAgent returns that header of the request.
func (c *HttpContext) UserAgent() string { return c.headers.Peek("User-Agent") }

// Secure reports whether the request came over TLS.
func (c *HttpContext) Secure() bool { return c.request.TLS != nil || c.request.URL.Scheme == "https" }

// SetStatusCode sets the status that Write sends. Default: 200.
func (c *HttpContext) SetStatusCode(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = status
}

// GetStatusCode returns that status.
func (c *HttpContext) GetStatusCode() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Write sends the whole answer. The next call returns ErrWritten.
func (c *HttpContext) Write(body []byte) (int, error) {
	if c.response == nil || !c.end() {
		return 0, ErrWritten
	}
	for name, values := range c.ResponseHeaders.All() {
		c.response.Header()[http.CanonicalHeaderKey(name)] = values
	}
	c.response.WriteHeader(c.GetStatusCode())
	return c.response.Write(body)
}

// Flush says that the answer is complete.
func (c *HttpContext) Flush() { c.end() }

// end reports false if the answer has been complete before.
func (c *HttpContext) end() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	c.ended = true
	close(c.done)
	return true
}

// Done returns a channel that is closed when the answer is complete.
func (c *HttpContext) Done() <-chan Void { return c.done }

// IsDone reports whether the answer is complete.
func (c *HttpContext) IsDone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}
