package health

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	needed Kind = iota
	useful
)

var here = Source{Kind: needed}

// A gap is shown from the time when the node is connected again, however long that
// takes. While there is another reason, the gap is not shown.
func TestGapIsShownAfterRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMonitor(here, "connecting", useful, nil)
		m.Set(here, "")
		began := time.Now()
		m.Set(here, "silent")
		m.Gap("silent")
		time.Sleep(10 * gapShown)
		if got := m.Health(); !got.Degraded || got.Connected || got.Reason != "silent" {
			t.Errorf("while the node is not connected: %+v", got)
		}
		m.Set(here, "")
		for _, after := range []time.Duration{0, gapShown - time.Second} {
			time.Sleep(after)
			m.Refresh()
			if got := m.Health(); !got.Degraded || !got.Connected || !strings.HasPrefix(got.Reason, gapReason) || !got.Since.Equal(began) {
				t.Errorf("%v after the return: %+v", after, got)
			}
		}
		time.Sleep(2 * time.Second)
		m.Refresh()
		if got := m.Health(); got != (Health{}) {
			t.Errorf("in the end: %+v", got)
		}
	})
}

// Of several reasons the one of the lowest kind is shown, and of one kind that of the
// first shard. Only the higher kinds leave the node connected.
func TestReasonsAreOrdered(t *testing.T) {
	m := NewMonitor(here, "connecting", useful, nil)
	for _, step := range []struct {
		of        Source
		reason    string
		want      string
		connected bool
	}{
		{Source{useful, ""}, "alone", "connecting", false},
		{here, "", "alone", true},
		{Source{needed, "b"}, "away", "away", false},
		{Source{needed, "a"}, "silent", "silent", false},
		{Source{needed, "a"}, "", "away", false},
		{Source{needed, "b"}, "", "alone", true},
		{Source{useful, ""}, "", "", false},
	} {
		m.Set(step.of, step.reason)
		if got := m.Health(); got.Reason != step.want || got.Connected != step.connected || got.Degraded != (step.want != "") {
			t.Errorf("after %+v: %+v", step, got)
		}
	}
}

// Changes are reported in their order, one at a time, even if goroutines make changes
// while another one reports.
func TestChangesAreReportedInOrder(t *testing.T) {
	var m *Monitor
	var got []string
	var running sync.WaitGroup
	busy := false
	m = NewMonitor(here, "0", useful, func(h Health) {
		if busy {
			t.Error("two reports at once")
		}
		busy = true
		if got = append(got, h.Reason); h.Reason == "1" {
			running.Go(func() { m.Set(here, "2"); m.Set(here, "3") })
			running.Wait()
			m.Set(here, "4")
		}
		busy = false
	})
	m.Set(here, "1")
	if want := []string{"1", "2", "3", "4"}; !slices.Equal(got, want) {
		t.Errorf("reported %q, want %q", got, want)
	}
}
