package main

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Ten thousand clients that lose their server all come back to the next one.
// Both ends are built without the race detector, which bears no more than some
// eight thousand goroutines.
func TestTenThousandComeBack(t *testing.T) {
	args := []string{}
	if testing.Short() {
		args = []string{"-clients", "500"}
	} else if most := descriptors(t); most < 12_000 {
		t.Skipf("a process may open %d descriptors", most)
	}
	dir := t.TempDir()
	for _, command := range []string{"cmd/puente", "clienttests/crowd"} {
		if out, err := exec.Command("go", "build", "-o", dir, "github.com/puente-io/puente/"+command).CombinedOutput(); err != nil {
			t.Fatalf("go build %s: %v: %s", command, err, out)
		}
	}
	// A crowd that is told to end ends its server, which would outlive it.
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

// A crowd whose server never comes says so, and ends.
func TestNobodyComes(t *testing.T) {
	var out bytes.Buffer
	if code := run(t.Context(), []string{"-server", "/nowhere", "-clients", "10"}, &out, &out); code != 1 {
		t.Errorf("exit code %d: %s", code, &out)
	}
}

// Delays are as socket.io-client documents them.
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
		t.Error("no delay takes a minute")
	}
}
