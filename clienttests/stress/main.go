// Command stress runs two nodes over one Redis in this process and connects many
// kinds of hostile clients at once. It checks that well-behaved clients notice
// nothing: each receives exactly what it should, in order, and its connection ends
// with the expected reason. Two more nodes use a Redis that is killed repeatedly. At
// the end sessions, rooms, users, goroutines and memory must be what they were at the
// start.
//
// Then three nodes, each a child process, are killed and cut off from Redis while
// users join and leave: half of the -presence rounds with the classic adapter, half
// with the sharded one. What each client was sent is compared with who was in the
// room.
//
// It exits with 1 if any check fails. It prints its seed, which repeats the clients'
// choices but not the interleaving of goroutines. If redis-server is not installed it
// runs with one node.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"go.uber.org/goleak"
)

func main() {
	if os.Getenv(nodeVariable) != "" {
		os.Exit(runNode())
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("stress", flag.ContinueOnError)
	flags.SetOutput(stderr)
	seed := flags.Uint64("seed", uint64(time.Now().UnixNano()), "random seed of the clients' choices")
	duration := flags.Duration("duration", 30*time.Second, "duration of the run")
	rounds := flags.Int("presence", 200, "number of presence rounds, in which users join and leave while nodes die")
	only := flags.String("only", "", "run only the scenarios whose `name` contains this")
	puente := flags.String("bursts", "", "instead publish bursts of up to 100 MB to up to 1,000 clients of this `binary`, and measure its memory")
	if flags.Parse(args) != nil || flags.NArg() > 0 {
		return 2
	}
	if *puente != "" {
		return largeBursts(*puente, stdout, stderr)
	}
	before := goleak.IgnoreCurrent()
	r, err := newRunner(*seed)
	if err != nil {
		fmt.Fprintln(stderr, "stress:", err)
		return 1
	}
	fmt.Fprintf(stdout, "seed %d, %d nodes\n", *seed, len(r.nodes()))
	r.progress = stderr
	r.scenarios = slices.DeleteFunc(r.scenarios, func(s scenario) bool { return !strings.Contains(s.name, *only) })
	r.run(*duration)
	r.stop()
	for i, adapter := range []string{"classic", "sharded"} {
		if counts := r.runPresence(*rounds/2, adapter, uint64(1000+i)); counts != "" {
			fmt.Fprintf(stdout, "presence, %s: %s\n", adapter, counts)
		}
	}
	if err := goleak.Find(before); err != nil {
		r.violation("stop", "%v", err)
	}
	for _, s := range r.scenarios {
		fmt.Fprintf(stdout, "%-16s%6d rounds", s.name, r.rounds[s.name])
		if n := r.excused[s.name]; n > 0 {
			fmt.Fprintf(stdout, ", %d failed because of a gap or a slow Redis", n)
		}
		fmt.Fprintln(stdout)
	}
	for _, v := range r.violations {
		fmt.Fprintln(stdout, "VIOLATION", v)
	}
	fmt.Fprintf(stdout, "seed %d: %d violations\n", *seed, len(r.violations))
	if len(r.violations) > 0 {
		return 1
	}
	return 0
}
