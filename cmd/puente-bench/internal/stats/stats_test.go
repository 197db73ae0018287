package stats

import (
	"math"
	"testing"
	"time"
)

func TestLatency(t *testing.T) {
	r := NewRecorder()
	if got := r.Latency(); got != (Latency{}) {
		t.Errorf("of nothing: %+v", got)
	}
	for i := range 1000 {
		r.Add(time.Duration(i+1) * time.Millisecond)
	}
	got := r.Latency()
	for name, v := range map[string][2]float64{"p50": {got.P50, 500}, "p99": {got.P99, 990}, "p99.9": {got.P999, 999}, "max": {got.Max, 1000}} {
		if math.Abs(v[0]-v[1]) > v[1]/1000+1 {
			t.Errorf("%s is %v, want %v within a digit in a thousand", name, v[0], v[1])
		}
	}
	r.Reset()
	r.Add(time.Hour)
	r.Add(-time.Second)
	if got := r.Latency(); math.Abs(got.Max-60000) > 60 || got.P50 != 0 {
		t.Errorf("out of range: %+v, want 0 and a minute", got)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := Median(c.in); got != c.want {
			t.Errorf("Median(%v) = %v, want %v", c.in, got, c.want)
		}
	}
}
