package config

import (
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// pemMark begins every PEM block.
const pemMark = "-----BEGIN "

// value is a kind of setting, bound to the field that stores it.
type value struct {
	kind    string              // its name in --help
	allowed string              // completes "must be …"
	secret  bool                // never shown, except the part that show returns
	show    func(string) string // returns the part of a wrong value that may be shown; may be nil
	// set stores the value and reports whether it is allowed. It is not called with an
	// empty text unless the setting has a default.
	set func(string) bool
}

func text(into *string) value {
	return value{kind: "string", allowed: "a string", set: func(s string) bool {
		*into = s
		return true
	}}
}

func secret(into *Secret) value {
	return value{kind: "secret", allowed: "a string", secret: true, set: func(s string) bool {
		*into = NewSecret(s)
		return true
	}}
}

// sharedSecret refuses PEM: anyone who knows a public key could sign with it.
func sharedSecret(into *Secret) value {
	return value{kind: "secret", allowed: "a shared secret; set JWT_PUBLIC_KEY for a key in PEM", secret: true, set: func(s string) bool {
		*into = NewSecret(s)
		return !strings.Contains(s, pemMark)
	}}
}

// publicKey accepts PEM or a path, but no private key: a server that only verifies must
// not have one.
func publicKey(into *string) value {
	return value{kind: "pem|path", allowed: "a public key in PEM or the path of a file", set: func(s string) bool {
		*into = s
		return !strings.Contains(s, "PRIVATE KEY")
	}}
}

// number is a whole number in a decimal notation of JavaScript, such as 1e6.
func number(into *int, least, most int) value {
	return value{kind: "number", allowed: fmt.Sprintf("a whole number from %d to %d", least, most), set: func(s string) bool {
		n, ok := parseNumber(s)
		*into = int(n)
		return ok && n >= float64(least) && n <= float64(most)
	}}
}

// sizeUnits are the units of sizes. Those with an i are powers of 1024.
var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
}

// size is a number of bytes, with or without a unit.
func size(into *int, least, most int) value {
	return value{kind: "bytes", allowed: fmt.Sprintf("a size from %d to %d bytes, such as 65536, 64KiB or 1MB", least, most), set: func(s string) bool {
		unit := 1.0
		for _, u := range sizeUnits {
			if rest, ok := strings.CutSuffix(s, u.name); ok {
				s, unit = strings.TrimSpace(rest), u.bytes
				break
			}
		}
		n, ok := parseDecimal(s)
		n *= unit
		*into = int(n)
		return ok && n == math.Trunc(n) && n >= float64(least) && n <= float64(most)
	}}
}

// millis is a number of milliseconds, or a duration as in Go or in days.
func millis(into *time.Duration, least, most time.Duration) value {
	allowed := fmt.Sprintf("a whole number of milliseconds from %d to %d, or a duration such as 30s, 5m or 1d", least.Milliseconds(), most.Milliseconds())
	return value{kind: "ms", allowed: allowed, set: func(s string) bool {
		d, err := parseDuration(s)
		if n, ok := parseNumber(s); ok && math.Abs(n) < 1e12 {
			d, err = time.Duration(n)*time.Millisecond, nil
		}
		*into = d
		return err == nil && d >= least && d <= most
	}}
}

// parseDuration is time.ParseDuration that also accepts days of 24 hours, as in 1d12h.
func parseDuration(s string) (time.Duration, error) {
	days, rest, ok := strings.Cut(s, "d")
	if !ok {
		return time.ParseDuration(s)
	}
	n, valid := parseDecimal(days)
	if !valid || n < 0 || n > 36500 {
		return 0, strconv.ErrSyntax
	}
	d := time.Duration(n * float64(24*time.Hour))
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err == nil && more < 0 {
		err = strconv.ErrSyntax
	}
	return d + more, err
}

// parseNumber parses a whole number.
func parseNumber(s string) (float64, bool) {
	n, ok := parseDecimal(s)
	return n, ok && n == math.Trunc(n)
}

func parseDecimal(s string) (float64, bool) {
	if strings.Trim(s, "0123456789.eE+-") != "" { // ParseFloat takes hexadecimal, Inf and NaN
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

func boolean(into *bool) value {
	return value{kind: "bool", allowed: "true or false", set: func(s string) bool {
		b, err := strconv.ParseBool(strings.ToLower(s))
		*into = b
		return err == nil
	}}
}

func oneOf(into *string, options ...string) value {
	last := len(options) - 1
	allowed := strings.Join(options[:last], ", ") + " or " + options[last]
	return value{kind: strings.Join(options, "|"), allowed: allowed, set: func(s string) bool {
		*into = s
		return slices.Contains(options, s)
	}}
}

// prefix refuses the special characters of PSUBSCRIBE patterns, because Node's adapter
// does not escape them.
func prefix(into *string) value {
	return value{kind: "string", allowed: `a string without blanks, *, ?, [, ] and \`, set: func(s string) bool {
		*into = s
		return s != "" && !strings.ContainsAny(s, "*?[]\\ \t\r\n")
	}}
}

func host(into *string) value {
	return value{kind: "name", allowed: "a host name or an IP address, without a port", set: func(s string) bool {
		*into = s
		if _, err := netip.ParseAddr(s); err == nil {
			return true
		}
		return !strings.ContainsAny(s, ":/@?#[]% \t")
	}}
}

func redisURL(into *Secret) value {
	return value{kind: "url", allowed: "a URL such as rediss://user:password@host:6379/0", secret: true, set: func(s string) bool {
		*into = NewSecret(s)
		u, err := url.Parse(s)
		if err != nil {
			return false
		}
		switch u.Scheme {
		case "redis", "rediss":
			return u.Hostname() != ""
		case "unix":
			return u.Path != ""
		}
		return false
	}}
}

func webURL(into *Secret) value {
	return value{kind: "url", allowed: "a URL that starts with https:// or http://", secret: true, show: withoutPassword, set: func(s string) bool {
		*into = NewSecret(s)
		u, err := url.Parse(s)
		return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != ""
	}}
}

// withoutPassword returns a URL without its user and query, which may be secret, or "" if
// it cannot be parsed.
func withoutPassword(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return ""
	}
	if u.User != nil {
		u.User = url.User("hidden")
	}
	if u.RawQuery != "" {
		u.RawQuery = "hidden"
	}
	return u.String()
}

func prefixes(into *[]netip.Prefix) value {
	return value{kind: "list", allowed: "IP addresses or networks such as 10.0.0.0/8, separated by commas", set: func(s string) bool {
		for item := range items(s) {
			p, err := netip.ParsePrefix(item)
			if addr, e := netip.ParseAddr(item); e == nil && addr.Zone() == "" {
				p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
			}
			if err != nil {
				return false
			}
			*into = append(*into, p.Masked())
		}
		return true
	}}
}

// origins stores the origins in the form in which browsers send them, or * alone.
func origins(into *[]string) value {
	return value{kind: "list", allowed: "origins such as https://example.com, without a path, separated by commas, or *", set: func(s string) bool {
		if s == "*" {
			*into = []string{"*"}
			return true
		}
		for item := range items(s) {
			origin, ok := parseOrigin(item)
			if !ok {
				return false
			}
			*into = append(*into, origin)
		}
		return len(*into) > 0 // "," would otherwise open the server to all
	}}
}

// parseOrigin returns an origin as a browser sends it: in lower case and without
// the scheme's default port (RFC 6454 section 6.2).
func parseOrigin(s string) (string, bool) {
	u, err := url.Parse(strings.ToLower(s))
	if err != nil || u.Scheme == "" || u.Hostname() == "" || strings.ContainsAny(u.Host, "*, ") {
		return "", false
	}
	origin := u.Scheme + "://" + u.Host
	if origin != strings.ToLower(s) {
		return "", false
	}
	switch u.Scheme {
	case "http":
		origin = strings.TrimSuffix(origin, ":80")
	case "https":
		origin = strings.TrimSuffix(origin, ":443")
	}
	return origin, true
}

// items yields the non-empty parts of a comma-separated list, without surrounding blanks.
func items(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for item := range strings.SplitSeq(s, ",") {
			if item = strings.TrimSpace(item); item != "" && !yield(item) {
				return
			}
		}
	}
}
