package realtime

import (
	"context"

	"github.com/puente-io/puente/server/socketio"
)

// Events that a socket without a user may send.
const (
	eventAuthenticate = "authenticate"
	eventPing         = "ping"
)

// admit is the middleware of events: it counts them, limits them, and lets a
// socket without a user only authenticate and ping.
func (svc *Service) admit(_ context.Context, s *socketio.Socket, e *socketio.Event, next func() error) error {
	svc.counters.received.Add(1)
	sess := sessionOf(s)
	if e.Name == eventPing {
		// Counted apart, so that a client that has used up its events can
		// still tell that it is connected.
		if !svc.limits.allow(&sess.pings) {
			svc.counters.limitedPings.Add(1)
			return ErrRateLimited
		}
		return next()
	}
	sess.mu.Lock()
	window, anonymous := sess.events, sess.claims.UserID.IsZero()
	sess.mu.Unlock()
	if !svc.limits.allow(window) {
		if anonymous {
			svc.counters.limitedSocketEvents.Add(1)
		} else {
			svc.counters.limitedUserEvents.Add(1)
		}
		return ErrRateLimited
	}
	if anonymous && e.Name != eventAuthenticate {
		return ErrUnauthenticated
	}
	return next()
}
