package server

import (
	"net/netip"
	"slices"

	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/engineio"
)

// limitAddresses sets what the clients of one address may have. Limits that
// nobody has set hold for the open internet: a loopback or private address may
// stand for a whole company, a test, or a proxy that does not say for whom it
// asks. One that was set holds for every address.
func limitAddresses(opts *engineio.Options, cfg config.Config) {
	opts.MaxSessionsPerAddress = cfg.MaxConnectionsPerAddress
	opts.MaxHandshakesPerAddress = cfg.MaxHandshakesPerAddress
	if cfg.ConnectionsPerAddressSet && cfg.HandshakesPerAddressSet {
		return
	}
	opts.ExemptAddress = func(client netip.Addr) (fromSessions, fromHandshakes bool) {
		ours := isLocalAddress(client) || slices.ContainsFunc(cfg.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(client) })
		return ours && !cfg.ConnectionsPerAddressSet, ours && !cfg.HandshakesPerAddressSet
	}
}

// carrierGrade is where carriers and clouds put hosts behind their NAT (RFC
// 6598). On the internet nobody comes from there: it is a network of one's own.
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

// isLocalAddress reports whether an address cannot be one of the open internet. What is
// no IP address is the peer of a Unix socket.
func isLocalAddress(a netip.Addr) bool {
	return !a.IsValid() || a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified() || carrierGrade.Contains(a)
}
