package server

import (
	"net/netip"
	"slices"

	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/engineio"
)

// limitAddresses sets the limits per client address. Default limits do not apply to
// loopback and private addresses and trusted proxies, because one of those may stand
// for a whole company, a test, or a proxy that forwards no client address. A limit
// that was configured applies to every address.
func limitAddresses(opts *engineio.Options, cfg config.Config) {
	opts.MaxSessionsPerAddress = cfg.MaxConnectionsPerAddress
	opts.MaxHandshakesPerAddress = cfg.MaxHandshakesPerAddress
	if cfg.ConnectionsPerAddressSet && cfg.HandshakesPerAddressSet {
		return
	}
	opts.ExemptAddress = func(client netip.Addr) (fromSessions, fromHandshakes bool) {
		local := isLocalAddress(client) || slices.ContainsFunc(cfg.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(client) })
		return local && !cfg.ConnectionsPerAddressSet, local && !cfg.HandshakesPerAddressSet
	}
}

// carrierGrade is the shared address space of carrier-grade NAT (RFC 6598). It is
// not routed on the internet, so its clients are in the operator's own network.
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

// isLocalAddress reports whether an address is not one of the public internet. An
// invalid one is the peer of a Unix socket, and local.
func isLocalAddress(a netip.Addr) bool {
	return !a.IsValid() || a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified() || carrierGrade.Contains(a)
}
