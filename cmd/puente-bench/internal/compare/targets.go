package compare

import (
	"fmt"

	"github.com/puente-io/puente/cmd/puente-bench/internal/load"
)

// target is a figure that the specification promises.
type target struct {
	title string // what is promised
	by    string // how it is judged
	spec  string
	of    metric
	meets func(float64) bool
	ratio bool // to the baseline, not absolute
}

func under(limit float64) func(float64) bool   { return func(v float64) bool { return v < limit } }
func atMost(limit float64) func(float64) bool  { return func(v float64) bool { return v <= limit } }
func atLeast(limit float64) func(float64) bool { return func(v float64) bool { return v >= limit } }

// clusterTargets are what a cluster is held to.
var clusterTargets = []target{
	{"≤ 0.25× Node's CPU per delivery", "both nodes, several updates in flight", specCluster, cpu, atMost(0.25), true},
	{"a burst arrives complete, once, in order", "deliveries lost, repeated, out of order", specBurst,
		metric{title: "faults", of: func(r load.Result) float64 { return float64(r.Lost + r.Twice + r.Late) }, fault: true}, atMost(0), false},
	{"a burst does not fill the memory", "both nodes at most, under 200 MB, MiB", specBurst, peak, under(200e6 / (1 << 20)), false},
}

// targets are the specification's own: what every server here is held to, absolutely.
var targets = []target{
	{"connect under 50 ms", "p99, ms", specConnect, p99, under(50), false},
	{"message under 2 ms", "round trip, p99 at 10,000/s, ms", specPaced, p99, under(2), false},
	{"10,000 messages/s", "echo, messages/s", specEcho, perSecond, atLeast(10_000), false},
	{"1,000 connections", "members that get every update, once, in order", specFanout,
		metric{title: "connections", of: func(r load.Result) float64 { return float64(r.Spec.Conns) }}, atLeast(1000), false},
	{"50 KB per connection", "5,000 of them, the larger of idle and after traffic, KiB", specIdle,
		metric{title: "KiB", of: func(r load.Result) float64 { return max(r.IdleKiB, r.UsedKiB) }}, under(50e3 / 1024), false},
	{"under 100 MB in all", "1,000 members under fan-out, MiB", specFanout, rss, under(100e6 / (1 << 20)), false},
}

// verdict is a target's line for one server: the figure, and pass or fail.
func (r *Report) verdict(server string, t target) string {
	if r.cell(server, t.spec).Failure != "" {
		return "**fail** (broke off)"
	}
	value, unit := r.value, ""
	if t.ratio {
		if server == r.baseline().Name {
			return "1"
		}
		value, unit = r.ratio, "×"
	}
	v, ok := value(server, t.spec, t.of)
	switch {
	case !ok:
		return "not measured"
	case t.meets(v):
		return fmt.Sprintf("pass (%s%s)", t.of.print(v), unit)
	}
	return fmt.Sprintf("**fail** (%s%s)", t.of.print(v), unit)
}
