package main

import (
	"encoding/json"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/puente-io/puente/clienttests/raw"
)

// round is one life of a group, and stands for a test to package raw.
type round struct {
	*soak
	name string
	rng  *rand.Rand // of the goroutine that runs the round

	mu       sync.Mutex
	cleanups []func()
	failed   bool
}

// round runs a round and closes what it leaves.
func (s *soak) round(name string, rng *rand.Rand, run func(*round)) {
	r := &round{soak: s, name: name, rng: rng}
	var done sync.WaitGroup
	done.Go(func() { run(r) })
	done.Wait()
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}

// Helper is there for package raw.
func (r *round) Helper() {}

// Cleanup has f called when the round is over.
func (r *round) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

// Fatalf is a violation, and ends the goroutine, which must be the round's or
// one of all's.
func (r *round) Fatalf(format string, args ...any) {
	r.mu.Lock()
	r.failed = true
	r.mu.Unlock()
	r.violation(r.name, format, args...)
	runtime.Goexit()
}

// all calls f with 0 to n-1 at once, and ends the goroutine where one failed.
func (r *round) all(n int, f func(i int)) {
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() { f(i) })
	}
	done.Wait()
	r.mu.Lock()
	failed := r.failed
	r.mu.Unlock()
	if failed {
		runtime.Goexit()
	}
}

// device is a client of a user.
type device struct {
	*raw.Client
	r    *round
	user string
}

func (r *round) connect(user string, transport raw.Transport) *device {
	text, err := token(user)
	if err != nil {
		r.Fatalf("token: %v", err)
	}
	d := &device{raw.Connect(r, r.node.url, raw.Options{Transport: transport, Auth: map[string]string{"token": text}}), r, user}
	d.Next("authenticated")
	r.connections.Add(1)
	return d
}

// answer is an acknowledgement.
type answer struct {
	Success, Delivered bool
	Total              int
	Error              struct{ Code string }
}

func (d *device) parse(e raw.Event) (a answer) {
	if err := json.Unmarshal([]byte(e.Arg(0)), &a); err != nil || !a.Success {
		d.r.Fatalf("%s was answered %s", d.user, e.Arg(0))
	}
	return a
}

// ask sends an event that must succeed.
func (d *device) ask(event string, arg any) answer { return d.parse(d.Ask(event, arg)) }
