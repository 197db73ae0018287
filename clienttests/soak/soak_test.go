package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == serveArg {
		os.Exit(serve(context.Background(), os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some 20 s")
	}
	var out bytes.Buffer
	// The race detector needs much memory.
	code := run(t.Context(), []string{"-duration", "2s", "-groups", "3", "-seed", "1", "-resident", "500"}, &out, os.Stderr)
	t.Log(out.String())
	if code != 0 || !strings.HasSuffix(out.String(), "0 violations: PASS\n") {
		t.Errorf("exit code %d", code)
	}
}

func TestInvalidArguments(t *testing.T) {
	for _, args := range []string{"now", "-groups 0", "-duration x"} {
		if code := run(t.Context(), strings.Fields(args), io.Discard, io.Discard); code != 2 {
			t.Errorf("%s: exit code %d, want 2", args, code)
		}
	}
}

// A connection that stays open is a violation, and the exit code is 1.
func TestLeaksAreViolations(t *testing.T) {
	n, err := startNode(os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := &soak{node: n, out: &out, began: time.Now(), settling: time.Second}
	before, ok := s.emptied("before")
	conn, err := net.Dial("tcp", strings.TrimPrefix(n.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	after, ok2 := s.emptied("after")
	if !ok || !ok2 {
		t.Fatal(s.violations)
	}
	s.compare("goroutines", int64(before.Goroutines), int64(after.Goroutines), 0, 1, "")
	s.compare("descriptors", int64(before.Descriptors), int64(after.Descriptors), 0, 1, "")
	conn.Close()
	if err := n.stop(); err != nil {
		t.Error(err)
	}
	if len(s.violations) != 2 || s.verdict() != 1 {
		t.Errorf("violations %q\n%s", s.violations, out.String())
	}
}

// An update that a client does not receive is a violation.
func TestLossIsAViolation(t *testing.T) {
	n, err := startNode(os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer n.stop()
	s := &soak{node: n, out: io.Discard, began: time.Now()}
	s.round("lossy", nil, func(r *round) {
		d := r.connect("u", 0)
		d.ask("join-room", "r")
		d.ask("publish-update", update("r", 0, ""))
		d.ask("publish-update", update("r", 2, ""))
		d.updates(2, []string{"u"})
	})
	if len(s.violations) != 1 || !strings.Contains(s.violations[0], "got update 2 of u, want 1") {
		t.Errorf("violations %q", s.violations)
	}
}
