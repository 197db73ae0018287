package zishang520_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/puente-io/puente/compat/raw"
)

// repo is the root of the repository.
const repo = "../.."

// sedScript returns the sed script of README.md that changes import lines.
func sedScript(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(readme)) {
		if script, ok := strings.CutPrefix(strings.TrimSpace(line), "sed -i -E '"); ok {
			script, _, _ := strings.Cut(script, "'")
			return script
		}
	}
	t.Fatal("README.md has no line that begins with sed -i -E")
	return ""
}

// module is a program in a directory of its own.
type module struct{ dir string }

// newModule returns a module with these files, whose import lines README.md's sed line
// has changed. extra is appended to go.mod, and sums to go.sum.
func newModule(t *testing.T, files map[string][]byte, extra string, sums ...string) module {
	t.Helper()
	m := module{t.TempDir()}
	script := sedScript(t)
	for name, source := range files {
		sed := exec.Command("sed", "-E", script)
		sed.Stdin = bytes.NewReader(source)
		out, err := sed.Output()
		if err != nil {
			t.Fatalf("sed: %v", err)
		}
		if original := `"github.com/zishang520/`; bytes.Contains(out, []byte(original)) {
			t.Errorf("%s still imports %s", name, original)
		}
		m.write(t, name, out)
	}
	root, err := filepath.Abs(repo)
	if err != nil {
		t.Fatal(err)
	}
	const puente = "github.com/puente-io/puente"
	m.write(t, "go.mod", fmt.Appendf(nil, `module moved

go 1.26.0

require (
	%[1]s v0.0.0
	%[1]s/compat/zishang520 v0.0.0
)

replace (
	%[1]s => %[2]s
	%[1]s/compat/zishang520 => %[2]s/compat/zishang520
)
%[3]s`, puente, root, extra))
	var sum []byte
	for _, name := range append(sums, "go.sum", repo+"/go.sum") {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sum = append(sum, b...)
	}
	m.write(t, "go.sum", sum)
	return m
}

func (m module) write(t *testing.T, name string, content []byte) {
	t.Helper()
	name = filepath.Join(m.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, content, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// build builds a package of the module and returns the executable.
func (m module) build(t *testing.T, flags ...string) string {
	t.Helper()
	exe := filepath.Join(m.dir, "program.exe")
	cmd := exec.Command("go", append([]string{"build", "-mod=mod", "-ldflags=-s -w", "-o", exe}, flags...)...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return exe
}

// sources returns the Go files of a directory.
func sources(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no Go files in %s: %v", dir, err)
	}
	files := make(map[string][]byte)
	for _, name := range names {
		if files[filepath.Base(name)], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// requirements returns the require blocks of a go.mod, without the modules of the
// original.
func requirements(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nrequire")
	var b strings.Builder
	for line := range strings.Lines("require" + rest) {
		if !strings.Contains(line, "/zishang520/") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// server is a running server.
type server struct {
	url string
	pid int
}

// start starts a server at a free port, which the command takes from the environment.
// The server ends with the test; a panic or a data race in it fails the test.
func start(t *testing.T, portVariable string, env []string, name string, args ...string) server {
	t.Helper()
	port, err := raw.Port()
	if err != nil {
		t.Fatal(err)
	}
	addr := net.JoinHostPort("127.0.0.1", port)
	cmd := exec.Command(name, args...)
	cmd.Env = append(append(os.Environ(), env...), portVariable+"="+port)
	var log output
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Skipf("%s is missing: %v", name, err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		if text := log.String(); strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic") || t.Failed() {
			t.Errorf("the server wrote:\n%s", text)
		}
	})
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return server{"http://" + addr, cmd.Process.Pid}
		}
		select {
		case <-ended:
			t.Fatalf("%s has ended: %s", name, log.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatalf("%s accepts no connections: %s", name, log.String())
	return server{}
}

// output keeps what a command writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// runNode runs a test of the official client.
func runNode(t *testing.T, script string, env ...string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(repo, "node_modules", "socket.io-client")); err != nil {
		t.Skip("node_modules is missing: npm ci")
	}
	cmd := exec.Command("node", "--test", "--test-timeout=150000", "--test-reporter=spec", script)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("node --test %s: %v\n%s", script, err, out)
	}
}
