package main

import (
	"encoding/json"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/puente-io/puente/compat/raw"
)

// round is a round of a group. It implements [raw.TB].
type round struct {
	*soak
	name string
	rng  *rand.Rand // used by the goroutine that runs the round

	mu       sync.Mutex
	cleanups []func()
	failed   bool
}

// round runs a round, and then its cleanups.
func (s *soak) round(name string, rng *rand.Rand, run func(*round)) {
	r := &round{soak: s, name: name, rng: rng}
	var done sync.WaitGroup
	done.Go(func() { run(r) })
	done.Wait()
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}

// Helper implements [raw.TB].
func (r *round) Helper() {}

// Cleanup registers f to be called at the end of the round.
func (r *round) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

// Fatalf adds a violation and ends the goroutine, which must be the round's or one
// of all's.
func (r *round) Fatalf(format string, args ...any) {
	r.mu.Lock()
	r.failed = true
	r.mu.Unlock()
	r.violation(r.name, format, args...)
	runtime.Goexit()
}

// all calls f concurrently with 0 to n-1 and waits. If a call has failed, it ends the
// goroutine.
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
		d.r.Fatalf("%s received the answer %s", d.user, e.Arg(0))
	}
	return a
}

// ask sends an event that must succeed.
func (d *device) ask(event string, arg any) answer { return d.parse(d.Ask(event, arg)) }
