// Package urlquery decodes queries as a URLSearchParams of JavaScript does, with which
// clients encode them: nothing is an error.
package urlquery

import (
	"iter"
	"net/url"
	"strconv"
	"strings"
)

// All returns the parameters of a query, without the "?", in their order.
func All(query string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for pair := range strings.SplitSeq(query, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if pair != "" && !yield(unescape(name), unescape(value)) {
				return
			}
		}
	}
}

// unescape decodes a name or value. A "%" without two digits stands for itself.
func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				c = byte(n)
				i += 2
			}
		} else if c == '+' {
			c = ' '
		}
		b.WriteByte(c)
	}
	return b.String()
}
