package config

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The table of settings in server/README.md has every setting, with its default, and no
// other.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| variable | default |")
	table, _, _ = strings.Cut(table, "\n## ")
	name := regexp.MustCompile("`([A-Z][A-Z0-9_]+)`")
	defaults := make(map[string]string) // of each row that has the variable in its first column
	for line := range strings.Lines(table) {
		if columns := strings.Split(line, "|"); len(columns) > 3 {
			for _, match := range name.FindAllStringSubmatch(columns[1], -1) {
				defaults[match[1]] = columns[2]
			}
		}
	}
	var d draft
	for _, s := range d.settings() {
		row, ok := defaults[s.name]
		if !ok {
			t.Errorf("%s is not in the table", s.name)
		}
		want := s.fallback
		if n, err := strconv.ParseFloat(want, 64); err == nil {
			want = strconv.FormatFloat(n, 'f', -1, 64)
		}
		implied := s.name == "REDIS_PORT" // it counts only beside REDIS_HOST
		if !implied && !slices.Contains(strings.FieldsFunc(row, func(r rune) bool { return strings.ContainsRune(" ,;", r) }), want) && want != "" {
			t.Errorf("%s has the default %s, the table says %q", s.name, want, strings.TrimSpace(row))
		}
		delete(defaults, s.name)
	}
	for name := range defaults {
		t.Errorf("%s is in the table and is no setting", name)
	}
}
