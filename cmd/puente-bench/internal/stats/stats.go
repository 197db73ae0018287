// Package stats computes latency distributions and medians.
package stats

import (
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// longest is the longest latency that is recorded; longer ones count as this.
const longest = time.Minute

// Recorder records latencies in constant memory, to three significant digits.
type Recorder struct{ h *hdrhistogram.Histogram }

// NewRecorder returns an empty Recorder.
func NewRecorder() *Recorder {
	return &Recorder{hdrhistogram.New(1, int64(longest), 3)}
}

// Add records a latency.
func (r *Recorder) Add(d time.Duration) {
	_ = r.h.RecordValue(int64(min(max(d, 0), longest))) // never out of range
}

// Reset drops all latencies.
func (r *Recorder) Reset() { r.h.Reset() }

// Latency is a distribution in milliseconds, all 0 if nothing was recorded.
type Latency struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// Latency returns the distribution of the recorded latencies.
func (r *Recorder) Latency() Latency {
	if r.h.TotalCount() == 0 {
		return Latency{}
	}
	ms := func(ns int64) float64 { return float64(ns) / 1e6 }
	return Latency{
		P50:  ms(r.h.ValueAtQuantile(50)),
		P99:  ms(r.h.ValueAtQuantile(99)),
		P999: ms(r.h.ValueAtQuantile(99.9)),
		Max:  ms(r.h.Max()),
	}
}

// Median returns the median of values: the mean of the middle two if their number is even, and 0 if there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	m := len(s) / 2
	if len(s)%2 == 1 {
		return s[m]
	}
	return (s[m-1] + s[m]) / 2
}
