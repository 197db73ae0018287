package compare

import (
	"fmt"

	"github.com/puente-io/puente/cmd/puente-bench/internal/load"
)

// target is a limit for a metric.
type target struct {
	title string
	by    string // how it is measured
	spec  string
	of    metric
	meets func(float64) bool
	to    string // divide by the metric of this server, if not ""
	over  string // divide by the metric of this workload on the same server, if not ""
	above string // subtract the metric of this workload on the same server, if not ""
}

func under(limit float64) func(float64) bool   { return func(v float64) bool { return v < limit } }
func atMost(limit float64) func(float64) bool  { return func(v float64) bool { return v <= limit } }
func atLeast(limit float64) func(float64) bool { return func(v float64) bool { return v >= limit } }

// clusterTargets are the targets of clusters.
var clusterTargets = []target{
	{"≤ 0.25× Node's CPU per delivery", "both nodes, several updates in flight", specCluster, cpu, atMost(0.25), node, "", ""},
	{"a burst arrives complete, once, in order", "deliveries lost, repeated, out of order", specBurst,
		metric{title: "faults", of: func(r load.Result) float64 { return float64(r.Lost + r.Twice + r.Late) }, fault: true}, atMost(0), "", "", ""},
	{"a burst does not fill the memory", "both nodes at most, under 200 MB, MiB", specBurst, peak, under(200e6 / (1 << 20)), "", "", ""},
}

// targets are the absolute targets of the specification. They apply to every server.
var targets = []target{
	{"connect under 50 ms", "p99, ms", specConnect, p99, under(50), "", "", ""},
	{"message under 2 ms", "round trip, p50 at 1,000/s, ms", specCalm, p50, under(2), "", "", ""},
	{"message under 2 ms", "round trip, p99 at 1,000/s, ms", specCalm, p99, under(2), "", "", ""},
	{"message under 2 ms", "round trip, p50 at 10,000/s, ms", specPaced, p50, under(2), "", "", ""},
	{"message under 2 ms", "round trip, p99 at 10,000/s, ms", specPaced, p99, under(2), "", "", ""},
	{"10,000 messages/s", "echo, messages/s", specEcho, perSecond, atLeast(10_000), "", "", ""},
	{"1,000 connections", "members that get every update, once, in order", specFanout,
		metric{title: "connections", of: func(r load.Result) float64 { return float64(r.Spec.Conns) }}, atLeast(1000), "", "", ""},
	{"50 KB per connection", "5,000 of them, the larger of idle and after traffic, KiB", specIdle,
		metric{title: "KiB", of: func(r load.Result) float64 { return max(r.IdleKiB, r.UsedKiB) }}, under(50e3 / 1024), "", "", ""},
	{"under 100 MB in all", "1,000 members under fan-out, MiB", specFanout, rss, under(100e6 / (1 << 20)), "", "", ""},
}

// ownTargets returns Puente's targets beyond the specification, most of them relative to its peers.
func ownTargets() []target {
	all := []target{
		{"≤ 0.2× Node", "echo, CPU", specEcho, cpu, atMost(0.2), node, "", ""},
		{"≤ 0.5× Bun", "echo, CPU", specEcho, cpu, atMost(0.5), bun, "", ""},
		{"≤ 0.25× Node", "fan-out to 1,000, CPU", specFanout, cpu, atMost(0.25), node, "", ""},
		{"≤ 0.33× Bun", "fan-out to 1,000, CPU", specFanout, cpu, atMost(0.33), bun, "", ""},
		{"flat from 100 to 10,000", "fan-out, CPU at 10,000 to that at 100, ≤ 1.1×", "fan-out to 10,000", cpu, atMost(1.1), "", "fan-out to 100", ""},
		{"≤ 0.6× Node", "rooms of 10, CPU", specRooms, cpu, atMost(0.6), node, "", ""},
		{"≤ 1× Bun", "rooms of 10, CPU", specRooms, cpu, atMost(1), bun, "", ""},
		{"≤ 0.4× Node", "polling, CPU", specPolling, cpu, atMost(0.4), node, "", ""},
		{"≤ 0.8× Bun", "polling, CPU", specPolling, cpu, atMost(0.8), bun, "", ""},
		{"≤ 0.15× Node", "connect storm, CPU", specConnect, cpu, atMost(0.15), node, "", ""},
		{"≤ 5 KiB per connection", "5,000, idle, bare headers", specIdle, idleKiB, atMost(5), "", "", ""},
		{"≤ 6 KiB per connection", "5,000, after traffic, bare headers", specIdle, usedKiB, atMost(6), "", "", ""},
		{title: "≤ 1.3× plain", by: specDeflate + ", CPU to that of 2,000 plain", spec: specDeflate, of: cpu, meets: atMost(1.3), over: specPlain},
		{title: "≤ 0.1× Node", by: specDeflate + ", CPU", spec: specDeflate, of: cpu, meets: atMost(0.1), to: node},
		{title: "≤ 0.2 KiB more than plain", by: specDeflate5000 + ", after traffic, KiB more than " + specBare, spec: specDeflate5000, of: usedKiB, meets: atMost(200.0 / 1024), above: specBare},
		{title: "≤ 0.25× Node", by: specMsgpack + ", CPU", spec: specMsgpack, of: cpu, meets: atMost(0.25), to: node},
	}
	for _, spec := range []string{specCalm, specPaced, specSteady} {
		for _, m := range []metric{p50, p99, p999} {
			all = append(all, target{"no later than Node", spec + ", " + m.title, spec, m, atMost(1), node, "", ""})
		}
	}
	return all
}

// verdict returns a table cell for a target and a server: pass or fail, and the figure.
func (r *Report) verdict(server string, t target) string {
	if r.cell(server, t.spec).Failure != "" {
		return "**fail** (broke off)"
	}
	if server == t.to {
		return "1"
	}
	v, ok := r.value(server, t.spec, t.of)
	unit := ""
	if t.above != "" {
		base, known := r.value(server, t.above, t.of)
		v, ok = v-base, ok && known
	}
	if t.to != "" || t.over != "" {
		base, known := 0.0, false
		if unit = "×"; t.to != "" {
			base, known = r.value(t.to, t.spec, t.of)
		} else {
			base, known = r.value(server, t.over, t.of)
		}
		v, ok = v/base, ok && known && base > 0
	}
	switch {
	case !ok:
		return "not measured"
	case t.meets(v):
		return fmt.Sprintf("pass (%s%s)", t.of.print(v), unit)
	}
	return fmt.Sprintf("**fail** (%s%s)", t.of.print(v), unit)
}
