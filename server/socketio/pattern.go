package socketio

import (
	"context"
	"regexp"
	"slices"
)

// Pattern stands for all namespaces whose names match. Such a namespace is
// created when a client connects to it, shares the pattern's handlers, and is
// removed when its last socket has disconnected, see
// Options.KeepEmptyNamespaces.
type Pattern struct {
	*Handlers
	server *Server
	match  MatchFunc
	re     *regexp.Regexp // of NamespaceRegexp, or nil
}

// MatchFunc reports whether a client may connect to the namespace with this
// name; auth is what the client sent with CONNECT. It may block; ctx ends with
// the client's session.
type MatchFunc func(ctx context.Context, name string, auth Value) bool

// NamespacePattern adds a pattern. Patterns are tried in the order of the calls.
func (srv *Server) NamespacePattern(match MatchFunc) *Pattern { return srv.addPattern(match, nil) }

// NamespaceRegexp adds a pattern for the names that the expression matches; one
// that must match the whole name begins with "^/" and ends with "$". What its
// named groups match is [Namespace.Param].
func (srv *Server) NamespaceRegexp(re *regexp.Regexp) *Pattern {
	return srv.addPattern(func(_ context.Context, name string, _ Value) bool { return re.MatchString(name) }, re)
}

func (srv *Server) addPattern(match MatchFunc, re *regexp.Regexp) *Pattern {
	p := &Pattern{Handlers: newHandlers(), server: srv, match: match, re: re}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.patterns = append(slices.Clip(srv.patterns), p)
	return p
}

// Param returns the part of the namespace's name that the group of this name
// matches in the expression of [Server.NamespaceRegexp], or "" if there is none.
func (ns *Namespace) Param(group string) string {
	if ns.pattern == nil || ns.pattern.re == nil {
		return ""
	}
	parts, i := ns.pattern.re.FindStringSubmatch(ns.name), ns.pattern.re.SubexpIndex(group)
	if i < 0 || i >= len(parts) {
		return ""
	}
	return parts[i]
}

// Namespaces returns the pattern's current namespaces.
func (p *Pattern) Namespaces() []*Namespace {
	return slices.DeleteFunc(p.server.Namespaces(), func(ns *Namespace) bool { return ns.pattern != p })
}

func (srv *Server) hasPatterns() bool {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return len(srv.patterns) > 0
}
