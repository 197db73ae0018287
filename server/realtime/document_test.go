package realtime_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	tableRow = regexp.MustCompile("(?m)^\\|.*\\| `([^`]+)` \\|$")
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Benchmark)Document\w+)\(`)
	testCase = regexp.MustCompile(`(?m)^\tt\.Run\("([^"]+)", `)
)

// TestDocumentTable holds compat/DOCUMENT.md and the tests in the files
// document_*_test.go equal.
func TestDocumentTable(t *testing.T) {
	text, err := os.ReadFile("../../compat/DOCUMENT.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed, there []string
	for _, row := range tableRow.FindAllStringSubmatch(string(text), -1) {
		listed = append(listed, row[1])
	}
	files, err := filepath.Glob("document_*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		there = append(there, testsOf(string(source))...)
	}
	slices.Sort(listed)
	slices.Sort(there)
	if len(listed) == 0 || !slices.Equal(listed, there) {
		t.Errorf("the table lists\n%s\nthe tests are\n%s", strings.Join(listed, "\n"), strings.Join(there, "\n"))
	}
}

// testsOf returns the tests and the subtests of a file.
func testsOf(source string) (names []string) {
	funcs := testFunc.FindAllStringSubmatchIndex(source, -1)
	for i, f := range funcs {
		name, end := source[f[2]:f[3]], len(source)
		if i+1 < len(funcs) {
			end = funcs[i+1][0]
		}
		cases := testCase.FindAllStringSubmatch(source[f[1]:end], -1)
		if len(cases) == 0 {
			names = append(names, name)
		}
		for _, c := range cases {
			names = append(names, name+"/"+strings.ReplaceAll(c[1], " ", "_"))
		}
	}
	return names
}
