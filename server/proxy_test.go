package server

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

// FuzzClientAddr: the client's address is that of the peer, or an address in
// X-Forwarded-For that only trusted proxies follow. It is always in canonical form, on
// which the limits per address rely.
func FuzzClientAddr(f *testing.F) {
	for _, s := range []string{"", "203.0.113.9", "198.51.100.1, 10.0.0.1", "10.0.0.1,10.0.0.2", "[2001:db8::1]:80", "fe80::1%eth0", "::ffff:10.0.0.1", "unknown,10.0.0.1", "203.0.113.9:4711,\x00", "1.2.3.4]", ",,,", "0:0:0:0:0:0:0:1"} {
		f.Add("10.1.1.1", s, "")
		f.Add("192.0.2.1", s, "10.2.2.2")
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	trusts := func(a netip.Addr) bool { return trusted[0].Contains(a.Unmap().WithZone("")) }
	f.Fuzz(func(t *testing.T, from, header1, header2 string) {
		peer, err := netip.ParseAddr(from)
		if err != nil {
			return
		}
		header := []string{header1}
		if header2 != "" {
			header = append(header, header2)
		}
		got := clientAddr(trusted, peer, header)
		if got != peer && (!trusts(peer) || got.Zone() != "" || got.Is4In6()) {
			t.Errorf("%s, %q, %q: %s", from, header1, header2, got)
		}
		if host, _, err := net.SplitHostPort(net.JoinHostPort(got.String(), "0")); err != nil || host != got.String() {
			t.Errorf("%s, %q, %q: %s cannot be written", from, header1, header2, got)
		}
		// Only trusted proxies follow it.
		hops := strings.Split(strings.Join(header, ","), ",")
		for len(hops) > 0 && got != peer {
			hop, ok := parseHop(strings.TrimSpace(hops[len(hops)-1]))
			if hops = hops[:len(hops)-1]; hop == got && (len(hops) == 0 || !trusts(hop) || !readable(hops)) {
				return
			}
			if !ok || !trusts(hop) {
				t.Fatalf("%s, %q, %q: %s", from, header1, header2, got)
			}
		}
		if got != peer {
			t.Errorf("%s, %q, %q: %s is nowhere", from, header1, header2, got)
		}
	})
}

func readable(hops []string) bool {
	_, ok := parseHop(strings.TrimSpace(hops[len(hops)-1]))
	return ok
}
