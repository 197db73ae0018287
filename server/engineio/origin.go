package engineio

import (
	"context"
	"crypto/tls"
	"net/http"
)

// origin is what a session keeps of its request as it is; nil if that is nothing.
type origin struct {
	values context.Context // never ends
	tls    *tls.ConnectionState
}

func (srv *Server) originOf(r *http.Request) *origin {
	o := origin{tls: r.TLS}
	srv.observe(nil, func() {
		if ctx := srv.opts.Context(r); ctx != nil {
			o.values = context.WithoutCancel(ctx)
		}
	})
	if o == (origin{}) {
		return nil
	}
	return &o
}

// Context returns a context that never ends and has the values of the one that
// [Options.Context] has chosen, by default of the request that opened the session.
func (s *Session) Context() context.Context {
	if s.origin == nil || s.origin.values == nil {
		return context.Background()
	}
	return s.origin.values
}

// TLS returns the state of the TLS connection of the request that opened the
// session, with the client's certificates, or nil if it came without TLS. It must
// not be changed.
func (s *Session) TLS() *tls.ConnectionState {
	if s.origin == nil {
		return nil
	}
	return s.origin.tls
}
