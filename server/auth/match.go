package auth

import "strings"

// match reports whether name fits the pattern, as described at [Claims.MayJoin].
// The parts between the stars are sought from the left, each once: taking the first
// occurrence leaves the most for the parts after it, so nothing needs to be tried
// twice.
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
