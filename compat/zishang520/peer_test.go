package zishang520_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

const (
	peerDir = "../peers/zishang520"
	secret  = "a secret of the tests, at least thirty-two bytes long"
)

// TestPeer tests that the Go peer of the benchmark works once its import lines have been
// changed, and nothing else.
func TestPeer(t *testing.T) {
	m := newModule(t, sources(t, peerDir), requirements(t, peerDir+"/go.mod"), peerDir+"/go.sum")
	exe := m.build(t, raceFlag)
	startPeer := func(t *testing.T, env ...string) server {
		return start(t, "HTTP_PORT", append(env, "HTTP_HOST=127.0.0.1", "JWT_SECRET="+secret), exe)
	}
	t.Run("events", func(t *testing.T) {
		runNode(t, "testdata/peer.test.mjs", "SERVER_URL="+startPeer(t).url, "JWT_SECRET="+secret)
	})
	t.Run("workloads", func(t *testing.T) {
		runWorkloads(t, startPeer(t, "WS_RATE_LIMIT=1000000000", "WS_PRESENCE_MAX=10"))
	})
}

// runWorkloads runs each kind of workload of "make bench", for a moment. A workload
// fails if an answer is missing or wrong.
func runWorkloads(t *testing.T, srv server) {
	bench := filepath.Join(t.TempDir(), "puente-bench")
	build := exec.Command("go", "build", raceFlag, "-ldflags=-s -w", "-o", bench, "./cmd/puente-bench")
	build.Dir = repo
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, workload := range [][]string{
		{"echo"},
		{"echo", "-rate", "1000"},
		{"publish"},
		{"publish", "-binary", "-sizes", "1024"},
		{"publish", "-inflight", "2", "-sizes", "64,1024,65536"},
		{"fanout", "-conns", "50"},
		{"fanout", "-conns", "50", "-inflight", "1"},
		{"fanout", "-conns", "50", "-rate", "10"},
		{"rooms"},
		{"polling"},
		{"connect", "-conns", "100"},
		{"idle", "-conns", "100"},
		{"idle", "-conns", "100", "-browser"},
	} {
		args := append(workload[:1:1], "-url", srv.url+"/socket.io/", "-pid", strconv.Itoa(srv.pid), "-conns", "20", "-warmup", "100ms", "-duration", "300ms", "-settle", "1ms", "-quiet")
		cmd := exec.Command(bench, append(args, workload[1:]...)...)
		cmd.Env = append(os.Environ(), "JWT_SECRET="+secret)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%q: %v\n%s", workload, err, out)
		}
	}
}
