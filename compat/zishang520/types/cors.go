package types

import (
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/puente-io/puente/server/engineio"
)

// Cors says which pages of other origins may talk to the server.
type Cors struct {
	// Origin is "*" or nil for all origins, one origin, a *regexp.Regexp, a bool (true
	// allows every origin), or a list ([]any) of these, of which one must allow.
	Origin any
	// Methods is what a preflight answers: a string or []string.
	Methods any
	// AllowedHeaders, or Headers, is what a preflight answers: a string or []string. By
	// default it is what the preflight asks for.
	AllowedHeaders any
	Headers        any
	// ExposedHeaders are the response headers that scripts may read: a string or
	// []string.
	ExposedHeaders any
	// MaxAge is how long a browser may remember a preflight, in seconds.
	MaxAge      string
	Credentials bool
	// PreflightContinue and OptionsSuccessStatus are ignored: preflights are answered
	// with 204.
	PreflightContinue    bool
	OptionsSuccessStatus int
}

// Engine returns the options for package engineio.
func (c *Cors) Engine() *engineio.CORS {
	out := &engineio.CORS{
		Methods:        list(c.Methods),
		AllowedHeaders: list(c.AllowedHeaders),
		ExposedHeaders: list(c.ExposedHeaders),
		Credentials:    c.Credentials,
	}
	if c.AllowedHeaders == nil {
		out.AllowedHeaders = list(c.Headers)
	}
	if seconds, err := strconv.Atoi(c.MaxAge); err == nil {
		out.MaxAge = time.Duration(seconds) * time.Second
	}
	switch origin := c.Origin.(type) {
	case nil:
		out.Origins = []string{"*"}
	case string:
		out.Origins = []string{origin}
	default:
		out.AllowOrigin = func(o string) bool { return allows(origin, o) }
	}
	return out
}

func allows(rule any, origin string) bool {
	switch rule := rule.(type) {
	case string:
		return rule == origin
	case *regexp.Regexp:
		return rule.MatchString(origin)
	case bool:
		return rule
	case []any:
		return slices.ContainsFunc(rule, func(r any) bool { return allows(r, origin) })
	}
	return false
}

func list(v any) []string {
	switch v := v.(type) {
	case string:
		if v != "" {
			return []string{v}
		}
	case []string:
		return v
	}
	return nil
}

// MiddlewareWrapper returns a middleware for engine.Server.Use that sets the headers
// of the answer, and answers preflights; for these it does not call next.
func MiddlewareWrapper(options *Cors) func(ctx *HttpContext, next func(error)) {
	if options == nil {
		options = &Cors{}
	}
	cors := options.Engine()
	return func(ctx *HttpContext, next func(error)) {
		if cors.Apply(ctx.Response(), ctx.Request()) {
			ctx.Flush()
			return
		}
		next(nil)
	}
}
