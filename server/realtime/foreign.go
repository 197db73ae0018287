package realtime

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/puente-io/puente/server/ident"
)

const (
	// foreignTimeout bounds how long foreign nodes are asked for a user.
	foreignTimeout = 500 * time.Millisecond
	// foreignAge is how long foreignNodes caches its answer.
	foreignAge = time.Second
)

// foreignNodes caches whether the cluster has foreign nodes: servers that take no
// part in the presence, such as Socket.IO on Node.
type foreignNodes struct {
	asking singleflight.Group
	last   atomic.Pointer[foreignAnswer]
}

type foreignAnswer struct {
	at    time.Time
	exist bool
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

// hasForeignNodes reports whether the cluster has foreign nodes; false if that is not
// known before ctx ends. Callers share one question to the cluster, which does not end
// with the context of the first.
func (svc *Service) hasForeignNodes(ctx context.Context) bool {
	f := &svc.foreign
	if a := f.last.Load(); a != nil && time.Since(a.at) < foreignAge {
		return a.exist
	}
	answer := f.asking.DoChan("", func() (any, error) {
		exist := svc.askForeignNodes(context.WithoutCancel(ctx))
		f.last.Store(&foreignAnswer{time.Now(), exist})
		return exist, nil
	})
	select {
	case a := <-answer:
		return a.Val.(bool)
	case <-ctx.Done():
		return false
	}
}

// askForeignNodes waits for the cluster, up to foreignTimeout.
func (svc *Service) askForeignNodes(ctx context.Context) (exist bool) {
	ctx, cancel := context.WithTimeout(ctx, foreignTimeout)
	defer cancel()
	svc.guard(func() {
		count, err := svc.ns.ServerCount(ctx)
		exist = err == nil && count > svc.presence.View().Nodes()
	})
	return exist
}
