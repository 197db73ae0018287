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
}

func under(limit float64) func(float64) bool   { return func(v float64) bool { return v < limit } }
func atLeast(limit float64) func(float64) bool { return func(v float64) bool { return v >= limit } }

// targets are the specification's own: what every server here is held to, absolutely.
var targets = []target{
	{"connect under 50 ms", "p99, ms", specConnect, p99, under(50)},
	{"message under 2 ms", "round trip, p99 at 10,000/s, ms", specPaced, p99, under(2)},
	{"10,000 messages/s", "echo, messages/s", specEcho, perSecond, atLeast(10_000)},
	{"1,000 connections", "members that get every update, once, in order", specFanout,
		metric{"connections", func(r load.Result) float64 { return float64(r.Spec.Conns) }}, atLeast(1000)},
	{"50 KB per connection", "5,000 of them, the larger of idle and after traffic, KiB", specIdle,
		metric{"KiB", func(r load.Result) float64 { return max(r.IdleKiB, r.UsedKiB) }}, under(50e3 / 1024)},
	{"under 100 MB in all", "1,000 members under fan-out, MiB", specFanout, rss, under(100e6 / (1 << 20))},
}

// verdict is a target's line for one server: the figure, and pass or fail.
func (r *Report) verdict(server string, t target) string {
	if r.cell(server, t.spec).Failure != "" {
		return "**fail** (broke off)"
	}
	v, ok := r.value(server, t.spec, t.of)
	switch {
	case !ok:
		return "not measured"
	case t.meets(v):
		return fmt.Sprintf("pass (%s)", figure(v))
	}
	return fmt.Sprintf("**fail** (%s)", figure(v))
}
