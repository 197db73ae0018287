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

// Options is one comparison.
type Options struct {
	Servers []*Server
	Specs   []load.Spec
	Timing  load.Timing
	// Rounds is how often every server runs every workload. Medians are reported.
	Rounds int
	// Limit is how long all of it may take: a round that would not be over by then, were it as long as those before, is not
	// begun. The first always is. Default: none.
	Limit time.Duration
	// Log takes a line for each run.
	Log func(format string, args ...any)
	// Progress makes the progress display of one run. It may be nil.
	Progress func(name string) load.Progress
}

// Run prepares the servers and runs every workload on each, in turn: within a round a workload runs on all servers one after the other,
// so that a slow hour of the machine is everyone's, and every second round takes them in the opposite order. Each run has a fresh
// process. What a server cannot do is reported, and not tried again; so is a peer that cannot be installed.
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
			o.Log("%v: round %d would not be over in %v", spent.Round(time.Second), round+1, o.Limit)
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

// once reports whether a workload is run in the first round alone: the memory of so many connections is the same to a
// few parts in a hundred each time, and takes minutes.
func once(s load.Spec) bool { return s.Kind == load.Idle && (s.Conns > 5000 || s.Browser) }

// single is one workload on fresh processes: a server, or a cluster with its Redis.
func single(ctx context.Context, s *Server, spec load.Spec, timing load.Timing, progress load.Progress) (load.Result, error) {
	runtime.GC() // of the run before
	target := load.Target{Secret: secret}
	var env []string
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

// now is the date of a report.
func now() string { return time.Now().UTC().Format("2006-01-02 15:04 UTC") }
