package compat_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The number of cases in the published suites.
const (
	engine3Cases = 23 // without the one that it skips itself
	engineCases  = 25
	socketCases  = 32
)

// TestCases checks that CASES.md names every case of the published suites, and the transcript that contains it.
func TestCases(t *testing.T) {
	table, err := os.ReadFile("CASES.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	counts := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^\| ((?:engine|socket)\.io v\d): (.*) \| (\S+) \|$`).FindAllStringSubmatch(string(table), -1) {
		want[m[1]+": "+m[2]] = m[3]
		counts[m[1]]++
	}
	if counts["engine.io v3"] != engine3Cases || counts["engine.io v4"] != engineCases || counts["socket.io v5"] != socketCases {
		t.Errorf("CASES.md lists %v cases", counts)
	}

	paths, err := filepath.Glob("transcripts/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, path := range paths {
		tr, err := readTranscript(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range tr.cases {
			if got[name] != "" {
				t.Errorf("case in %s and %s: %s", got[name], path, name)
			}
			got[name] = strings.TrimSuffix(filepath.Base(path), ".txt")
		}
	}
	names := slices.Sorted(maps.Keys(want))
	for name := range got {
		if _, listed := want[name]; !listed {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if want[name] != got[name] {
			t.Errorf("%s: in %q according to CASES.md, found in %q", name, want[name], got[name])
		}
	}
}
