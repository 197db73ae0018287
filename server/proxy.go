package server

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// forwarded sets, on requests from trusted proxies, what the client sent to the first
// of those proxies: RemoteAddr from X-Forwarded-For, Host from X-Forwarded-Host, and
// URL.Scheme from X-Forwarded-Proto. It ignores earlier elements of the headers,
// which clients can forge.
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
		client, proxies := walkBack(trusted, peer.Addr(), r.Header.Values("X-Forwarded-For"))
		own := *r
		own.RemoteAddr = net.JoinHostPort(client.String(), "0")
		if host := written(r.Header.Values("X-Forwarded-Host"), proxies); validHost(host) {
			own.Host = host
		}
		if scheme := forwardedScheme(written(r.Header.Values("X-Forwarded-Proto"), proxies)); scheme != "" {
			u := *r.URL
			u.Scheme, u.Host = scheme, ""
			own.URL = &u
		}
		next.ServeHTTP(w, &own)
	})
}

// clientAddr returns the client's address, see walkBack.
func clientAddr(trusted []netip.Prefix, peer netip.Addr, header []string) netip.Addr {
	client, _ := walkBack(trusted, peer, header)
	return client
}

// walkBack follows X-Forwarded-For from its end while the addresses are trusted. It
// returns the first address that is not, and the number of trusted proxies. It does
// not read the rest of the header, so a long list from a client costs nothing.
func walkBack(trusted []netip.Prefix, peer netip.Addr, header []string) (client netip.Addr, proxies int) {
	trusts := func(a netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a.Unmap().WithZone("")) })
	}
	for hop := range backwards(header) {
		if !trusts(peer) {
			return peer, proxies
		}
		proxies++
		before, ok := parseHop(hop)
		if !ok {
			return peer, proxies
		}
		peer = before
	}
	if proxies == 0 && trusts(peer) {
		proxies = 1
	}
	return peer, proxies
}

// backwards yields the elements of a list header, which may have several lines, in
// reverse order.
func backwards(header []string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, line := range slices.Backward(header) {
			for more := true; more; {
				element := line
				if i := strings.LastIndexByte(line, ','); i >= 0 {
					line, element = line[:i], line[i+1:]
				} else {
					more = false
				}
				if !yield(strings.TrimSpace(element)) {
					return
				}
			}
		}
	}
}

// written returns the element of a list header that the first of the trusted proxies
// wrote; each later proxy may have appended one. If the list is shorter, proxies have
// replaced it, and its first element counts.
func written(header []string, proxies int) (element string) {
	for e := range backwards(header) {
		if proxies--; proxies < 0 {
			break
		}
		element = e
	}
	return element
}

// forwardedScheme returns http or https, or "" for anything else.
func forwardedScheme(s string) string {
	switch strings.ToLower(s) {
	case "http", "ws":
		return "http"
	case "https", "wss":
		return "https"
	}
	return ""
}

// maxHost is the length of the longest host name with a port.
const maxHost = 255 + len(":65535")

// validHost reports whether s may stand in a Host header.
func validHost(s string) bool {
	valid := func(c rune) bool {
		return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.ContainsRune("-._:[]", c)
	}
	return s != "" && len(s) <= maxHost && !strings.ContainsFunc(s, func(c rune) bool { return !valid(c) })
}

// parseHop parses an address, which some proxies write with the port. It unmaps IPv4
// and removes the zone, so that limits per address see one form of each address.
func parseHop(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		var ap netip.AddrPort
		ap, err = netip.ParseAddrPort(s)
		addr = ap.Addr()
	}
	return addr.Unmap().WithZone(""), err == nil
}
