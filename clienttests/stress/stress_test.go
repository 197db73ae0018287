package main

import (
	"bytes"
	"testing"
)

func TestStress(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 5 s")
	}
	var out bytes.Buffer
	if code := run([]string{"-duration", "5s"}, &out, &out); code != 0 {
		t.Errorf("exit code %d", code)
	}
	t.Log(out.String())
}

// A round that fails is a violation, and ends the run with 1.
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
		t.Errorf("ok %v, went on %v, violations %q", ok, after, r.violations)
	}
}
