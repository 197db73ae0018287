package server

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// forwarded gives requests that come through trusted proxies the address of
// their client, which the proxies append to X-Forwarded-For. What stands there
// before the first address that is not a trusted proxy's anybody can write.
func forwarded(trusted []netip.Prefix, next http.Handler) http.Handler {
	if len(trusted) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil {
			next.ServeHTTP(w, r)
			return
		}
		client := clientAddr(trusted, peer.Addr(), r.Header.Values("X-Forwarded-For"))
		own := *r
		own.RemoteAddr = net.JoinHostPort(client.String(), "0")
		next.ServeHTTP(w, &own)
	})
}

// clientAddr goes back through the proxies as long as they are trusted, and
// looks at nothing before: however long a list clients send, it costs nothing.
func clientAddr(trusted []netip.Prefix, peer netip.Addr, header []string) netip.Addr {
	for _, line := range slices.Backward(header) {
		for more := true; more; {
			if !slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(peer.Unmap().WithZone("")) }) {
				return peer
			}
			hop := line
			if i := strings.LastIndexByte(line, ','); i >= 0 {
				line, hop = line[:i], line[i+1:]
			} else {
				more = false
			}
			before, ok := parseHop(strings.TrimSpace(hop))
			if !ok {
				return peer
			}
			peer = before
		}
	}
	return peer
}

// parseHop reads an address, which some proxies write with the port. An address
// has one form here, whatever is written before it or behind a %: what counts by
// addresses would take each for another.
func parseHop(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		var ap netip.AddrPort
		ap, err = netip.ParseAddrPort(s)
		addr = ap.Addr()
	}
	return addr.Unmap().WithZone(""), err == nil
}
