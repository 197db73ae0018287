package hardening_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var reference = regexp.MustCompile("`([a-z0-9/-]+)\\.(Test\\w+)`")

// TestTable checks that every row of HARDENING.md names tests, that these exist,
// and that a row names each test of this package.
func TestTable(t *testing.T) {
	text, err := os.ReadFile("../HARDENING.md")
	if err != nil {
		t.Fatal(err)
	}
	packages := make(map[string]map[string]bool)
	named := make(map[string]bool)
	rows := 0
	for line := range strings.Lines(string(text)) {
		claim, tests, ok := strings.Cut(strings.Trim(strings.TrimSpace(line), "| "), " | ")
		if !ok || claim == "claim" || !strings.HasPrefix(line, "|") {
			continue
		}
		rows++
		found := reference.FindAllStringSubmatch(tests, -1)
		if len(found) == 0 {
			t.Errorf("no test: %s", claim)
		}
		for _, ref := range found {
			dir, name := ref[1], ref[2]
			if packages[dir] == nil {
				packages[dir] = testsOf(t, filepath.Join("../..", dir))
			}
			if !packages[dir][name] {
				t.Errorf("%s has no %s: %s", dir, name, claim)
			}
			if dir == "compat/hardening" {
				named[name] = true
			}
		}
	}
	if rows == 0 {
		t.Error("the table has no rows")
	}
	for name := range testsOf(t, ".") {
		if !named[name] && name != "TestTable" {
			t.Errorf("%s is in no row", name)
		}
	}
}

// testsOf returns the names of the tests in a directory.
func testsOf(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	tests := make(map[string]bool)
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain" {
				tests[fn.Name.Name] = true
			}
		}
	}
	return tests
}
