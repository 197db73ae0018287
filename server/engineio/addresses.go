package engineio

import (
	"net/netip"
	"time"
)

// addresses counts what the clients of each address have: open sessions, and
// handshakes that still weigh on its allowance. It knows only the addresses that
// have one of both, and of those without an open session at most 2 × maxResting: limits
// per address do not stop a client with so many addresses. admission.mu guards it.
type addresses struct {
	open map[netip.Addr]*address // with an open session
	// Without one. Handshakes are forgotten after the time of a burst, so what
	// was put here before the last two turns weighs nothing any more.
	resting, rested map[netip.Addr]allowance
	turned          time.Time
}

const maxResting = 1 << 15

// address counts the sessions and handshakes of one client address.
type address struct {
	at         netip.Addr
	sessions   int
	handshakes allowance
}

// allowance is the time at which all handshakes of an address are forgotten:
// each moves it on by the interval between two that are allowed for long. An
// address may be ahead of the clock by as much as its burst weighs.
type allowance time.Time

// pace is how often handshakes may come.
type pace struct {
	interval time.Duration // between two, for long
	burst    time.Duration // what those that come at once may weigh; 0: no limit
}

func newPace(perSecond, burst int) pace {
	if perSecond <= 0 {
		return pace{}
	}
	interval := time.Second / time.Duration(perSecond)
	return pace{interval, interval * time.Duration(max(burst, 1))}
}

// admits reports whether one more handshake is within the burst.
func (p pace) admits(a allowance, now time.Time) bool {
	return p.burst == 0 || !time.Time(a).Add(p.interval).After(now.Add(p.burst))
}

// add returns the allowance after one more handshake.
func (p pace) add(a allowance, now time.Time) allowance {
	if time.Time(a).Before(now) {
		a = allowance(now)
	}
	return allowance(time.Time(a).Add(p.interval))
}

// find returns what is known of an address.
func (a *addresses) find(at netip.Addr) (sessions int, handshakes allowance) {
	if known := a.open[at]; known != nil {
		return known.sessions, known.handshakes
	}
	if h, ok := a.resting[at]; ok {
		return 0, h
	}
	return 0, a.rested[at]
}

// enter counts a session in.
func (a *addresses) enter(at netip.Addr, handshakes allowance) *address {
	known := a.open[at]
	if known == nil {
		known = &address{at: at}
		a.open[at] = known
		delete(a.resting, at)
		delete(a.rested, at)
	}
	known.sessions++
	known.handshakes = handshakes
	return known
}

// leave counts a session out.
func (a *addresses) leave(known *address, p pace, now time.Time) {
	if known.sessions--; known.sessions > 0 {
		return
	}
	delete(a.open, known.at)
	if p.burst == 0 || !time.Time(known.handshakes).After(now) {
		return
	}
	if now.Sub(a.turned) >= p.burst {
		a.rested, a.resting = a.resting, nil
		if now.Sub(a.turned) >= 2*p.burst {
			a.rested = nil
		}
		a.turned = now
	}
	if a.resting == nil {
		a.resting = make(map[netip.Addr]allowance)
	}
	if len(a.resting) < maxResting {
		a.resting[known.at] = known.handshakes
	}
}

// network returns the address by which the sessions of a client are counted: an IPv4
// address, or the first 64 bits of an IPv6 address, since a client usually has all
// addresses of such a network. All peers without an IP address, such as those of a Unix
// socket, count as one.
func network(remote string) netip.Addr { return networkOf(clientAddr(remote)) }

// clientAddr returns the address in http.Request.RemoteAddr, without a zone and with
// IPv4-mapped addresses unmapped; the zero Addr if there is none.
func clientAddr(remote string) netip.Addr {
	peer, err := netip.ParseAddrPort(remote)
	addr := peer.Addr()
	if err != nil {
		addr, _ = netip.ParseAddr(remote)
	}
	return addr.Unmap().WithZone("")
}

func networkOf(addr netip.Addr) netip.Addr {
	if addr.Is4() {
		return addr
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return netip.Addr{}
	}
	return prefix.Addr()
}
