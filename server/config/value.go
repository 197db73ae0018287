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

// pemMark tells PEM from anything else.
const pemMark = "-----BEGIN "

// value is a kind of setting, bound to where it is stored.
type value struct {
	kind    string // its name in --help
	allowed string // completes "must be …"
	secret  bool   // it is never shown
	// set stores the value if it is allowed. It is not called for an empty text
	// unless the setting has a default.
	set func(string) bool
}

func text(into *string) value {
	return value{"text", "a text", false, func(s string) bool {
		*into = s
		return true
	}}
}

func secret(into *Secret) value {
	return value{"secret", "a text", true, func(s string) bool {
		*into = NewSecret(s)
		return true
	}}
}

// sharedSecret refuses keys: whoever knows a public key could sign with it.
func sharedSecret(into *Secret) value {
	return value{"secret", "a shared secret; a key in PEM belongs into JWT_PUBLIC_KEY", true, func(s string) bool {
		*into = NewSecret(s)
		return !strings.Contains(s, pemMark)
	}}
}

// environment takes any name, as Node does.
func environment(production *bool) value {
	return value{"name", "a name", false, func(s string) bool {
		*production = s == "production"
		return true
	}}
}

// number is a whole number in any notation of JavaScript's, such as 1e6.
func number(into *int, least, most int) value {
	return value{"number", fmt.Sprintf("a whole number from %d to %d", least, most), false, func(s string) bool {
		n, ok := parseNumber(s)
		*into = int(n)
		return ok && n >= float64(least) && n <= float64(most)
	}}
}

// millis is a number of milliseconds or a duration as Go writes it.
func millis(into *time.Duration, least, most time.Duration) value {
	allowed := fmt.Sprintf("a whole number of milliseconds from %d to %d, or a duration such as 30s", least.Milliseconds(), most.Milliseconds())
	return value{"ms", allowed, false, func(s string) bool {
		d, err := time.ParseDuration(s)
		if n, ok := parseNumber(s); ok && math.Abs(n) < 1e12 {
			d, err = time.Duration(n)*time.Millisecond, nil
		}
		*into = d
		return err == nil && d >= least && d <= most
	}}
}

func parseNumber(s string) (float64, bool) {
	if strings.Trim(s, "0123456789.eE+-") != "" { // ParseFloat takes hexadecimal, Inf and NaN
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil && n == math.Trunc(n)
}

func boolean(into *bool) value {
	return value{"bool", "true or false", false, func(s string) bool {
		b, err := strconv.ParseBool(strings.ToLower(s))
		*into = b
		return err == nil
	}}
}

func oneOf(into *string, options ...string) value {
	last := len(options) - 1
	allowed := strings.Join(options[:last], ", ") + " or " + options[last]
	return value{strings.Join(options, "|"), allowed, false, func(s string) bool {
		*into = s
		return slices.Contains(options, s)
	}}
}

// prefix refuses what would be a pattern in PSUBSCRIBE, where Node's adapter does
// not escape it.
func prefix(into *string) value {
	return value{"text", `a text without blanks, *, ?, [, ] and \`, false, func(s string) bool {
		*into = s
		return s != "" && !strings.ContainsAny(s, "*?[]\\ \t\r\n")
	}}
}

func host(into *string) value {
	return value{"name", "a host name or an IP address, without a port", false, func(s string) bool {
		*into = s
		if _, err := netip.ParseAddr(s); err == nil {
			return true
		}
		return !strings.ContainsAny(s, ":/@?#[]% \t")
	}}
}

func redisURL(into *Secret) value {
	return value{"url", "a URL such as rediss://user:password@host:6379/0", true, func(s string) bool {
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
	return value{"url", "a URL that starts with https:// or http://", true, func(s string) bool {
		*into = NewSecret(s)
		u, err := url.Parse(s)
		return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != ""
	}}
}

func prefixes(into *[]netip.Prefix) value {
	return value{"list", "IP addresses or networks such as 10.0.0.0/8, separated by commas", false, func(s string) bool {
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
	return value{"list", "origins such as https://example.com, without a path, separated by commas, or *", false, func(s string) bool {
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

// items yields the parts of a list, without blanks and empty ones.
func items(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for item := range strings.SplitSeq(s, ",") {
			if item = strings.TrimSpace(item); item != "" && !yield(item) {
				return
			}
		}
	}
}
