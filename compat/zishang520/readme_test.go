package zishang520_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestReadmeExamples compiles the examples in the READMEs of the original with changed
// import lines, WebTransport excepted. The READMEs come from the modules themselves, so
// the test is skipped if these cannot be downloaded.
func TestReadmeExamples(t *testing.T) {
	files := make(map[string][]byte)
	for module, examples := range map[string]int{
		"github.com/zishang520/socket.io/v2@v2.5.0": 5,
		"github.com/zishang520/engine.io/v2@v2.5.0": 4, // the client and the WebTransport server are left out
	} {
		readme, err := os.ReadFile(filepath.Join(download(t, module), "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, source := range programs(string(readme)) {
			if source = withoutWebTransport(source); source == "" {
				continue
			}
			found++
			name := fmt.Sprintf("%s-%d/main.go", filepath.Base(filepath.Dir(module)), found)
			files[name] = withoutUnusedImports(t, name, source)
		}
		if found != examples {
			t.Errorf("%s has %d examples, want %d", module, found, examples)
		}
	}
	var requires strings.Builder
	for path, source := range frameworks {
		module := path
		if i := strings.Index(source, "// module "); i >= 0 {
			module, _, _ = strings.Cut(source[i+len("// module "):], "\n")
		}
		dir := "frameworks/" + filepath.Base(module)
		files[dir+"/go.mod"] = []byte("module " + module + "\n")
		files[dir+strings.TrimPrefix(path, module)+"/stub.go"] = []byte(source)
		if path == module {
			version := "v0.0.0"
			if strings.HasSuffix(module, "/v2") {
				version = "v2.0.0"
			}
			fmt.Fprintf(&requires, "require %[1]s %[2]s\nreplace %[1]s => ./%[3]s\n", module, version, dir)
		}
	}
	m := newModule(t, files, requires.String())
	cmd := exec.Command("go", "list", raceFlag, "-mod=mod", "-export", "-f", "", "./...") // compiles, and links nothing
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the examples do not compile: %v\n%s", err, out)
	}
}

// frameworks has what the examples import besides the original, by import path, with
// as much as they use of it: the real ones take minutes to compile.
var frameworks = map[string]string{
	"github.com/gin-gonic/gin": `
package gin

import "net/http"

type HandlerFunc func()
type Engine struct{}

func Default() *Engine                         { return nil }
func WrapH(http.Handler) HandlerFunc           { return nil }
func (*Engine) GET(string, ...HandlerFunc)     {}
func (*Engine) POST(string, ...HandlerFunc)    {}
func (*Engine) Run(...string) error            { return nil }
`,
	"github.com/gofiber/fiber/v2": `
package fiber

type Handler func() error
type App struct{}

func New() *App                              { return nil }
func (*App) Get(string, ...Handler)          {}
func (*App) Post(string, ...Handler)         {}
func (*App) Listen(string) error             { return nil }
`,
	"github.com/gofiber/fiber/v2/middleware/adaptor": `
// module github.com/gofiber/fiber/v2
package adaptor

import (
	"net/http"

	"github.com/gofiber/fiber/v2"
)

func HTTPHandler(http.Handler) fiber.Handler { return nil }
`,
	"github.com/valyala/fasthttp": `
package fasthttp

type RequestHandler func()

func ListenAndServe(string, RequestHandler) error { return nil }
`,
	"github.com/valyala/fasthttp/fasthttpadaptor": `
// module github.com/valyala/fasthttp
package fasthttpadaptor

import (
	"net/http"

	"github.com/valyala/fasthttp"
)

func NewFastHTTPHandler(http.Handler) fasthttp.RequestHandler { return nil }
`,
	"github.com/gorilla/websocket": `
package websocket

import "net/http"

func IsWebSocketUpgrade(*http.Request) bool { return false }
`,
}

// download returns the directory of a module, or skips the test.
func download(t *testing.T, module string) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = t.TempDir() // outside of any module
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, _ := cmd.Output()
	var found struct{ Dir, Error string }
	if err := json.Unmarshal(out, &found); err != nil || found.Error != "" {
		t.Skipf("%s cannot be downloaded: %s %v", module, found.Error, err)
	}
	return found.Dir
}

// programs returns the complete Go programs of a README.
func programs(readme string) (list []string) {
	for _, block := range strings.Split(readme, "```golang\n")[1:] {
		if source, _, _ := strings.Cut(block, "```"); strings.HasPrefix(source, "package main") {
			list = append(list, source)
		}
	}
	return list
}

// webTransport matches the part of an example that the original marks as such.
var webTransport = regexp.MustCompile(`(?s)\s// WebTransport start.*// WebTransport end`)

// withoutWebTransport returns a program without its WebTransport, or "" if the rest is
// no server.
func withoutWebTransport(source string) string {
	source = webTransport.ReplaceAllString(source, "")
	if strings.Contains(source, "ListenWebTransportTLS") || strings.Contains(source, "-client-go/") {
		return ""
	}
	return source
}

// withoutUnusedImports removes what cutting has left unused. The first example of
// socket.io has an unused import to begin with.
func withoutUnusedImports(t *testing.T, name, source string) []byte {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	used := make(map[string]bool)
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				used[x.Name] = true
			}
		}
		return true
	})
	lines := strings.SplitAfter(source, "\n")
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if !used[packageName(path)] {
			lines[fset.Position(spec.Pos()).Line-1] = ""
		}
	}
	out, err := format.Source([]byte(strings.Join(lines, "")))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// packageName guesses the name of a package by its path.
func packageName(path string) string {
	elements := strings.Split(path, "/")
	last := elements[len(elements)-1]
	if version := regexp.MustCompile(`^v[0-9]+$`); version.MatchString(last) {
		last = elements[len(elements)-2]
	}
	return last
}
