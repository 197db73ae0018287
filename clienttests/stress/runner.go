package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/puente-io/puente/compat/raw"
)

// slack is by how many bytes the heap may grow.
const slack = 8 << 20

// scenario is a kind of clients. A round connects them, checks what they receive, and
// disconnects them.
type scenario struct {
	name  string
	round func(*round)
	redis bool // needs Redis
	// restarts: its nodes are those whose Redis is killed.
	restarts bool
}

// runner runs the scenarios and records violations.
type runner struct {
	cluster    *cluster // its Redis stays up
	restarting *cluster // its Redis is killed; nil without Redis
	seed       uint64
	scenarios  []scenario
	began      time.Time
	late       *late
	progress   io.Writer // gets violations as they occur; may be nil

	mu         sync.Mutex
	violations []string
	rounds     map[string]int
	excused    map[string]int // rounds that failed because of a gap or a slow Redis
}

// maxExcused is how many rounds of a scenario may fail for reasons that judge accepts.
const maxExcused = 3

func newRunner(seed uint64) (*runner, error) {
	r := &runner{seed: seed, rounds: make(map[string]int), excused: make(map[string]int), began: time.Now(), late: measureLateness()}
	var err error
	if r.cluster, err = startCluster(); err != nil {
		return nil, err
	}
	if r.cluster.redis != nil {
		if r.restarting, err = startCluster(); err != nil {
			return nil, errors.Join(err, r.cluster.stop())
		}
	}
	for _, s := range scenarios {
		if !s.redis || r.restarting != nil {
			r.scenarios = append(r.scenarios, s)
		}
	}
	return r, nil
}

func (r *runner) nodes() []*node {
	if r.restarting == nil {
		return r.cluster.nodes
	}
	return slices.Concat(r.cluster.nodes, r.restarting.nodes)
}

func (r *runner) stop() {
	err := r.cluster.stop()
	if r.restarting != nil {
		err = errors.Join(err, r.restarting.stop())
	}
	if err != nil {
		r.violation("stop", "%v", err)
	}
	close(r.late.stop)
}

func (r *runner) violation(where, format string, args ...any) {
	text := r.describe(where, format, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.violations = append(r.violations, text)
}

// describe returns the text of a violation.
func (r *runner) describe(where, format string, args ...any) string {
	return fmt.Sprintf("%s%s: %s", where, r.circumstances(), fmt.Sprintf(format, args...))
}

// run runs all scenarios concurrently: once as a warm-up, then repeatedly for the
// duration. It compares goroutines and heap after both.
func (r *runner) run(duration time.Duration) {
	var all sync.WaitGroup
	for i, s := range r.scenarios {
		all.Go(func() { r.round(s, rand.New(rand.NewPCG(r.seed, uint64(i)))) })
	}
	all.Wait()
	goroutines, heap := r.settled()
	end := time.Now().Add(duration)
	for i, s := range r.scenarios {
		rng := rand.New(rand.NewPCG(r.seed, uint64(100+i)))
		all.Go(func() {
			for ok := true; ok && time.Now().Before(end); {
				ok = r.round(s, rng)
			}
		})
	}
	all.Wait()
	r.settled()
	if !eventually(func() bool { n, _ := raw.Goroutines(); return n <= goroutines }) {
		n, stacks := raw.Goroutines()
		r.violation("end", "%d goroutines became %d: %s", goroutines, n, stacks)
	}
	if now := inUse(); now > heap+slack {
		r.violation("end", "%d bytes of heap became %d", heap, now)
	}
}

// settled waits until the nodes are empty, and returns the goroutines and heap of the
// process.
func (r *runner) settled() (goroutines int, heap uint64) {
	for i, n := range r.nodes() {
		what := func() string {
			ns, stats := n.SocketIO().Namespace("/"), n.Service().Stats()
			if s, c, rooms := n.SocketIO().Engine().Count(), ns.Count(), len(ns.Rooms()); s+c+rooms > 0 || stats.ConnectedUsers+stats.Rooms > 0 || stats.ActiveConnections != 0 {
				return fmt.Sprintf("%d sessions, %d sockets, %d Socket.IO rooms, %d users, %d rooms, %d connections", s, c, rooms, stats.ConnectedUsers, stats.Rooms, stats.ActiveConnections)
			}
			return ""
		}
		if !eventually(func() bool { return what() == "" }) {
			r.violation("end", "node %d still has %s", i, what())
		}
		n.mu.Lock()
		n.reasons = make(map[string]string) // clear would keep the memory of an hour's sockets
		n.mu.Unlock()
	}
	goroutines, _ = raw.Goroutines()
	return goroutines, inUse()
}

func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the second collection empties sync.Pools
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// round runs a scenario once and reports whether it had no violations.
func (r *runner) round(s scenario, rng *rand.Rand) bool {
	r.mu.Lock()
	r.rounds[s.name]++
	b := &round{runner: r, name: fmt.Sprintf("%s-%d", s.name, r.rounds[s.name]), rng: rng}
	r.mu.Unlock()
	switch {
	case s.restarts:
		b.nodes = r.restarting.nodes
	case r.cluster != nil: // or it is a round alone
		b.nodes = r.cluster.nodes
	}
	b.ignoreGaps()
	b.do(func() { s.round(b) })
	for i := len(b.cleanups) - 1; i >= 0; i-- {
		b.cleanups[i]()
	}
	return b.judge(s.name)
}

// round is a round of a scenario. It implements [raw.TB].
type round struct {
	*runner
	name  string
	nodes []*node    // those that the scenario uses
	rng   *rand.Rand // used by the scenario's goroutine

	mu         sync.Mutex
	cleanups   []func()
	failed     bool
	violations []string
	gaps       int64 // of the nodes, before those that the round must not have

	unavailable atomic.Bool // Redis has not accepted something in time
}

// ignoreGaps is called when all gaps so far are of no importance to the round.
func (b *round) ignoreGaps() {
	gaps, _ := losses(b.nodes)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gaps = gaps
}

// judge records the round's violations and reports whether it may be repeated. After a
// gap, messages of other nodes may be missing, and the nodes have said so; and if Redis
// is too slow, a publisher is refused.
func (b *round) judge(scenario string) (ok bool) {
	if !b.failed {
		return true
	}
	gaps, _ := losses(b.nodes)
	b.runner.mu.Lock()
	defer b.runner.mu.Unlock()
	if (gaps > b.gaps || b.unavailable.Load()) && b.excused[scenario] < maxExcused {
		b.excused[scenario]++
		return true
	}
	b.runner.violations = append(b.runner.violations, b.violations...)
	if b.progress != nil {
		fmt.Fprintf(b.progress, "%s\n", strings.Join(b.violations, "\n"))
	}
	return false
}

func (b *round) Helper() {}

// Fatalf adds a violation and ends the goroutine, which must be do's or one of all's.
func (b *round) Fatalf(format string, args ...any) {
	b.Errorf(format, args...)
	runtime.Goexit()
}

func (b *round) Errorf(format string, args ...any) {
	text := b.describe(b.name, format, args...)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = true
	b.violations = append(b.violations, text)
}

func (b *round) Cleanup(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cleanups = append(b.cleanups, f)
}

func (b *round) do(f func()) {
	var done sync.WaitGroup
	done.Go(f)
	done.Wait()
}

// all calls f concurrently with 0 to n-1 and waits. If a call has failed, it ends the
// goroutine.
func (b *round) all(n int, f func(i int)) {
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() { f(i) })
	}
	done.Wait()
	b.mu.Lock()
	failed := b.failed
	b.mu.Unlock()
	if failed {
		runtime.Goexit()
	}
}
