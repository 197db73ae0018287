package config

import (
	"slices"
	"strings"
)

// nearest returns the known name that name is probably a misspelling of, or "".
func nearest(name string, known []string) string {
	best, least := "", 1
	if len(name) >= 8 {
		least = 2
	}
	for _, k := range known {
		if d := distance(name, k); d <= least && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

// distance returns the least number of letters to insert, remove, replace or swap with a
// neighbour that turns a into b.
func distance(a, b string) int {
	const far = 1000
	if d := len(a) - len(b); d > 2 || d < -2 {
		return far
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			change := 1
			if a[i] == b[j] {
				change = 0
			}
			row[j+1] = min(last[j]+change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// Misspelled returns a warning for each variable of environ, which has the form of
// os.Environ, that looks like a setting but is not one: it begins with WS_ or JWT_, or
// differs from a setting's name by a letter or two. Values are not shown.
func Misspelled(environ []string) []string {
	var d draft
	known := []string{portVariable}
	var long []string // too many words are near a short name: APP_KEY to API_KEY, POST to PORT
	for _, s := range d.settings() {
		known = append(known, s.name)
		if len(s.name) >= 8 {
			long = append(long, s.name)
		}
	}
	var lines []string
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if slices.Contains(known, name) {
			continue
		}
		if meant := nearest(name, long); meant != "" {
			lines = append(lines, shortened(name)+" is not a setting and is ignored: did you mean "+meant+"?")
		} else if strings.HasPrefix(name, "WS_") || strings.HasPrefix(name, "JWT_") {
			lines = append(lines, shortened(name)+" is not a setting and is ignored: puente --help lists all")
		}
	}
	slices.Sort(lines)
	return lines
}
