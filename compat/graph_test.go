package compat_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/puente-io/puente"

// layer is the rule for the imports of the packages at a path and below it.
type layer struct {
	path string
	// may lists packages of the module; a name that ends in "/..." includes the packages below it.
	may []string
	// never lists forbidden imports from outside the module: import paths, or parts of them.
	never []string
	// tests applies the rule to the package's tests too.
	tests bool
}

// leaves import nothing from the module; every package may import them.
var leaves = []string{"server/ident", "server/internal/clip", "server/internal/isotime", "server/internal/urlquery", "server/waittest"}

// layers is the architecture. The rule with the longest matching path applies to a package.
var layers = []layer{
	{path: "cmd/puente", may: []string{"server", "server/config"}},
	{path: "cmd/puente-bench", may: []string{"cmd/puente-bench/..."}, tests: true},
	{path: "server", may: []string{"server/...", "handlers/..."}},
	{path: "handlers", may: []string{"server/realtime", "server/socketio"}, never: []string{"net/http", "redis"}},

	{path: "server/engineio/packet", never: []string{"net/http", "time", "sync"}},
	{path: "server/engineio", may: []string{"server/engineio/..."}, never: []string{"redis", "zerolog", "prometheus"}},
	{path: "server/socketio/packet", never: []string{"net/http", "time", "sync"}},
	{path: "server/socketio/msgpack", may: []string{"server/internal/notepack", "server/socketio/packet"}, never: []string{"net/http", "time", "sync"}},
	{path: "server/socketio/adapter", may: []string{"server/socketio/adapter/...", "server/socketio/packet"}, never: []string{"redis"}},
	{path: "server/recovery", never: []string{"net/http", "redis"}},
	{
		path:  "server/socketio",
		may:   []string{"server/socketio/...", "server/engineio", "server/recovery", "server/engineio/engineiotest"},
		never: []string{"redis", "prometheus", "zerolog", "jwt"},
	},

	{
		path: "server/cluster",
		may: []string{
			"server/cluster/health", "server/cluster/redisadapter", "server/cluster/redispresence", "server/presence", "server/socketio/adapter",
		},
	},
	{path: "server/cluster/redislink"},
	{path: "server/cluster/redistest"},
	{path: "server/cluster/health", never: []string{"redis"}},
	{path: "server/cluster/redisbus", may: []string{"server/cluster/health", "server/cluster/redislink", "server/cluster/redisbus/..."}},
	{
		path: "server/cluster/redisadapter",
		may:  []string{"server/cluster/health", "server/cluster/redisbus", "server/cluster/redisadapter/...", "server/internal/notepack", "server/socketio/adapter/...", "server/socketio/packet"},
	},
	{path: "server/presence", may: []string{"server/presence/..."}, never: []string{"redis", "net/http"}},
	{path: "server/cluster/redispresence", may: []string{"server/cluster/health", "server/cluster/redislink", "server/cluster/redispresence/...", "server/presence/..."}},
	{path: "server/auth"},
	{
		path:  "server/realtime",
		may:   []string{"server/realtime/...", "server/socketio", "server/presence", "server/auth", "server/cluster/health"},
		never: []string{"net/http", "redis"},
	},
	{path: "server/httpapi", may: []string{"server/realtime"}},
	{path: "server/config"},
	{path: "server/ident"},
	{path: "server/internal/clip"},
	{path: "server/internal/isotime"},
	{path: "server/internal/notepack", may: []string{"server/socketio/packet"}, never: []string{"net/http", "redis"}},
	{path: "server/internal/urlquery"},
	{path: "server/waittest"},
	{path: "server/servertest", may: []string{"server", "server/config"}},

	// The conformance tests stay independent of the code that they test: they import no codec.
	{
		path: "compat/cluster",
		may: []string{
			"compat/cluster/...", "compat/nodetest", "server", "server/config", "server/servertest",
			"server/cluster/redisadapter", "server/cluster/redistest", "server/socketio", "server/socketio/adapter",
		},
		tests: true,
	},
	// The API of another library, a module of its own; it contains no protocol code.
	{
		path: "compat/zishang520",
		may: []string{
			"compat/zishang520/...", "server/engineio", "server/socketio", "server/socketio/adapter",
			"server/cluster/redisadapter",
		},
	},
	{path: "compat", may: []string{"compat/...", "server", "server/config", "server/servertest", "server/socketio", "server/engineio", "handlers"}, tests: true},
	// redistest only starts redis-servers; it contains none of Puente's Redis code.
	{path: "clienttests/stress", may: []string{"clienttests/...", "compat/raw", "server", "server/config", "server/socketio", "server/cluster/redistest"}, tests: true},
	{path: "clienttests", may: []string{"clienttests/...", "compat/raw", "server", "server/config", "server/cluster/redistest"}, tests: true},
}

// goPackage is a package of the module, by its path below the root ("" for the root), and its imports.
type goPackage struct {
	path                 string
	imports, testImports []string
}

// TestPackageGraph checks the imports of every package against layers. It reads the sources itself: go test runs a cached
// test again only if a file changed that the test itself has read, so running go list would not do.
func TestPackageGraph(t *testing.T) {
	packages := readPackages(t, os.DirFS(".."))
	if len(packages) == 0 {
		t.Fatal("no package found")
	}
	for _, p := range packages {
		for _, complaint := range check(p) {
			t.Error(complaint)
		}
	}
	for _, complaint := range stale(packages) {
		t.Error(complaint)
	}
}

// TestPackageGraphComplains tests that check reports forbidden imports.
func TestPackageGraphComplains(t *testing.T) {
	for _, p := range []goPackage{
		{path: "server/engineio", imports: []string{module + "/server/socketio"}},
		{path: "server/socketio/packet", imports: []string{module + "/server/engineio"}},
		{path: "server/socketio/adapter/adaptertest", imports: []string{module + "/server/socketio"}},
		{path: "server/socketio", imports: []string{"github.com/redis/go-redis/v9"}},
		{path: "compat", testImports: []string{module + "/server/socketio/packet"}},
		{path: "somewhere", imports: []string{"fmt"}},
		{path: "server/socketio", imports: []string{module + "/server/engineio/engineiotest"}},
		{path: "server/engineio", imports: []string{"testing"}},
	} {
		if len(check(p)) != 1 {
			t.Errorf("%s: complaints %q, want one", p.path, check(p))
		}
	}
	if got := len(stale(nil)); got < len(layers) {
		t.Errorf("%d complaints about rules of a module without packages, want at least one per rule", got)
	}
}

// TestPackageGraphReads tests that files of tests and of other systems count, and files of other programs do not.
func TestPackageGraphReads(t *testing.T) {
	file := func(imports string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("package p\n\nimport " + imports + "\n")}
	}
	got := readPackages(t, fstest.MapFS{
		"a/a.go":                 file(`"one"`),
		"a/a_windows.go":         file(`x "two"`),
		"a/a_test.go":            file(`_ "three"`),
		"a/b/only_test.go":       file(`"four"`),
		"a/testdata/t.go":        file(`"five"`),
		"compat/peers/x/main.go": file(`"six"`),
		"node_modules/x/x.go":    file(`"seven"`),
		".hidden/x.go":           file(`"eight"`),
		"a/c/words.txt":          file(`"nine"`),
	})
	want := []goPackage{
		{path: "a", imports: []string{"one", "two"}, testImports: []string{"three"}},
		{path: "a/b", testImports: []string{"four"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("packages %v, want %v", got, want)
	}
}

// readPackages returns the packages of the module and of the modules nested in it, sorted by path. It ignores build
// constraints.
func readPackages(t *testing.T, root fs.FS) (packages []goPackage) {
	t.Helper()
	byPath := make(map[string]*goPackage)
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if base := path.Base(name); name == "compat/peers" || base == "node_modules" || base == "testdata" || name != "." && strings.ContainsAny(base[:1], "._") {
				return fs.SkipDir
			}
			return nil
		case path.Ext(name) != ".go":
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		p := byPath[dir]
		if p == nil {
			p = &goPackage{path: strings.TrimPrefix(dir, ".")}
			byPath[dir] = p
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if strings.HasSuffix(name, "_test.go") {
				p.testImports = append(p.testImports, imported)
			} else {
				p.imports = append(p.imports, imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range slices.Sorted(maps.Keys(byPath)) {
		packages = append(packages, *byPath[dir])
	}
	return packages
}

// stale returns a complaint for each rule about packages that do not exist.
func stale(packages []goPackage) (complaints []string) {
	exists := func(pattern string) bool {
		return slices.ContainsFunc(packages, func(p goPackage) bool { return covers(pattern, p.path) })
	}
	for _, l := range layers {
		if !exists(l.path + "/...") {
			complaints = append(complaints, "there is a rule for "+l.path+", which is no package")
		}
		for _, pattern := range l.may {
			if !exists(pattern) {
				complaints = append(complaints, l.path+" may import "+pattern+", which does not exist")
			}
		}
	}
	for _, leaf := range leaves {
		if !exists(leaf) {
			complaints = append(complaints, "the leaf "+leaf+" does not exist")
		}
	}
	return complaints
}

// check returns one line for each import of the package that is not allowed.
func check(p goPackage) (complaints []string) {
	self := p.path
	l, ok := layerOf(self)
	if !ok {
		return []string{self + " has no rule in layers"}
	}
	imports := slices.Clone(p.imports)
	if l.tests {
		imports = slices.Concat(imports, p.testImports)
	}
	for _, path := range p.imports {
		if isForTests(path) && !isForTests(module+"/"+self) {
			complaints = append(complaints, self+" imports "+path+", which only tests may import")
		}
	}
	slices.Sort(imports)
	for _, path := range slices.Compact(imports) {
		inside, ours := strings.CutPrefix(path, module+"/")
		switch {
		case ours && !slices.Contains(leaves, inside) && !slices.ContainsFunc(l.may, func(m string) bool { return covers(m, inside) }):
			complaints = append(complaints, self+" may not import "+inside)
		case !ours && slices.ContainsFunc(l.never, func(n string) bool { return path == n || !isStandard(path) && strings.Contains(path, n) }):
			complaints = append(complaints, self+" must not import "+path)
		}
	}
	return complaints
}

func layerOf(path string) (best layer, ok bool) {
	for _, l := range layers {
		if covers(l.path+"/...", path) && len(l.path) >= len(best.path) && (l.path != "server" || path == "server") {
			best, ok = l, true
		}
	}
	return best, ok
}

func covers(pattern, path string) bool {
	base, tree := strings.CutSuffix(pattern, "/...")
	return path == base || tree && strings.HasPrefix(path, base+"/")
}

// isForTests reports whether only tests, and other packages for tests, may import path: testing, and packages of the module
// whose names end in "test", like net/http/httptest.
func isForTests(path string) bool {
	return path == "testing" || strings.HasPrefix(path, module+"/") && strings.HasSuffix(path, "test")
}

// isStandard reports whether path is in the standard library: its first element has no dot.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}
