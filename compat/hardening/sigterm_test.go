package hardening_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// SIGTERM makes the process close its clients and exit with code 0 within
// SHUTDOWN_TIMEOUT.
func TestSIGTERM(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "puente")
	// With the settings of the Makefile, so that what it has compiled need not be compiled again.
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "github.com/puente-io/puente/cmd/puente")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	const timeout = 10 * time.Second
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), "NODE_ENV=production", "HTTP_HOST=127.0.0.1", "HTTP_PORT=0", "JWT_SECRET="+jwtSecret, "SHUTDOWN_TIMEOUT=10000")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	var log bytes.Buffer
	n := &node{t: t}
	lines := bufio.NewScanner(out)
	for n.addr == "" && lines.Scan() {
		log.WriteString(lines.Text() + "\n")
		if m := regexp.MustCompile(`"address":"([^"]+)"`).FindStringSubmatch(lines.Text()); m != nil {
			n.addr = m[1]
		}
	}
	if n.addr == "" {
		t.Fatalf("no address: %s", &log)
	}
	c := n.user("ana")
	began := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	c.ends()
	for lines.Scan() {
		log.WriteString(lines.Text() + "\n")
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, &log)
	}
	// TestDrain of package server checks the bound, in fake time.
	if took := time.Since(began); took > 3*timeout {
		t.Errorf("ended after %v", took)
	}
	if !strings.Contains(log.String(), "stopped") {
		t.Errorf("log: %s", &log)
	}
}
