package compat_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/puente-io/puente"

// layer says what the packages at a path and below it may import.
type layer struct {
	path string
	// may lists packages of the module; a name that ends in "/..." includes what is below it.
	may []string
	// never lists what the package must not know outside the module: import paths, or parts of them.
	never []string
	// tests makes the rule hold for the package's tests too.
	tests bool
}

// leaves know nothing of the module, and everybody may know them.
var leaves = []string{"server/ident"}

// layers are the arrows of the architecture. A package obeys the longest path that it is at or below.
var layers = []layer{
	{path: "cmd/puente", may: []string{"server", "server/config"}},
	{path: "cmd/puente-bench", may: []string{"cmd/puente-bench/..."}, tests: true},
	{path: "server", may: []string{"server/...", "handlers/..."}},
	{path: "handlers", may: []string{"server/realtime", "server/socketio"}, never: []string{"net/http", "redis"}},

	{path: "server/engineio/packet", never: []string{"net/http", "time", "sync"}},
	{path: "server/engineio", may: []string{"server/engineio/..."}, never: []string{"redis", "zerolog", "prometheus"}},
	{path: "server/socketio/packet", never: []string{"net/http", "time", "sync"}},
	{path: "server/socketio/adapter", may: []string{"server/socketio/adapter/...", "server/socketio/packet"}, never: []string{"redis"}},
	{
		path:  "server/socketio",
		may:   []string{"server/socketio/...", "server/engineio", "server/engineio/engineiotest"},
		never: []string{"redis", "prometheus", "zerolog", "jwt"},
	},

	{path: "server/redislink"},
	{path: "server/redisadapter", may: []string{"server/redislink", "server/redisadapter/...", "server/socketio/adapter/...", "server/socketio/packet"}},
	{path: "server/presence", may: []string{"server/presence/..."}, never: []string{"redis", "net/http"}},
	{path: "server/redispresence", may: []string{"server/redislink", "server/redispresence/...", "server/presence/..."}},
	{path: "server/auth"},
	{
		path:  "server/realtime",
		may:   []string{"server/realtime/...", "server/socketio", "server/presence", "server/auth"},
		never: []string{"net/http", "redis"},
	},
	{path: "server/httpapi", may: []string{"server/realtime"}},
	{path: "server/config"},
	{path: "server/ident"},

	// The oracle stays independent of what it judges: no codec, in tests either.
	{
		path: "compat/cluster",
		may: []string{
			"compat/cluster/...", "compat/nodetest", "server", "server/config",
			"server/redisadapter/...", "server/socketio", "server/socketio/adapter",
		},
		tests: true,
	},
	{path: "compat", may: []string{"compat/...", "server", "server/config", "server/socketio", "server/engineio", "handlers"}, tests: true},
	// redistest is a redis-server, not how Puente speaks with it.
	{path: "clienttests/stress", may: []string{"clienttests/...", "server", "server/config", "server/socketio", "server/redisadapter/redistest"}, tests: true},
	{path: "clienttests", may: []string{"clienttests/...", "server", "server/config", "server/redisadapter/redistest"}, tests: true},
}

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// TestPackageGraph holds the imports of every package to the arrows of the architecture.
func TestPackageGraph(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	checked := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; checked++ {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, complaint := range check(p) {
			t.Error(complaint)
		}
	}
	if checked == 0 {
		t.Error("go list found no package")
	}
}

// TestPackageGraphComplains shows that the check can fail.
func TestPackageGraphComplains(t *testing.T) {
	for _, p := range []goPackage{
		{ImportPath: module + "/server/engineio", Imports: []string{module + "/server/socketio"}},
		{ImportPath: module + "/server/socketio/packet", Imports: []string{module + "/server/engineio"}},
		{ImportPath: module + "/server/socketio/adapter/adaptertest", Imports: []string{module + "/server/socketio"}},
		{ImportPath: module + "/server/socketio", Imports: []string{"github.com/redis/go-redis/v9"}},
		{ImportPath: module + "/compat", XTestImports: []string{module + "/server/socketio/packet"}},
		{ImportPath: module + "/somewhere", Imports: []string{"fmt"}},
		{ImportPath: module + "/server/socketio", Imports: []string{module + "/server/engineio/engineiotest"}},
		{ImportPath: module + "/server/engineio", Imports: []string{"testing"}},
	} {
		if len(check(p)) != 1 {
			t.Errorf("%s: complaints %q, want one", p.ImportPath, check(p))
		}
	}
}

func check(p goPackage) (complaints []string) {
	self := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
	l, ok := layerOf(self)
	if !ok {
		return []string{self + " has no place among the layers"}
	}
	imports := slices.Clone(p.Imports)
	if l.tests {
		imports = slices.Concat(imports, p.TestImports, p.XTestImports)
	}
	for _, path := range p.Imports {
		if isForTests(path) && !isForTests(p.ImportPath) {
			complaints = append(complaints, self+" imports "+path+", which is for tests, where it is none")
		}
	}
	slices.Sort(imports)
	for _, path := range slices.Compact(imports) {
		inside, ours := strings.CutPrefix(path, module+"/")
		switch {
		case ours && !slices.Contains(leaves, inside) && !slices.ContainsFunc(l.may, func(m string) bool { return covers(m, inside) }):
			complaints = append(complaints, self+" may not import "+inside)
		case !ours && slices.ContainsFunc(l.never, func(n string) bool { return path == n || !isStandard(path) && strings.Contains(path, n) }):
			complaints = append(complaints, self+" must not know "+path)
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

// isForTests reports whether only tests, and what is for tests itself, may import path: testing and our packages that are
// named like net/http/httptest.
func isForTests(path string) bool {
	return path == "testing" || strings.HasPrefix(path, module+"/") && strings.HasSuffix(path, "test")
}

// isStandard reports whether path is of the standard library, whose first element has no dot.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}
