package compare

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"time"

	"github.com/puente-io/puente/cmd/puente-bench/internal/load"
)

// Options configures a comparison.
type Options struct {
	Servers []*Server
	Specs   []load.Spec
	Timing  load.Timing
	// Rounds is how often every server runs every workload. Medians are reported.
	Rounds int
	// Limit bounds the whole comparison: a round after the first is not started if, with the average duration of the
	// rounds before it, it would exceed Limit. Default: no limit.
	Limit time.Duration
	// Log is called with a line for each run. It must not be nil.
	Log func(format string, args ...any)
	// Progress returns the progress display of a run. It may be nil.
	Progress func(name string) load.Progress
}

// Run prepares the servers and runs every workload on each. Within a round, a workload runs on all servers one after the other,
// so that a slow period of the machine affects all of them; every second round reverses their order. Each run starts a fresh
// process. A workload that fails on a server is reported and not run there again; so is a peer that cannot be installed.
// Run returns an error if a build of Puente cannot be prepared, if ctx ends, or ErrNoRedis.
func Run(ctx context.Context, o Options) (*Report, error) {
	if slices.ContainsFunc(o.Specs, func(s load.Spec) bool { return s.Nodes > 1 }) {
		if _, err := exec.LookPath(redisServer); err != nil {
			return nil, ErrNoRedis
		}
	}
	for _, s := range o.Servers {
		o.Log("preparing %s", s.Title)
		if err := s.prepare(ctx, s); err != nil {
			if s.own || ctx.Err() != nil {
				return nil, err
			}
			s.failure = err.Error()
			o.Log("%v", err)
		}
	}
	rep := newReport(o)
	began := time.Now()
	for round := range o.Rounds {
		if spent := time.Since(began); round > 0 && o.Limit > 0 && spent+spent/time.Duration(round) > o.Limit {
			o.Log("%v: round %d is skipped, it would exceed the limit of %v", spent.Round(time.Second), round+1, o.Limit)
			break
		}
		rep.Rounds = round + 1
		for at, spec := range o.Specs {
			if round > 0 && once(spec) {
				continue
			}
			for i := range o.Servers {
				if round%2 == 1 {
					i = len(o.Servers) - 1 - i
				}
				s := o.Servers[i]
				if !s.runs(spec) {
					continue
				}
				cell := rep.cell(s.Name, spec.Name)
				if cell.Failure != "" {
					continue
				}
				name := fmt.Sprintf("%v: round %d of %d, workload %d of %d: %s, %s", time.Since(began).Round(time.Second), round+1, o.Rounds, at+1, len(o.Specs), spec.Name, s.Title)
				var progress load.Progress
				if o.Progress != nil {
					progress = o.Progress(name)
				}
				res, err := single(ctx, s, spec, o.Timing, progress)
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				if err != nil {
					cell.Failure = err.Error()
					o.Log("%s: %v", name, err)
					continue
				}
				cell.Runs = append(cell.Runs, res)
				o.Log("%s: %s", name, brief(res))
			}
		}
	}
	return rep, nil
}

// once reports whether a workload runs in the first round only: the memory of that many connections varies by a few
// percent only, and takes minutes to measure.
func once(s load.Spec) bool {
	return s.Kind == load.Idle && (s.Conns > 5000 || s.Browser || s.Rehearse)
}

// single runs a workload on fresh processes: a server, or a cluster and its Redis.
func single(ctx context.Context, s *Server, spec load.Spec, timing load.Timing, progress load.Progress) (load.Result, error) {
	runtime.GC() // collect the garbage of the previous run
	target := load.Target{Secret: secret}
	env := settings(spec)
	nodes := max(spec.Nodes, 1)
	var broker *process
	if nodes > 1 {
		var err error
		if broker, err = startRedis(ctx); err != nil {
			return load.Result{}, err
		}
		defer broker.stop()
		target.BrokerPID = broker.cmd.Process.Pid
		env = append(env, "REDIS_URL=redis://"+broker.addr)
	}
	var processes []*process
	for range nodes {
		p, err := s.start(ctx, env...)
		if err != nil {
			return load.Result{}, err
		}
		defer p.stop()
		processes = append(processes, p)
		target.Nodes = append(target.Nodes, load.Node{URL: "http://" + p.addr, PID: p.cmd.Process.Pid})
	}
	if broker != nil {
		if err := assembled(ctx, broker.addr, nodes); err != nil {
			return load.Result{}, err
		}
	}
	res, err := load.Run(ctx, target, spec, timing, progress)
	if err != nil {
		for _, p := range processes {
			if p.exited() {
				err = errors.Join(fmt.Errorf("the server's process ended: %.300s", p.log), err)
			}
		}
	}
	return res, err
}

func brief(r load.Result) string {
	if r.Spec.Kind == load.Idle {
		return fmt.Sprintf("%.2f KiB per connection idle, %.2f after traffic", r.IdleKiB, r.UsedKiB)
	}
	if r.Spec.Kind == load.Burst {
		return fmt.Sprintf("%d delivered in %.2f s, %d lost, %d twice, %d late, CPU %.2f µs, %.0f MiB at most",
			r.Messages, r.Seconds, r.Lost, r.Twice, r.Late, r.CPU, float64(r.Peak)/(1<<20))
	}
	return fmt.Sprintf("%.0f/s, CPU %.2f µs (own %.2f), p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, %.0f MiB", r.PerSecond, r.CPU, r.ClientCPU,
		r.Latency.P50, r.Latency.P99, r.Latency.P999, float64(r.RSS)/(1<<20))
}

// now returns the date of a report.
func now() string { return time.Now().UTC().Format("2006-01-02 15:04 UTC") }
