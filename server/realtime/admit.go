package realtime

import (
	"context"
	"slices"

	"github.com/puente-io/puente/server/socketio"
)

// Events that a socket without a user may always send.
const (
	eventAuthenticate = "authenticate"
	eventPing         = "ping"
)

// ReasonRefusals is the close reason of a client that sent more than
// [Options.MaxRefusedEvents] refused events.
const ReasonRefusals = "too many refused events"

// admit is the event middleware: it counts events, applies the rate limit, and
// refuses all but authenticate, ping and Options.Public on a socket without a user. It
// closes the connection of a client that exceeds MaxRefusedEvents.
func (svc *Service) admit(_ context.Context, s *socketio.Socket, e *socketio.Event, next func() error) error {
	svc.counters.received.Add(1)
	sess := sessionOf(s)
	err := svc.decide(sess, e, next)
	if err != nil && isRefusal(err) && sess.refused.Exceeds(svc.opts.MaxRefusedEvents, svc.opts.RateWindow) {
		svc.counters.floods.Add(1)
		s.Session().CloseWithReason(ReasonRefusals, nil)
	}
	return err
}

func (svc *Service) decide(sess *session, e *socketio.Event, next func() error) error {
	if e.Name == eventPing {
		// Pings have a limit of their own, so that a client that has used up
		// its events can still check its connection.
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
	if anonymous && e.Name != eventAuthenticate && !slices.Contains(svc.opts.Public, e.Name) {
		return ErrUnauthenticated
	}
	return next()
}

// isRefusal reports whether the client caused the error.
func isRefusal(err error) bool {
	switch Public(err).Code {
	case CodeRateLimited, CodeUnauthenticated, CodeUnauthorized, CodeInvalid:
		return true
	}
	return false
}
