package engineio

import (
	"errors"
	"net/http"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
)

// Why a handshake was refused, for whoever observes.
var (
	errSessions   = errors.New("engineio: MaxSessions reached")
	errAddress    = errors.New("engineio: MaxSessionsPerAddress reached")
	errHandshakes = errors.New("engineio: MaxHandshakesPerSecond reached")
	errStopping   = errors.New("engineio: draining")
)

// admission gives out the places of sessions, before anything else is done for
// them. A place is held from the handshake on, whatever becomes of that, until
// nothing more is sent to the client.
type admission struct {
	sessions, perAddress int           // 0: any number
	handshakes           *rate.Limiter // nil: any number

	mu        sync.Mutex
	open      int
	addresses map[netip.Addr]*address
}

// address is where sessions come from.
type address struct {
	at   netip.Addr
	open int // guarded by admission.mu
}

func (a *admission) init(opts *Options) {
	a.sessions, a.perAddress = opts.MaxSessions, opts.MaxSessionsPerAddress
	a.addresses = make(map[netip.Addr]*address)
	if n := opts.MaxHandshakesPerSecond; n > 0 {
		a.handshakes = rate.NewLimiter(rate.Limit(n), n)
	}
}

// enterSession takes a place for the session that a request would open.
func (srv *Server) enterSession(r *http.Request) (place, *HandshakeError) {
	a := &srv.admission
	var at netip.Addr
	if a.perAddress > 0 {
		at = network(r.RemoteAddr)
	}
	from, err := a.enter(at)
	switch err {
	case nil:
		return place{a, from}, nil
	case errSessions:
		srv.limits.sessions.Add(1)
		return place{}, overloaded(http.StatusServiceUnavailable, "Too many connections", err)
	case errAddress:
		srv.limits.addresses.Add(1)
		return place{}, overloaded(http.StatusTooManyRequests, "Too many connections from this address", err)
	}
	srv.limits.handshakes.Add(1)
	return place{}, overloaded(http.StatusTooManyRequests, "Too many handshakes", err)
}

// enter counts a session in. The order of the questions keeps one address that
// has used up its own share from using up everyone's.
func (a *admission) enter(at netip.Addr) (*address, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var from *address
	if a.perAddress > 0 {
		if from = a.addresses[at]; from != nil && from.open >= a.perAddress {
			return nil, errAddress
		}
	}
	if a.sessions > 0 && a.open >= a.sessions {
		return nil, errSessions
	}
	if a.handshakes != nil && !a.handshakes.Allow() {
		return nil, errHandshakes
	}
	a.open++
	if a.perAddress > 0 {
		if from == nil {
			from = &address{at: at}
			a.addresses[at] = from
		}
		from.open++
	}
	return from, nil
}

func (a *admission) leave(from *address) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open--
	if from == nil {
		return
	}
	if from.open--; from.open == 0 {
		delete(a.addresses, from.at)
	}
}

// place is the place of a session that there may be.
type place struct {
	admission *admission
	from      *address
}

// take gives the place to a session, which leaves it when it ends.
func (p *place) take() *address {
	p.admission = nil
	return p.from
}

// leave gives a place back that no session has taken.
func (p *place) leave() {
	if p.admission != nil {
		p.admission.leave(p.from)
	}
}

// network is what the sessions of a client are counted by: its address, and of
// IPv6 the first 64 bits, since whoever has one such address has them all. What
// is not an IP address, such as the peer of a Unix socket, counts as one.
func network(remote string) netip.Addr {
	peer, err := netip.ParseAddrPort(remote)
	addr := peer.Addr()
	if err != nil {
		if addr, err = netip.ParseAddr(remote); err != nil {
			return netip.Addr{}
		}
	}
	if addr = addr.Unmap().WithZone(""); addr.Is4() {
		return addr
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return netip.Addr{}
	}
	return prefix.Addr()
}
