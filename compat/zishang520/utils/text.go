package utils

import (
	"net"
	"path"
	"strings"
)

// Value returns value, or fallback if value is "".
func Value(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

// Contains returns the first of the needles that text contains, or "".
func Contains(text string, needles []string) string {
	for _, n := range needles {
		if n != "" && strings.Contains(text, n) {
			return n
		}
	}
	return ""
}

// StripHostPort returns the host of "host:port", and anything else unchanged.
func StripHostPort(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// CleanPath is path.Clean for paths of URLs: it keeps a slash at the end, and adds
// one at the start.
func CleanPath(p string) string {
	clean := path.Clean("/" + p)
	if clean != "/" && strings.HasSuffix(p, "/") {
		clean += "/"
	}
	return clean
}

// CheckInvalidHeaderChar reports whether value has control characters, which a
// header must not have; tabs are allowed.
func CheckInvalidHeaderChar(value string) bool {
	return strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
