package realtime

import (
	"context"
	"sync"
	"time"
)

const (
	// elsewhereTimeout bounds how long other servers are asked for a user.
	elsewhereTimeout = 500 * time.Millisecond
	// elsewhereAge is how long it is taken for granted whether there are any.
	elsewhereAge = time.Second
)

// strangers knows whether the cluster has servers that have no part in the
// presence, such as Node's.
type strangers struct {
	mu    sync.Mutex
	asked time.Time
	there bool
}

// elsewhere reports whether a user whom the presence does not know has a device
// on a server that is not part of it. Where there is no such server it does not
// wait; where there is, up to elsewhereTimeout.
func (svc *Service) elsewhere(ctx context.Context, user string) bool {
	ctx, cancel := context.WithTimeout(ctx, elsewhereTimeout)
	defer cancel()
	if !svc.strangersThere(ctx) {
		return false
	}
	sockets, _ := svc.ns.To(userRoom(user)).FetchSockets(ctx) // those that came in time
	return len(sockets) > 0
}

func (svc *Service) strangersThere(ctx context.Context) bool {
	s := &svc.strangers
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.asked) >= elsewhereAge {
		count, err := svc.ns.ServerCount(ctx)
		s.there = err == nil && count > svc.presence.View().Nodes()
		s.asked = time.Now()
	}
	return s.there
}
