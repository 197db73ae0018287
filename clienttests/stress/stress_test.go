package main

import (
	"bytes"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv(nodeVariable) != "" {
		os.Exit(runNode())
	}
	os.Exit(m.Run())
}

func TestStress(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some 15 s")
	}
	var out bytes.Buffer
	// Each scenario runs at least once before, and once after the first measurement.
	if code := run([]string{"-duration", "1s", "-presence", "0"}, &out, &out); code != 0 {
		t.Errorf("exit code %d", code)
	}
	t.Log(out.String())
}

// A failed round is a violation.
func TestViolationsAreCounted(t *testing.T) {
	r := &runner{rounds: make(map[string]int)}
	after := false
	ok := r.round(scenario{name: "broken", round: func(b *round) {
		b.all(2, func(i int) {
			if i == 1 {
				b.Fatalf("something is wrong")
			}
		})
		after = true
	}}, nil)
	if ok || after || len(r.violations) != 1 || r.violations[0] != "broken-1: something is wrong" {
		t.Errorf("ok %v, continued %v, violations %q", ok, after, r.violations)
	}
}

// A round that fails is excused only if its nodes have counted a gap meanwhile, and only
// maxExcused times.
func TestOnlyGapsExcuse(t *testing.T) {
	r := &runner{rounds: make(map[string]int), excused: make(map[string]int)}
	for i, tc := range []struct {
		gaps int64 // before the round; a round alone has none
		ok   bool
	}{{0, false}, {-1, true}, {-1, true}, {-1, true}, {-1, false}} {
		b := &round{runner: r, gaps: tc.gaps}
		b.Errorf("lost")
		if got := b.judge("x"); got != tc.ok {
			t.Errorf("round %d: %v, want %v", i, got, tc.ok)
		}
	}
	if len(r.violations) != 2 {
		t.Errorf("violations %q, want 2", r.violations)
	}
}

// TestPresence runs a few rounds of presence; make stress runs 200.
func TestPresence(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s")
	}
	for i, adapter := range []string{"classic", "sharded"} {
		t.Run(adapter, func(t *testing.T) {
			t.Parallel() // its rounds mostly wait for nodes to be taken for dead
			r := &runner{seed: 1, rounds: make(map[string]int)}
			t.Log(r.runPresence(11, adapter, uint64(i)))
			for _, v := range r.violations {
				t.Error(v)
			}
		})
	}
}
