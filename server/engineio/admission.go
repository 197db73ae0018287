package engineio

import (
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Why a handshake was refused; the client does not see it.
var (
	errSessions                = errors.New("engineio: MaxSessions reached")
	errAddress           error = addressError("MaxSessionsPerAddress")
	errAddressHandshakes error = addressError("MaxHandshakesPerAddress")
	errHandshakes              = errors.New("engineio: MaxHandshakesPerSecond reached")
	errStopping                = errors.New("engineio: draining")
)

// addressError is an ErrAddressLimit that names the limit.
type addressError string

func (e addressError) Error() string        { return "engineio: " + string(e) + " reached" }
func (e addressError) Is(target error) bool { return target == ErrAddressLimit }

// admission counts sessions against the limits before anything else is done for them. A
// session counts from its handshake, even if that fails, until nothing more is sent to
// the client.
type admission struct {
	opts       *Options
	pace       pace          // of one address
	handshakes *rate.Limiter // of all; nil: any number

	mu        sync.Mutex
	open      int
	addresses addresses
}

func (a *admission) init(opts *Options) {
	a.opts = opts
	a.pace = newPace(opts.MaxHandshakesPerAddress, opts.HandshakeBurstPerAddress)
	a.addresses.open = make(map[netip.Addr]*address)
	if n := opts.MaxHandshakesPerSecond; n > 0 {
		a.handshakes = rate.NewLimiter(rate.Limit(n), n)
	}
}

// enterSession reserves the session that a request would open.
func (srv *Server) enterSession(r *http.Request) (reservation, *HandshakeError) {
	a := &srv.admission
	from, err := a.enter(a.limitsOf(r.RemoteAddr))
	switch err {
	case nil:
		return reservation{a, from}, nil
	case errSessions:
		srv.limits.sessions.Add(1)
		return reservation{}, overloaded(http.StatusServiceUnavailable, "Too many connections", err)
	case errAddress:
		srv.limits.addresses.Add(1)
		return reservation{}, overloaded(http.StatusTooManyRequests, "Too many connections from this address", err)
	case errAddressHandshakes:
		srv.limits.addressHandshakes.Add(1)
		return reservation{}, overloaded(http.StatusTooManyRequests, "Too many handshakes from this address", err)
	}
	srv.limits.handshakes.Add(1)
	return reservation{}, overloaded(http.StatusTooManyRequests, "Too many handshakes", err)
}

// addressLimits are the limits that hold for one address.
type addressLimits struct {
	at       netip.Addr
	sessions int // 0: any number
	pace     pace
}

func (l addressLimits) any() bool { return l.sessions > 0 || l.pace.burst > 0 }

// limitsOf returns what holds for the client of a request.
func (a *admission) limitsOf(remote string) (l addressLimits) {
	sessions, exempt := a.opts.MaxSessionsPerAddress, a.opts.ExemptAddress
	if sessions <= 0 && a.pace.burst == 0 {
		return l
	}
	client := clientAddr(remote)
	l = addressLimits{networkOf(client), max(sessions, 0), a.pace}
	if exempt != nil {
		fromSessions, fromHandshakes := exempt(client)
		if fromSessions {
			l.sessions = 0
		}
		if fromHandshakes {
			l.pace = pace{}
		}
	}
	return l
}

// enter counts a session in. The limits per address are checked first, so that an address
// that has used up its own share does not use up the common one. A refused handshake
// counts nowhere.
func (a *admission) enter(l addressLimits) (*address, error) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	var handshakes allowance
	if l.any() {
		var sessions int
		sessions, handshakes = a.addresses.find(l.at)
		switch {
		case l.sessions > 0 && sessions >= l.sessions:
			return nil, errAddress
		case !l.pace.admits(handshakes, now):
			return nil, errAddressHandshakes
		}
	}
	if a.opts.MaxSessions > 0 && a.open >= a.opts.MaxSessions {
		return nil, errSessions
	}
	if a.handshakes != nil && !a.handshakes.AllowN(now, 1) {
		return nil, errHandshakes
	}
	a.open++
	if !l.any() {
		return nil, nil
	}
	return a.addresses.enter(l.at, l.pace.add(handshakes, now)), nil
}

func (a *admission) leave(from *address) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open--
	if from != nil {
		a.addresses.leave(from, a.pace, now)
	}
}

// reservation is one session of the limits; it is released unless a session takes it.
type reservation struct {
	admission *admission
	from      *address
}

// take transfers the reservation to a session, which releases it when it ends.
func (p *reservation) take() *address {
	p.admission = nil
	return p.from
}

// release releases a reservation that no session has taken.
func (p *reservation) release() {
	if p.admission != nil {
		p.admission.leave(p.from)
	}
}
