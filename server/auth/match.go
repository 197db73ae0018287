package auth

import "strings"

// match reports whether name matches the pattern, as described at [Claims.MayJoin].
// It searches for the parts between the stars from the left. Taking the first
// occurrence of each leaves the most text for the following parts, so it never
// backtracks.
func match(pattern, name string) bool {
	head, rest, starred := strings.Cut(pattern, "*")
	name, ok := strings.CutPrefix(name, head)
	if !ok || !starred {
		return ok && name == ""
	}
	for {
		part, next, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(name, part)
		}
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name, rest = name[i+len(part):], next
	}
}
