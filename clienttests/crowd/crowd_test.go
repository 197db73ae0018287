package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Thousands of clients that lose their server all reconnect to the next one; make crowd
// has ten thousand. Both programs are built without the race detector, which is limited
// to about eight thousand goroutines.
func TestThousandsComeBack(t *testing.T) {
	args := []string{"-clients", "3000"}
	if testing.Short() {
		args = []string{"-clients", "500"}
	} else if most := descriptors(t); most < 4000 {
		t.Skipf("a process may open %d descriptors", most)
	}
	dir := t.TempDir()
	for _, command := range []string{"cmd/puente", "clienttests/crowd"} {
		// With the settings of the Makefile, so that what it has compiled need not be compiled again.
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", dir, "github.com/puente-io/puente/"+command)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build %s: %v: %s", command, err, out)
		}
	}
	// SIGTERM, unlike a kill, lets the crowd stop its server.
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "crowd"), append(args, "-server", filepath.Join(dir, "puente"))...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

func descriptors(t *testing.T) uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return limit.Max
}

// A crowd whose server cannot be started exits with 1.
func TestNobodyComes(t *testing.T) {
	var out bytes.Buffer
	if code := run(t.Context(), []string{"-server", "/nowhere", "-clients", "10"}, &out, &out); code != 1 {
		t.Errorf("exit code %d: %s", code, &out)
	}
}

// The delays are those that socket.io-client documents.
func TestDelay(t *testing.T) {
	for failed, least := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second} {
		most := min(3*least, 5*time.Second)
		for range 100 {
			if d := delay(failed); d < least || d > most {
				t.Errorf("%v after %d failures, want %v to %v", d, failed, least, most)
			}
		}
	}
	if d := delay(1000); d != 5*time.Second {
		t.Errorf("%v after 1000 failures", d)
	}
	select {
	case <-after(context.Background(), 0):
	case <-time.After(time.Minute):
		t.Error("no delay: timed out")
	}
}
