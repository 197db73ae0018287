package compare

import (
	"math"
	"slices"
	"strings"

	"github.com/puente-io/puente/cmd/puente-bench/internal/load"
	"github.com/puente-io/puente/cmd/puente-bench/internal/stats"
)

// Report is the result of a comparison.
type Report struct {
	Date    string                      `json:"date"`
	Machine string                      `json:"machine"`
	Rounds  int                         `json:"rounds"`
	Servers []ServerInfo                `json:"servers"`
	Specs   []load.Spec                 `json:"workloads"`
	Cells   map[string]map[string]*Cell `json:"results"` // by server and workload
}

// ServerInfo describes a server in a report.
type ServerInfo struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Version string `json:"version"`
	Own     bool   `json:"own,omitempty"` // a build of Puente
}

// Cell is the results of a workload on a server.
type Cell struct {
	Runs []load.Result `json:"runs,omitempty"`
	// Failure is the reason why it could not be measured, or "".
	Failure string `json:"failure,omitempty"`
}

func newReport(o Options) *Report {
	rep := &Report{Date: now(), Machine: machine(), Rounds: o.Rounds, Specs: o.Specs, Cells: map[string]map[string]*Cell{}}
	for _, s := range o.Servers {
		rep.Servers = append(rep.Servers, ServerInfo{s.Name, s.Title, s.version, s.own})
		if s.failure != "" {
			rep.Servers[len(rep.Servers)-1].Version = "could not be installed"
			for _, spec := range o.Specs {
				rep.cell(s.Name, spec.Name).Failure = s.failure
			}
		}
	}
	return rep
}

// cell returns the cell of a server and a workload, and creates it if there is none.
func (r *Report) cell(server, spec string) *Cell {
	if r.Cells[server] == nil {
		r.Cells[server] = map[string]*Cell{}
	}
	if r.Cells[server][spec] == nil {
		r.Cells[server][spec] = &Cell{}
	}
	return r.Cells[server][spec]
}

// metric is a figure of a result.
type metric struct {
	title string
	of    func(load.Result) float64
	fault bool // a number of faults, which is shown without a ratio; the worst round counts
}

var (
	perSecond = metric{title: "messages/s", of: func(r load.Result) float64 { return r.PerSecond }}
	cpu       = metric{title: "CPU µs/message", of: func(r load.Result) float64 { return r.CPU }}
	p50       = metric{title: "p50 ms", of: func(r load.Result) float64 { return r.Latency.P50 }}
	p99       = metric{title: "p99 ms", of: func(r load.Result) float64 { return r.Latency.P99 }}
	p999      = metric{title: "p99.9 ms", of: func(r load.Result) float64 { return r.Latency.P999 }}
	seconds   = metric{title: "seconds", of: func(r load.Result) float64 { return r.Seconds }}
	brokerCPU = metric{title: "Redis CPU µs/message", of: func(r load.Result) float64 { return r.BrokerCPU }}
	lost      = metric{title: "lost", of: func(r load.Result) float64 { return float64(r.Lost) }, fault: true}
	twice     = metric{title: "twice", of: func(r load.Result) float64 { return float64(r.Twice) }, fault: true}
	late      = metric{title: "out of order", of: func(r load.Result) float64 { return float64(r.Late) }, fault: true}
	peak      = metric{title: "memory at most MiB", of: func(r load.Result) float64 { return float64(r.Peak) / (1 << 20) }}
	rss       = metric{title: "memory MiB", of: func(r load.Result) float64 { return float64(r.RSS) / (1 << 20) }}
	idleKiB   = metric{title: "KiB/connection idle", of: func(r load.Result) float64 { return r.IdleKiB }}
	usedKiB   = metric{title: "KiB/connection after traffic", of: func(r load.Result) float64 { return r.UsedKiB }}
)

// metrics returns the metrics that are shown for a workload.
func metrics(s load.Spec) []metric {
	switch {
	case s.Kind == load.Idle:
		return []metric{idleKiB, usedKiB, rss}
	case s.Kind == load.Burst:
		return []metric{seconds, perSecond, cpu, brokerCPU, lost, twice, late, peak}
	case s.Nodes > 1:
		return []metric{perSecond, cpu, brokerCPU, p50, p99, p999, rss}
	}
	return []metric{perSecond, cpu, p50, p99, p999, rss}
}

// headline returns the metrics of a workload that the overview and the plot show.
func headline(s load.Spec) []metric {
	if s.Kind == load.Idle {
		return []metric{idleKiB, usedKiB}
	}
	return []metric{cpu}
}

// headlineTitle returns the title of a headline metric.
func headlineTitle(s load.Spec, m metric) string {
	if phase, ok := strings.CutPrefix(m.title, "KiB/connection "); ok {
		return s.Name + ", " + phase
	}
	return s.Name
}

// value returns the median of a metric over the rounds, or the maximum of a fault. It returns false if the workload was not
// measured or failed in any round.
func (r *Report) value(server, spec string, m metric) (float64, bool) {
	c := r.cell(server, spec)
	if len(c.Runs) == 0 || c.Failure != "" {
		return 0, false
	}
	var values []float64
	for _, run := range c.Runs {
		values = append(values, m.of(run))
	}
	if m.fault {
		return slices.Max(values), true
	}
	return stats.Median(values), true
}

// baseline returns the server that ratios refer to: Node, or the first server without Node.
func (r *Report) baseline() ServerInfo {
	if i := slices.IndexFunc(r.Servers, func(s ServerInfo) bool { return s.Name == node }); i >= 0 {
		return r.Servers[i]
	}
	return r.Servers[0]
}

// ratio returns a value relative to the baseline's.
func (r *Report) ratio(server, spec string, m metric) (float64, bool) {
	v, ok := r.value(server, spec, m)
	base, ok2 := r.value(r.baseline().Name, spec, m)
	if !ok || !ok2 || base <= 0 {
		return 0, false
	}
	return v / base, true
}

// spread returns the lowest and the highest ratio to the baseline in a round. In a round both servers run one after the other,
// so a disturbance of the machine affects both.
func (r *Report) spread(server, spec string, m metric) (least, most float64, ok bool) {
	c, base := r.cell(server, spec), r.cell(r.baseline().Name, spec)
	if c.Failure != "" || base.Failure != "" || len(c.Runs) < 2 || len(c.Runs) != len(base.Runs) {
		return 0, 0, false
	}
	least = math.Inf(1)
	for i, run := range c.Runs {
		b := m.of(base.Runs[i])
		if b <= 0 {
			return 0, 0, false
		}
		least, most = min(least, m.of(run)/b), max(most, m.of(run)/b)
	}
	return least, most, true
}
