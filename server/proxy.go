package server

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// forwarded gives requests that come through trusted proxies what their client
// sent to the first of them: its address, which the proxies append to
// X-Forwarded-For, the host that it asked for (X-Forwarded-Host) and the scheme
// (X-Forwarded-Proto), which becomes the URL's. What stands in the headers before
// that anybody can write.
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

// clientAddr is the client's address: see walkBack.
func clientAddr(trusted []netip.Prefix, peer netip.Addr, header []string) netip.Addr {
	client, _ := walkBack(trusted, peer, header)
	return client
}

// walkBack goes back through the proxies as long as they are trusted, counts
// them, and looks at nothing before: however long a list clients send, it costs
// nothing.
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

// backwards yields the elements of a list, which may have several lines, the last
// first.
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

// written is the element of a list that the first of the trusted proxies has
// written, to which each that came after it may have added its own. A shorter list
// is of proxies that replace it, and the first element counts.
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

// maxHost is the length of the longest name with a port.
const maxHost = 255 + len(":65535")

// validHost reports whether s may stand in a Host header.
func validHost(s string) bool {
	valid := func(c rune) bool {
		return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.ContainsRune("-._:[]", c)
	}
	return s != "" && len(s) <= maxHost && !strings.ContainsFunc(s, func(c rune) bool { return !valid(c) })
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
