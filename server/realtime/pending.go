package realtime

import (
	"sync"

	"github.com/puente-io/puente/server/ident"
)

// pendingNotifications counts, for each user all of whose clients are away, the
// notifications that they will get if they come back. A user is in it no longer than its
// clients may be away.
type pendingNotifications struct {
	mu    sync.Mutex
	users map[string]*pendingCount // by key
}

type pendingCount struct {
	user ident.ID
	n    int
}

func (p *pendingNotifications) add(user ident.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users == nil {
		p.users = make(map[string]*pendingCount)
	}
	count := p.users[user.Key()]
	if count == nil {
		count = &pendingCount{user: user}
		p.users[user.Key()] = count
	}
	count.n++
}

// take returns how many notifications there are for a user, and forgets them.
func (p *pendingNotifications) take(key string) (user ident.ID, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := p.users[key]
	if count == nil {
		return ident.ID{}, 0
	}
	delete(p.users, key)
	return count.user, count.n
}

// forget is take for a user that has got them.
func (p *pendingNotifications) forget(user ident.ID) { p.take(user.Key()) }
