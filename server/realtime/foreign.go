package realtime

import (
	"context"
	"sync"
	"time"

	"github.com/puente-io/puente/server/ident"
)

const (
	// foreignTimeout bounds how long foreign nodes are asked for a user.
	foreignTimeout = 500 * time.Millisecond
	// foreignAge is how long the answer is cached whether there are any.
	foreignAge = time.Second
)

// foreignNodes caches whether the cluster has foreign nodes: servers that take no
// part in the presence, such as Socket.IO on Node.
type foreignNodes struct {
	mu      sync.Mutex
	checked time.Time
	exist   bool
}

// hasForeignDevice reports whether a user that the presence does not know has a
// device on a foreign node. If there are foreign nodes it waits for their answers,
// up to foreignTimeout.
func (svc *Service) hasForeignDevice(ctx context.Context, user ident.ID) bool {
	ctx, cancel := context.WithTimeout(ctx, foreignTimeout)
	defer cancel()
	if !svc.hasForeignNodes(ctx) {
		return false
	}
	sockets, _ := svc.ns.To(userRoom(user)).FetchSockets(ctx) // on an error, those received so far
	return len(sockets) > 0
}

// hasForeignNodes reports whether the cluster has foreign nodes. It asks the cluster
// once in foreignAge; other callers wait meanwhile.
func (svc *Service) hasForeignNodes(ctx context.Context) bool {
	f := &svc.foreign
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.checked) >= foreignAge {
		count, err := svc.ns.ServerCount(ctx)
		f.exist = err == nil && count > svc.presence.View().Nodes()
		f.checked = time.Now()
	}
	return f.exist
}
