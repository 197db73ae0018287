// Package clip shortens text for logs and messages.
package clip

import "strings"

// Text returns s, or at most the first most bytes of s and an ellipsis. It does not cut
// a character in two.
func Text(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
