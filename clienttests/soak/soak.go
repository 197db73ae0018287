package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// soak is a node, its clients, and the violations.
type soak struct {
	node   *node
	seed   uint64
	groups int
	out    io.Writer
	began  time.Time
	// settling is how long an empty node may take to release its resources: longer
	// than a window of the rate limit.
	settling time.Duration

	stragglers sync.WaitGroup // goroutines that wait for disconnects that the node notices late

	rounds, connections, deliveries atomic.Int64

	mu         sync.Mutex
	violations []string
}

func (s *soak) violation(where, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = append(s.violations, fmt.Sprintf("%v, %s: %s", s.elapsed(), where, fmt.Sprintf(format, args...)))
}

// load runs the groups, each of which repeats its rounds, and the residents for the
// duration, and prints a line at every interval. phase is part of the names and seeds.
func (s *soak) load(ctx context.Context, phase int, duration, every time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { s.round("residents", nil, func(r *round) { r.residents(ctx) }) })
	for i := range s.groups {
		rng := rand.New(rand.NewPCG(s.seed, uint64(phase)<<32|uint64(i)))
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				s.round(fmt.Sprintf("%d-%d-%d", phase, i, n), rng, (*round).group)
				s.rounds.Add(1)
				rest(ctx, time.Duration(rng.Int64N(int64(longestRest))))
			}
		})
	}
	lines := time.NewTicker(every)
	defer lines.Stop()
	for ctx.Err() == nil {
		select {
		case <-lines.C:
			s.line()
		case <-ctx.Done():
		}
	}
	all.Wait()
	s.stragglers.Wait()
}

// longestRest bounds how long a group waits before its next round. With it and the
// default number of groups a single core is not fully used.
const longestRest = 3 * time.Second

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// line prints the progress.
func (s *soak) line() {
	f, err := s.node.ask(askNow)
	c, err2 := s.node.counts()
	if err != nil || err2 != nil {
		s.violation("progress", "the node does not answer: %v, %v", err, err2)
		return
	}
	s.mu.Lock()
	wrong := len(s.violations)
	s.mu.Unlock()
	fmt.Fprintf(s.out, "%6v  %d rounds, %d connections made, %d open, %d deliveries checked, %d violations; %v\n",
		s.elapsed(), s.rounds.Load(), s.connections.Load(), c.ActiveConnections, s.deliveries.Load(), wrong, f)
}

// emptied waits until no client is connected, and returns the node's figures.
func (s *soak) emptied(when string) (f figures, ok bool) {
	var c counts
	var err error
	if !eventually(func() bool {
		c, err = s.node.counts()
		return err != nil || c == counts{}
	}) || err != nil {
		s.violation(when, "the node still counts %+v, %v", c, err)
		return f, false
	}
	// Goroutines and descriptors of the last connections are released a little later.
	var least figures
	deadline := time.Now().Add(s.settling)
	for first := true; time.Now().Before(deadline); first = false {
		if f, err = s.node.ask(askSettled); err != nil {
			s.violation(when, "the node does not answer: %v", err)
			return f, false
		}
		if first {
			least = f
		}
		least = figures{min(least.Heap, f.Heap), min(least.Resident, f.Resident), min(least.Goroutines, f.Goroutines), min(least.Descriptors, f.Descriptors)}
		time.Sleep(500 * time.Millisecond)
	}
	fmt.Fprintf(s.out, "%6v  %s, no clients: %v\n", s.elapsed(), when, least)
	return least, true
}

// eventually waits until cond holds. It returns false if it does not within waitTimeout.
func eventually(cond func() bool) bool {
	for end := time.Now().Add(waitTimeout); !cond(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
